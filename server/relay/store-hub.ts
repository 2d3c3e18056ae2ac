/** One store in a running relay: its log, who follows it, and the documents of it that are open. */
import { assert } from '../../src/base/assert.ts';
import type { Platform } from '../../src/base/platform.ts';
import type { RowCursor, RowName, WriterId } from '../../src/protocol/sync/index.ts';
import type { RelayLimits } from '../limits/index.ts';
import type { Appended, Batch, NewBatch, RowsRead, StoreLog } from '../log/index.ts';
import type { Metrics, Observe } from '../observe/index.ts';
import { changesOf, deliverFrame } from './batch-frames.ts';
import { Folder } from './folder.ts';
import { LiveRoom } from './live-room.ts';
import { Presence } from './presence.ts';
import { rowId } from './row-id.ts';

/** Rows known to be too large. More of them than this are noticed again at their next fold. */
const OVERSIZED_MAX = 10_000;

export interface Follower {
  /** Writers whose batches it needs no copy of. */
  readonly ownWriters: ReadonlySet<WriterId>;
  send(frame: Uint8Array): void;
}

export interface PresenceMember {
  send(frame: Uint8Array): void;
}

export type HubParts = {
  readonly log: StoreLog;
  readonly platform: Platform;
  readonly metrics: Metrics;
  readonly observe: Observe;
  readonly limits: RelayLimits;
};

export class StoreHub {
  readonly log: StoreLog;
  readonly presence: Presence;
  readonly #parts: HubParts;
  readonly #folder: Folder;
  readonly #followers = new Set<Follower>();
  readonly #members = new Set<PresenceMember>();
  readonly #rooms = new Map<string, LiveRoom>();
  readonly #oversized = new Set<string>();
  readonly #stopTail: () => void;

  constructor(parts: HubParts) {
    this.#parts = parts;
    this.log = parts.log;
    this.presence = new Presence(parts.platform, (frame) => this.tell(frame));
    const { tailBytesMax } = parts.limits;
    this.#folder = new Folder({ ...parts, tailBytesMax, onFolded: (row, bytes) => this.#noteSize(row, bytes) });
    this.#stopTail = this.log.tail((batches) => this.#fanOut(batches));
    if (this.log.folded < this.log.head) this.#folder.wake();
  }

  get roomCount(): number {
    return this.#rooms.size;
  }

  async append(batch: NewBatch): Promise<Appended> {
    const appended = await this.log.append(batch);
    this.#parts.metrics.add(appended.isRepeated ? 'batches_repeated_total' : 'batches_stored_total', 1);
    return appended;
  }

  /**
   * A page of the log's rows. A fold of many rows is written in pieces, so the last page may hold states ahead of `through`,
   * with half of a transaction: then it is read again behind that fold.
   */
  async rows(after: RowCursor, bytesMax: number): Promise<RowsRead> {
    for (;;) {
      const read = await this.log.rows(after, bytesMax);
      // In the order of their changes, so what is ahead stands at the end.
      const { sequence } = read.rows.at(-1)?.at ?? after;
      if (!read.isComplete || sequence <= read.through || sequence > this.log.head) return read;
      await this.#folder.reached(sequence);
    }
  }

  isOversized(row: RowName): boolean {
    return this.#oversized.size > 0 && this.#oversized.has(rowId(row));
  }

  /** From the next batch on. The caller has told the follower of all up to the head. */
  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  enter(member: PresenceMember): void {
    this.#members.add(member);
  }

  leave(member: PresenceMember): void {
    this.#members.delete(member);
    this.tell(this.presence.leave(member));
  }

  /** Presence, to all who are connected to the store. */
  tell(frame: Uint8Array | undefined): void {
    if (frame === undefined) return;
    for (const member of this.#members) member.send(frame);
  }

  /** The open document of a row; opened when it is not. Whoever takes it joins it in the same turn. */
  room(row: RowName): LiveRoom {
    const id = rowId(row);
    const room = this.#rooms.get(id) ?? new LiveRoom(row, this.log, this.#parts.platform);
    this.#rooms.set(id, room);
    return room;
  }

  /** Lets a room go whose last member has left. What was said in it is in the log, or will be. */
  closeRoom(room: LiveRoom): void {
    const id = rowId(room.row);
    if (room.memberCount === 0 && this.#rooms.get(id) === room) this.#rooms.delete(id);
  }

  expirePresence(): void {
    this.tell(this.presence.expire());
    for (const room of this.#rooms.values()) {
      const gone = room.presence.expire();
      if (gone !== undefined) room.broadcast(gone);
    }
  }

  /** Waits until all that is stored is folded. */
  settle(): Promise<void> {
    return this.#folder.settle();
  }

  async stop(): Promise<void> {
    this.#stopTail();
    await this.#folder.stop();
  }

  /** What has become durable, to everybody: in the order of the log, each batch whole. */
  #fanOut(batches: readonly Batch[]): void {
    assert(batches.length > 0, 'A group of the log is never empty.');
    const start = { request: 0, isComplete: true, head: this.log.head };
    const writers = new Set(batches.map(({ writer }) => writer));
    let shared: Uint8Array | undefined;
    for (const follower of this.#followers) {
      const hasOwn = [...writers].some((writer) => follower.ownWriters.has(writer));
      if (!hasOwn) shared ??= deliverFrame(start, batches);
      follower.send(hasOwn ? deliverFrame(start, batches, follower.ownWriters) : shared!);
    }
    if (this.#rooms.size > 0) this.#tellRooms(batches);
    this.#folder.wake();
  }

  #tellRooms(batches: readonly Batch[]): void {
    const updates = new Map<LiveRoom, Uint8Array[]>();
    for (const { update, ...row } of batches.flatMap(changesOf)) {
      const room = this.#rooms.get(rowId(row));
      if (room === undefined) continue;
      const of = updates.get(room) ?? [];
      updates.set(room, of);
      of.push(update);
    }
    for (const [room, of] of updates) room.take(of);
  }

  #noteSize(row: RowName, bytes: number): void {
    if (bytes <= this.#parts.limits.rowStateBytesMax) this.#oversized.delete(rowId(row));
    else if (this.#oversized.size < OVERSIZED_MAX) this.#oversized.add(rowId(row));
  }
}
