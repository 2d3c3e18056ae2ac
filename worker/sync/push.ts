/**
 * The outbox goes to the relay: in order, several batches under way, each deleted when the relay has it on disk. What was
 * not acknowledged is sent again under its own number, by the next connection or the next worker: the relay stores a
 * number once (R1, R2).
 *
 * PUSH-1: an entry leaves the outbox by an acknowledgement alone, or into the batch that takes a refused one along.
 * PUSH-2: an entry that is refused for good stays, with its reason, and those behind it go on.
 */
import type { Row } from '../../src/base/row.ts';
import {
  type Acks,
  FRAME,
  PART_CHANGES_MAX,
  type Push,
  type Refuse,
  type RowChange,
} from '../../src/protocol/sync/index.ts';
import { type Refusal, SYNC_OUTBOX } from '../../src/protocol/sync-worker.ts';
import { changesOf, headsAfter, type OutboxEntry, type OutboxHead } from './outbox.ts';
import { Pace } from './pace.ts';
import type { SyncContext } from './sync-context.ts';

/** Changes that are under way to the relay and not acknowledged. One batch may be larger, alone. */
const WINDOW_BYTES = 1024 * 1024;
const WINDOW_BATCHES = 512;
const HEADS_MAX = 128;
/** Beside the changes of a frame. */
const FRAME_OVERHEAD = 64;
/** Beside an update in a frame: lengths, and the kind of its key. */
const CHANGE_OVERHEAD = 24;
/** Below it a frame is not made smaller. */
const PART_BYTES_MIN = 16 * 1024;
/** A batch that is neither acknowledged nor refused, while beats come: something was lost on the way. */
const ACK_TIMEOUT_MS = 60_000;
/** Before something that was refused is sent again, when the relay names no time. */
const RETRY_MS = 1_000;

export interface PushEvents {
  /** Entries have left the outbox. */
  acknowledged(): void;
  /** The relay has parts of a batch that it will not put together. */
  restart(): void;
  /** The store does not answer as it should: the run of the worker ends. */
  failed(error: unknown): void;
}

type UnderWay = { readonly head: OutboxHead; readonly bytes: number; readonly parts: number };
/** One walk along the outbox. Another one takes its place when entries have to be sent again. */
type Pass = { sentUpTo: number };

export class Outgoing {
  readonly #context: SyncContext;
  readonly #send: (push: Push) => boolean;
  readonly #events: PushEvents;
  readonly #pace: Pace;
  /** Undefined while there is no connection. */
  #pass: Pass | undefined;
  #underWay = new Map<string, UnderWay>();
  #underWayBytes = 0;
  #partBytesMax = 0;
  #stopPause: (() => void) | undefined;
  #stopAckTimer: (() => void) | undefined;
  #gapAt = -1;
  #isRunning = false;
  #isWanted = false;
  #acked: number[] = [];
  #isDeleting = false;

  constructor(context: SyncContext, send: (push: Push) => boolean, events: PushEvents) {
    this.#context = context;
    this.#send = send;
    this.#events = events;
    this.#pace = new Pace(context.platform);
  }

  /** A connection was welcomed: everything is sent from the beginning. */
  connected(): void {
    this.#partBytesMax = this.#context.limits.frameBytesMax;
    this.#pass = { sentUpTo: 0 };
    this.wake();
  }

  disconnected(): void {
    this.#stopPause?.();
    this.#stopPause = undefined;
    this.#pass = undefined;
    this.#underWay.clear();
    this.#underWayBytes = 0;
    this.#watchAcks();
  }

  /** There may be something to send, or room for it. */
  wake(): void {
    this.#isWanted = true;
    if (this.#isRunning || this.#pass === undefined || !this.#hasRoom) return;
    this.#isRunning = true;
    this.#run().then(
      () => {
        this.#isRunning = false;
        if (this.#isWanted) this.wake();
      },
      (error) => this.#events.failed(error),
    );
  }

  acknowledged({ acks }: Acks): void {
    for (const ack of acks) {
      const number = numberOf(ack.writer, ack.sequence);
      const known = this.#underWay.get(number);
      if (known === undefined) continue;
      this.#forget(number, known);
      this.#acked.push(known.head.id);
    }
    this.#watchAcks();
    if (!this.#isDeleting) this.#deleteAcked().catch((error) => this.#events.failed(error));
    this.wake();
  }

  refused(refuse: Refuse): void {
    const number = numberOf(refuse.writer, refuse.request);
    const known = this.#underWay.get(number);
    if (refuse.about !== FRAME.push || known === undefined) return;
    this.#forget(number, known);
    this.#watchAcks();
    const { head } = known;
    switch (refuse.code) {
      case 'rate-limited':
        return this.#repeat(known, refuse.retryAfterMs);
      case 'quota-exceeded':
        if (refuse.retryAfterMs > 0) return this.#repeat(known, refuse.retryAfterMs);
        break;
      case 'too-large':
        // Smaller parts may do, unless the batch itself is too large.
        if (known.bytes > this.#context.limits.batchBytesMax || head.count === 1) break;
        if (this.#partBytesMax <= PART_BYTES_MIN) break;
        this.#partBytesMax = Math.max(this.#partBytesMax / 2, PART_BYTES_MIN);
        return this.#repeat(known, 0);
      case 'sequence-gap':
        return this.#inOtherWords(known);
      case 'unavailable':
        // The socket is closed, and the next one brings it again.
        return;
    }
    this.#settle(this.#setAside(head, { code: `sync/${refuse.code}`, message: refuse.text }));
  }

  get #hasRoom(): boolean {
    if (this.#stopPause !== undefined) return false;
    return this.#underWayBytes < WINDOW_BYTES && this.#underWay.size < WINDOW_BATCHES;
  }

  async #run(): Promise<void> {
    const { store } = this.#context;
    for (;;) {
      this.#isWanted = false;
      const pass = this.#pass;
      if (pass === undefined || !this.#hasRoom) return;
      const heads = await headsAfter(store, pass.sentUpTo, HEADS_MAX);
      for (const head of heads) {
        if (!this.#isCurrent(pass)) break;
        if (!this.#isUnderWay(head) && head.refusal === undefined) await this.#sendEntry(head, pass);
        else pass.sentUpTo = head.id;
      }
      if (heads.length === 0 && this.#pass === pass) return;
    }
  }

  #isCurrent(pass: Pass): boolean {
    return this.#pass === pass && this.#hasRoom;
  }

  #isUnderWay({ writer, sequence }: OutboxHead): boolean {
    return this.#underWay.has(numberOf(writer, sequence));
  }

  async #sendEntry(head: OutboxHead, pass: Pass): Promise<void> {
    const entry = (await this.#context.store.getMany(SYNC_OUTBOX, [head.id]))[0] as OutboxEntry | undefined;
    // Meanwhile it was acknowledged, or folded into another one, or has got another number.
    if (entry === undefined || entry.sequence !== head.sequence || entry.writer !== head.writer) {
      pass.sentUpTo = head.id;
      return;
    }
    const { batchBytesMax } = this.#context.limits;
    const changes = changesOf(entry);
    const parts = partsOf(changes, Math.min(this.#partBytesMax, this.#context.limits.frameBytesMax));
    const tooLarge = typeof parts === 'string' ? parts : undefined;
    if (tooLarge !== undefined || entry.changes.length > batchBytesMax) {
      const message = tooLarge ?? `The batch has ${entry.changes.length} bytes; the relay takes ${batchBytesMax}.`;
      await this.#setAside(head, { code: 'sync/too-large', message });
      pass.sentUpTo = head.id;
      return;
    }
    await this.#sendParts(entry, parts as readonly (readonly RowChange[])[], pass);
  }

  async #sendParts(entry: OutboxEntry, parts: readonly (readonly RowChange[])[], pass: Pass): Promise<void> {
    // While it was read the connection has ended, or everything is to be sent again.
    if (this.#pass !== pass) return;
    const { writer, sequence } = entry;
    const number = numberOf(writer, sequence);
    const sent: UnderWay = { head: entry, bytes: entry.changes.length, parts: parts.length };
    this.#underWay.set(number, sent);
    this.#underWayBytes += sent.bytes;
    pass.sentUpTo = entry.id;
    if (this.#stopAckTimer === undefined) this.#watchAcks();
    for (const [at, changes] of parts.entries()) {
      const size = changes.reduce((sum, { update }) => sum + update.length + CHANGE_OVERHEAD, FRAME_OVERHEAD);
      const pause = this.#pace.take(size);
      if (pause !== undefined) await pause;
      if (this.#pass !== pass) {
        // What is left of the batch is nobody's: it is sent again from its beginning.
        if (this.#underWay.get(number) === sent) this.#forget(number, sent);
        return;
      }
      this.#send({ type: 'push', writer, sequence, hasMore: at < parts.length - 1, changes });
    }
  }

  /** Sends it again after a while, and with it what was not sent yet; what is under way may still be acknowledged. */
  #repeat({ head, parts }: UnderWay, afterMs: number): void {
    const pause = this.#context.platform.setTimer(
      () => {
        this.#stopPause = undefined;
        // The relay has seen parts of it, and others not: only another connection begins it anew.
        if (parts > 1) this.#events.restart();
        else this.#again(head);
      },
      Math.max(afterMs, parts > 1 ? RETRY_MS : 1),
    );
    this.#stopPause?.();
    this.#stopPause = pause;
    if (this.#pass !== undefined) this.#pass = { sentUpTo: Math.min(head.id - 1, this.#pass.sentUpTo) };
  }

  #again({ id }: OutboxHead): void {
    if (this.#pass !== undefined) this.#pass = { sentUpTo: Math.min(id - 1, this.#pass.sentUpTo) };
    this.wake();
  }

  /**
   * The relay misses too many numbers of its writer, or knows too many writers of this connection. Another connection
   * begins with what was left out; if that is not enough, the batch gets another number: it is not stored under this one.
   */
  #inOtherWords({ head }: UnderWay): void {
    if (this.#gapAt !== head.id) {
      this.#gapAt = head.id;
      this.#events.restart();
      return;
    }
    const { store, outbox, inTurn } = this.#context;
    const renumber = inTurn(async () => {
      const { runs, clientId } = this.#context;
      if (outbox.writer === head.writer) {
        outbox.changeWriter();
        runs.add(outbox.writer, clientId);
      }
      const number = outbox.nextNumber();
      // Own changes of rows are under the number that it had: nobody will tell of that any more.
      runs.passed(head.writer, head.sequence);
      await store.transaction(async (tx) => {
        const entry = (await tx.getMany(SYNC_OUTBOX, [head.id]))[0];
        if (entry !== undefined) await tx.put(SYNC_OUTBOX, [{ ...entry, ...number }]);
        await runs.write(tx);
      });
      this.#again(head);
    });
    this.#settle(renumber);
  }

  #setAside(head: OutboxHead, refusal: Refusal): Promise<void> {
    const { store, outbox, inTurn } = this.#context;
    return inTurn(async () => {
      const entry = await store.transaction(async (tx) => {
        const found = (await tx.getMany(SYNC_OUTBOX, [head.id]))[0];
        if (found !== undefined) await tx.put(SYNC_OUTBOX, [{ ...found, refusal }]);
        return found as (Row & OutboxEntry) | undefined;
      });
      if (entry !== undefined) outbox.noteRefused(entry);
      this.wake();
    });
  }

  /** From the last acknowledgement on. */
  #watchAcks(): void {
    this.#stopAckTimer?.();
    const { platform } = this.#context;
    this.#stopAckTimer =
      this.#underWay.size === 0 ? undefined : platform.setTimer(() => this.#events.restart(), ACK_TIMEOUT_MS);
  }

  #settle(work: Promise<void>): void {
    work.catch((error) => this.#events.failed(error));
  }

  #forget(number: string, { bytes }: UnderWay): void {
    this.#underWay.delete(number);
    this.#underWayBytes -= bytes;
  }

  async #deleteAcked(): Promise<void> {
    this.#isDeleting = true;
    while (this.#acked.length > 0) {
      const acked = this.#acked;
      this.#acked = [];
      await this.#context.store.delete(SYNC_OUTBOX, acked);
      this.#events.acknowledged();
    }
    this.#isDeleting = false;
  }
}

const numberOf = (writer: string, sequence: number): string => `${writer} ${sequence}`;

/** Changes of one batch as frames; or which row has a change that no frame can hold. */
function partsOf(changes: readonly RowChange[], bytesMax: number): readonly (readonly RowChange[])[] | string {
  const parts: RowChange[][] = [];
  let part: RowChange[] = [];
  let bytes = FRAME_OVERHEAD;
  for (const change of changes) {
    // A character of UTF-16 takes at most three bytes.
    const name = 3 * (change.collection.length + (typeof change.key === 'string' ? change.key.length : 3));
    const size = change.update.length + name + CHANGE_OVERHEAD;
    if (FRAME_OVERHEAD + size > bytesMax) {
      const row = `${change.collection} ${JSON.stringify(change.key).slice(0, 100)}`;
      return `The change of ${row} has ${change.update.length} bytes; a frame of the relay has ${bytesMax}.`;
    }
    if (part.length > 0 && (bytes + size > bytesMax || part.length >= PART_CHANGES_MAX)) {
      parts.push(part);
      part = [];
      bytes = FRAME_OVERHEAD;
    }
    part.push(change);
    bytes += size;
  }
  parts.push(part);
  return parts;
}
