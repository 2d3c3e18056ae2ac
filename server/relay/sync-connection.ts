/**
 * A device on `/sync/<store>`. Order of a push: size and rate, authorisation, bounded validation, durable append, then
 * acknowledgement and fan-out. Whatever is refused is refused by a code, and nothing of it is done.
 */
import { assert, unreachable } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/store-error.ts';
import {
  type Ack,
  BATCH_CHANGES_MAX,
  CLOSE,
  checkUpdate,
  type Digest,
  decodeClientMessage,
  encodeChanges,
  encodeMessage,
  FRAME,
  frameType,
  type Hello,
  type Pull,
  type Push,
  type RefusalCode,
  type RowChange,
  type Rows,
  type States,
  SYNC_VERSION_MAX,
  SYNC_VERSION_MIN,
  type WriterId,
} from '../../src/protocol/sync/index.ts';
import {
  GREETING_BYTES_MAX,
  GREETING_FRAMES_MAX,
  HELLO_TIMEOUT_MS,
  OWN_WRITERS_MAX,
  REQUESTS_WAITING_MAX,
} from '../limits/index.ts';
import { deliverFrame } from './batch-frames.ts';
import { EMPTY_UPDATE, readSyncMessage, step2Frame } from './carrier.ts';
import type { ConnectionParts } from './connection.ts';
import { digestsOf, statesOf } from './digest-answers.ts';
import { Rate } from './rate.ts';
import type { RelaySocket } from './socket.ts';
import type { StoreHub } from './store-hub.ts';

type Request = Pull | Rows | Digest | States;
type Greeting = { frames: number; bytes: number; wantsCarrier: boolean; presence: Uint8Array | undefined };
type Parts = { writer: WriterId; sequence: number; changes: RowChange[]; bytes: number };
type About = {
  readonly about: number;
  readonly request: number;
  readonly writer?: WriterId;
  /** Of a part of a push. */
  readonly hasMore?: boolean;
};
/** A batch of which a part was refused: what comes of it until its last part is none of the store's. */
type Broken = {
  readonly about: About;
  readonly code: RefusalCode;
  readonly text: string;
  readonly retryAfterMs: number;
};

/** How the socket ends after a refusal; where there is none it stays open. */
const CLOSE_AFTER: { readonly [C in RefusalCode]?: number } = {
  malformed: CLOSE.malformed,
  unauthorised: CLOSE.unauthorised,
  'client-too-old': CLOSE.version,
  'relay-too-old': CLOSE.version,
  'hello-expected': CLOSE.malformed,
  'unknown-store': CLOSE.unknownPath,
  unavailable: CLOSE.tryLater,
};

export class SyncConnection {
  readonly ownWriters: Set<WriterId> = new Set();
  readonly #parts: ConnectionParts;
  readonly #socket: RelaySocket;
  readonly #store: string;
  readonly #frames: Rate;
  readonly #bytes: Rate;
  readonly #stopHelloTimer: () => void;
  #state: 'greeting' | 'welcoming' | 'open' | 'closed' = 'greeting';
  #greeting: Greeting = { frames: 0, bytes: 0, wantsCarrier: false, presence: undefined };
  #hub: StoreHub | undefined;
  #batch: Parts | undefined;
  #broken: Broken | undefined;
  #acks: Ack[] = [];
  #requests: Request[] = [];
  #isAnswering = false;

  constructor(parts: ConnectionParts, store: string) {
    const { platform, limits } = parts;
    this.#parts = parts;
    this.#socket = parts.socket;
    this.#store = store;
    this.#frames = new Rate(platform, limits.framesPerSecond);
    this.#bytes = new Rate(platform, limits.bytesPerSecond);
    this.#stopHelloTimer = platform.setTimer(() => this.#helloTimedOut(), HELLO_TIMEOUT_MS);
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  beat(): Uint8Array {
    return encodeMessage({ type: 'beat', head: this.#hub?.log.head ?? 0 });
  }

  closed(): void {
    this.#state = 'closed';
    this.#stopHelloTimer();
    this.#hub?.unfollow(this);
    this.#hub?.leave(this);
    this.#batch = undefined;
    this.#requests = [];
  }

  receive(frame: Uint8Array): void {
    if (this.#state === 'closed' || !this.#socket.isOpen) return;
    try {
      this.#receive(frame);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const code = error.code === 'sync/invalid-update' ? 'invalid-update' : 'malformed';
      this.#refuse(code, error.message, { about: 0, request: 0 });
    }
  }

  #receive(frame: Uint8Array): void {
    const type = frameType(frame);
    if (frame.length > this.#parts.limits.frameBytesMax) {
      this.#refuse('too-large', `A frame has ${frame.length} bytes.`, aboutOf(frame, type));
      return;
    }
    if (this.#state !== 'open') {
      this.#receiveGreeting(frame, type);
      return;
    }
    const waitMs = Math.max(this.#frames.take(1), this.#bytes.take(frame.length));
    if (waitMs > 0) {
      this.#refuse('rate-limited', 'Too much at once.', aboutOf(frame, type), waitMs);
      return;
    }
    this.#handle(frame, type);
  }

  /** Before the welcome: little is taken, and of it only a hello is acted on. */
  #receiveGreeting(frame: Uint8Array, type: number): void {
    const greeting = this.#greeting;
    greeting.frames++;
    greeting.bytes += frame.length;
    if (greeting.frames > GREETING_FRAMES_MAX || greeting.bytes > GREETING_BYTES_MAX) {
      this.#refuse('hello-expected', 'Too much before the hello.', { about: type, request: 0 });
    } else if (type === FRAME.awareness) {
      greeting.presence = frame;
    } else if (type === FRAME.sync) {
      greeting.wantsCarrier ||= readSyncMessage(frame.subarray(1)).type === 'step-1';
    } else if (type !== FRAME.queryAwareness) {
      this.#hello(frame, type);
    }
  }

  #hello(frame: Uint8Array, type: number): void {
    const about = { about: type, request: 0 };
    if (this.#state !== 'greeting' || type !== FRAME.hello) {
      this.#refuse('hello-expected', 'Say hello first, and once.', about);
      return;
    }
    const hello = decodeClientMessage(frame);
    if (hello.type === 'foreign-hello') {
      const code = hello.versionMax < SYNC_VERSION_MIN ? 'client-too-old' : 'relay-too-old';
      const ours = `${SYNC_VERSION_MIN} to ${SYNC_VERSION_MAX}`;
      this.#refuse(code, `This relay speaks versions ${ours}, not ${hello.versionMin} to ${hello.versionMax}.`, about);
      return;
    }
    assert(hello.type === 'hello', 'The type of the frame was looked at.');
    if (!this.#parts.authorise(hello.token)) {
      this.#refuse('unauthorised', 'The token is wrong.', about);
    } else if (hello.store !== this.#store) {
      this.#refuse('unknown-store', `This socket is for the store ${this.#store}.`, about);
    } else {
      this.#state = 'welcoming';
      void this.#welcome(hello);
    }
  }

  async #welcome(hello: Hello): Promise<void> {
    const { limits } = this.#parts;
    try {
      this.#hub = await this.#parts.hub(this.#store);
    } catch (error) {
      this.#unavailable(error, { about: FRAME.hello, request: 0 });
      return;
    }
    if (this.#state !== 'welcoming') return;
    this.#stopHelloTimer();
    this.#state = 'open';
    const { epoch, head, floor } = this.#hub.log;
    const version = Math.min(hello.versionMax, SYNC_VERSION_MAX);
    const { frameBytesMax, batchBytesMax } = limits;
    this.send(encodeMessage({ type: 'welcome', version, epoch, head, floor, frameBytesMax, batchBytesMax }));
    this.#hub.enter(this);
    if (this.#greeting.wantsCarrier) this.send(step2Frame(EMPTY_UPDATE));
    const others = this.#hub.presence.all();
    if (others !== undefined) this.send(others);
    if (this.#greeting.presence !== undefined) this.receive(this.#greeting.presence);
  }

  #helloTimedOut(): void {
    if (this.#state === 'greeting') this.#socket.close(CLOSE.helloTimeout, 'no hello');
  }

  #handle(frame: Uint8Array, type: number): void {
    if (type === FRAME.sync) return this.#carrier(frame);
    if (type === FRAME.awareness) return this.#hub!.tell(this.#hub!.presence.take(frame.subarray(1), this));
    if (type === FRAME.queryAwareness) {
      const all = this.#hub!.presence.all();
      if (all !== undefined) this.send(all);
      return;
    }
    const message = decodeClientMessage(frame);
    switch (message.type) {
      case 'push':
        return this.#push(message, frame.length);
      case 'pull':
      case 'rows':
      case 'digest':
      case 'states':
        return this.#ask(message);
      case 'beat':
        return this.send(this.beat());
      case 'hello':
      case 'foreign-hello':
        return this.#refuse('hello-expected', 'Say hello once.', { about: FRAME.hello, request: 0 });
      default:
        return unreachable(message);
    }
  }

  /** The carrier's document is empty and stays so: it is there because y-websocket wants one. */
  #carrier(frame: Uint8Array): void {
    const message = readSyncMessage(frame.subarray(1));
    if (message.type === 'step-1') this.send(step2Frame(EMPTY_UPDATE));
    else if (message.facts.structCount + message.facts.deletionCount > 0) {
      this.#refuse('read-only', 'The carrier takes no changes.', { about: FRAME.sync, request: 0 });
    }
  }

  #push(push: Push, frameBytes: number): void {
    const about = aboutPush(push);
    if (this.#isBroken(push)) return;
    const isContinued = this.#batch?.writer === push.writer && this.#batch.sequence === push.sequence;
    const batch = isContinued
      ? this.#batch!
      : { writer: push.writer, sequence: push.sequence, changes: [] as RowChange[], bytes: 0 };
    this.#batch = undefined;
    const problem = this.#problemOf(push, batch.changes.length, batch.bytes + frameBytes);
    if (problem !== undefined) {
      this.#refuse(problem.code, problem.text, about);
      return;
    }
    batch.changes.push(...push.changes);
    batch.bytes += frameBytes;
    if (push.hasMore) this.#batch = batch;
    else void this.#append(batch, about);
  }

  /** A batch without one of its parts must not be stored: it would be acknowledged, and never come again. */
  #isBroken({ writer, sequence, hasMore }: Push): boolean {
    const broken = this.#broken;
    if (broken === undefined) return false;
    const isSame = broken.about.writer === writer && broken.about.request === sequence;
    if (isSame && hasMore) return true;
    this.#broken = undefined;
    // Said again with its last part: it may be one that the client has sent anew.
    if (isSame) this.#refuse(broken.code, broken.text, { ...broken.about, hasMore: false }, broken.retryAfterMs);
    return isSame;
  }

  #problemOf(
    { changes, writer }: Push,
    countBefore: number,
    bytes: number,
  ): { readonly code: RefusalCode; readonly text: string } | undefined {
    if (bytes > this.#parts.limits.batchBytesMax || countBefore + changes.length > BATCH_CHANGES_MAX) {
      return { code: 'too-large', text: `A batch has more than ${this.#parts.limits.batchBytesMax} bytes.` };
    }
    if (!this.ownWriters.has(writer) && this.ownWriters.size >= OWN_WRITERS_MAX) {
      return { code: 'sequence-gap', text: `One connection may push for ${OWN_WRITERS_MAX} writers.` };
    }
    for (const change of changes) {
      try {
        checkUpdate(change.update);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        return { code: 'invalid-update', text: `${nameOf(change)}: ${error.message}` };
      }
      if (this.#hub!.isOversized(change)) {
        return { code: 'row-too-large', text: `${nameOf(change)} has grown too large.` };
      }
    }
    return undefined;
  }

  async #append({ writer, sequence, changes, bytes }: Parts, about: About): Promise<void> {
    this.ownWriters.add(writer);
    this.#socket.hold(bytes);
    try {
      const batch = { writer, writerSequence: sequence, body: encodeChanges(changes) };
      const appended = await this.#hub!.append(batch);
      this.#ack({ writer, sequence, logSequence: appended.sequence });
    } catch (error) {
      if (error instanceof StoreError && error.code === 'log/sequence-gap') {
        this.#refuse('sequence-gap', error.message, about);
      } else this.#unavailable(error, about);
    } finally {
      this.#socket.hold(-bytes);
    }
  }

  /** One frame for all that one flush has made durable. */
  #ack(ack: Ack): void {
    this.#acks.push(ack);
    if (this.#acks.length > 1) return;
    setImmediate(() => {
      const acks = this.#acks;
      this.#acks = [];
      this.send(encodeMessage({ type: 'ack', acks }));
    });
  }

  #ask(request: Request): void {
    if (this.#requests.length >= REQUESTS_WAITING_MAX) {
      const about = { about: FRAME[request.type], request: request.request };
      this.#refuse('rate-limited', `${REQUESTS_WAITING_MAX} requests are waiting.`, about, 1);
      return;
    }
    this.#requests.push(request);
    if (!this.#isAnswering) void this.#answerAll();
  }

  /** One page at a time: what a client asks for at once is read one after the other. */
  async #answerAll(): Promise<void> {
    this.#isAnswering = true;
    for (let request = this.#requests[0]; request !== undefined; request = this.#requests[0]) {
      const about = { about: FRAME[request.type], request: request.request };
      try {
        if (request.type === 'pull') await this.#pull(request, about);
        else if (request.type === 'rows') await this.#rows(request);
        else await this.#compare(request);
      } catch (error) {
        if (error instanceof StoreError && error.code === 'log/trimmed') {
          this.#refuse('cursor-too-old', error.message, about);
        } else this.#unavailable(error, about);
      }
      this.#requests.shift();
    }
    this.#isAnswering = false;
  }

  async #pull({ request, after, bytesMax, follow }: Pull, about: About): Promise<void> {
    const hub = this.#hub!;
    if (after > hub.log.head) {
      this.#refuse('cursor-ahead', `The log ends with batch ${hub.log.head}.`, about);
      return;
    }
    const batches = await hub.log.read(after, bytesMax);
    if (this.#state !== 'open') return;
    const { head } = hub.log;
    const isComplete = (batches.at(-1)?.sequence ?? after) === head;
    this.send(deliverFrame({ request, isComplete, head }, batches));
    // In the same turn as the look at the head: the next batch that is stored is the first that is followed.
    if (isComplete && follow) hub.follow(this);
  }

  async #rows({ request, after, bytesMax }: Rows): Promise<void> {
    const { log } = this.#hub!;
    const { rows, isComplete, through } = await this.#hub!.rows(after, bytesMax);
    const page = { type: 'row-page', request, isComplete, through, rowCount: log.rowCount, rows } as const;
    if (this.#state === 'open') this.send(encodeMessage(page));
  }

  async #compare(request: Digest | States): Promise<void> {
    const { log } = this.#hub!;
    const { platform } = this.#parts;
    const answer = await (request.type === 'digest' ? digestsOf(log, request, platform) : statesOf(log, request));
    if (this.#state === 'open') this.send(encodeMessage(answer));
  }

  #unavailable(error: unknown, about: About): void {
    if (!(error instanceof StoreError)) throw error;
    const code = error.code === 'log/too-many-stores' ? 'unknown-store' : 'unavailable';
    this.#refuse(code, error.message, about);
  }

  #refuse(code: RefusalCode, text: string, whole: About, retryAfterMs = 0): void {
    if (!this.#socket.isOpen) return;
    const { about, request, writer = '', hasMore } = whole;
    if (about === FRAME.push) {
      // A batch that could not be stored is refused later, while parts of the next one come.
      if (this.#batch?.writer === writer && this.#batch.sequence === request) this.#batch = undefined;
      if (hasMore === true) this.#broken = { about: whole, code, text, retryAfterMs };
    }
    this.#parts.metrics.add('refusals_total', 1);
    this.#parts.observe({ event: 'refused', connection: this.#parts.id, code, reason: text });
    this.send(encodeMessage({ type: 'refuse', code, about, request, writer, retryAfterMs, text }));
    const close = CLOSE_AFTER[code];
    if (close !== undefined) this.#socket.close(close, code);
  }
}

/** What a frame is about that is refused before it is decoded, or that cannot be. */
function aboutOf(frame: Uint8Array, type: number): About {
  if (type !== FRAME.push && type !== FRAME.pull && type !== FRAME.rows) return { about: type, request: 0 };
  try {
    const message = decodeClientMessage(frame);
    if (message.type === 'push') return aboutPush(message);
    if (message.type === 'pull' || message.type === 'rows') return { about: type, request: message.request };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  return { about: type, request: 0 };
}

const aboutPush = ({ sequence, writer, hasMore }: Push): About => ({
  about: FRAME.push,
  request: sequence,
  writer,
  hasMore,
});

const nameOf = ({ collection, key }: RowChange): string => `${collection}/${String(key).slice(0, 60)}`;
