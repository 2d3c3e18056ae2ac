/**
 * The page's end of the port: sends calls, settles promises. Knows nothing of collections or stores.
 *
 * Calls made in one microtask leave as one message, in their order. Every call settles: by its reply, its deadline,
 * its signal, or the end of the link (T6). One timer serves all deadlines. The table of pending calls is bounded by
 * what the application has in flight; each entry ends with its call.
 */
import { decodeRows, encodeRows } from '../base/codec/index.ts';
import type { Platform } from '../base/platform.ts';
import type { Row } from '../base/row.ts';
import { errorFromWire, StoreError } from '../base/store-error.ts';
import type { DurabilityGiven, Progress } from '../protocol/engine-api.ts';
import {
  type Call,
  type ClientMessage,
  ERROR,
  LIVE,
  LIVE_WINDOW,
  type LiveReply,
  OK,
  PROGRESS,
  type Reply,
  ROWS,
  type RowBatch,
  type ServerMessage,
  TRANSFER_BYTES_MIN,
  WAITS,
} from '../protocol/messages.ts';
import { attributed, type Owner } from './row-problem.ts';

export const CALL_TIMEOUT_MS: number = 30_000;
/** How long an aborted write may take to say whether it was stopped in time. */
const ABORT_GRACE_MS = 5_000;

/** What every call takes as its last argument. */
export type CallOptions = {
  /** Stops the call. A write that rejects with `call/aborted` has stored nothing. */
  readonly signal?: AbortSignal | undefined;
  /** Default: 30 s; 10 minutes for long operations. `Infinity` is none. From one chunk of a stream, or sign of progress, to the next. */
  readonly timeoutMs?: number | undefined;
};

export type RequestOptions = CallOptions & {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onCommitted?: ((commit: { readonly durability: DurabilityGiven }) => void) | undefined;
};

/** What goes with a call. */
export type Request = {
  readonly owner?: Owner | undefined;
  readonly options?: RequestOptions | undefined;
  /** When the options have none. Default: `CALL_TIMEOUT_MS`. */
  readonly timeoutMs?: number | undefined;
  /** Rows that leave with the call. */
  readonly rows?: readonly Row[] | undefined;
  /** What the promise gives when the reply says no more than OK. */
  readonly answer?: unknown;
};

/** A call under way. */
export type Pending = {
  readonly call: Call;
  readonly owner: Owner | undefined;
  readonly rows: readonly Row[] | undefined;
  readonly answer: unknown;
  readonly options: RequestOptions | undefined;
  readonly promise: Promise<unknown>;
  resolve: (value: unknown) => void;
  refuse: (error: unknown) => void;
  timeoutMs: number;
  deadline: number;
  state: 'queued' | 'sent' | 'settled';
  onAbort?: () => void;
  /** What the engine has told it waits for, in the words of an error. */
  waits: string;
  /** Takes the chunks of a stream, or of a subscription, whose rows are change events. */
  onRows?: (rows: readonly Row[], absent: readonly number[]) => void;
  /** Takes the steps of a live query, with the rows that they name by their places. */
  onLive?: (step: LiveReply, rows: readonly Row[]) => void;
};

export class Link {
  readonly platform: Platform;
  readonly #port: MessagePort;
  readonly #onError: (error: StoreError) => void;
  /** Calls that have not settled. */
  readonly inFlight: Map<number, Pending> = new Map();
  #queue: Pending[] = [];
  #lastId = 0;
  /** Why later calls are refused. */
  #end: StoreError | undefined;
  #isClosed = false;
  #sweepAt = Number.POSITIVE_INFINITY;
  #stopSweep: (() => void) | undefined;

  /** `onError` sees each error that the engine tells: some of them are about the whole store. */
  constructor(port: MessagePort, platform: Platform, onError: (error: StoreError) => void) {
    this.#port = port;
    this.platform = platform;
    this.#onError = onError;
    port.onmessage = ({ data }: MessageEvent<ServerMessage>) => {
      for (const reply of data) this.#receive(reply);
    };
  }

  /** Sends a call; resolves with its answer. */
  request(call: Call, request?: Request): Promise<unknown> {
    return this.open(call, request).promise;
  }

  /** The same, for calls of which more is to be said or heard before they end. */
  open(call: Call, { owner, options, timeoutMs = CALL_TIMEOUT_MS, rows, answer }: Request = {}): Pending {
    let resolve!: (value: unknown) => void;
    let refuse!: (error: unknown) => void;
    const promise = new Promise<unknown>((onResolve, onReject) => {
      resolve = onResolve;
      refuse = onReject;
    });
    const pending: Pending = {
      call,
      owner,
      rows,
      answer,
      options,
      promise,
      resolve,
      refuse,
      timeoutMs: options?.timeoutMs ?? timeoutMs,
      deadline: Number.POSITIVE_INFINITY,
      state: 'queued',
      waits: '',
    };
    const id = ++this.#lastId;
    call[1] = id;
    const signal = options?.signal;
    if (this.#end !== undefined || signal?.aborted === true) {
      pending.state = 'settled';
      refuse(this.#end ?? abortedError(pending));
      return pending;
    }
    if (signal !== undefined) {
      pending.onAbort = () => this.#abort(pending);
      signal.addEventListener('abort', pending.onAbort);
    }
    this.inFlight.set(id, pending);
    this.#setDeadline(pending, pending.timeoutMs);
    if (this.#queue.push(pending) === 1) queueMicrotask(this.#flush);
    return pending;
  }

  /** Sends a small addition to a call. Nothing is answered to it. */
  post(call: Call, rows?: Uint8Array): void {
    this.#flush();
    if (!this.#isClosed) this.#send([call], rows);
  }

  /** The next chunk of a stream or subscription may come. */
  pull(pending: Pending): void {
    if (pending.state !== 'sent') return;
    this.#setDeadline(pending, pending.timeoutMs);
    this.post(['pull', pending.call[1]]);
  }

  /** Ends a call from this side. */
  cancel(pending: Pending, error: unknown): void {
    const wasSent = pending.state === 'sent';
    if (!this.#settle(pending)) return;
    if (wasSent) this.post(['cancel', pending.call[1]]);
    pending.refuse(error);
  }

  /** Resolves when no call is pending, or `timeoutMs` later. Call `refuse` first: calls that come later are not waited for. */
  async drain(timeoutMs: number): Promise<void> {
    const waiting: Promise<unknown>[] = [];
    for (const pending of this.inFlight.values()) {
      const { call, onLive, onRows, deadline, promise } = pending;
      // It goes on after the next opening, and calls that wait for it are refused.
      if (call[0] === 'migrate') this.cancel(pending, this.#end);
      // Subscriptions, and streams that wait for the application, end with the link and not before it.
      if ((onLive ?? onRows) === undefined || deadline < Number.POSITIVE_INFINITY) waiting.push(promise);
    }
    await within(this.platform, Promise.allSettled(waiting), timeoutMs, () => undefined).catch(() => {});
  }

  /** Why the link has ended, when it has. */
  get lost(): StoreError | undefined {
    return this.#isClosed ? this.#end : undefined;
  }

  /** Later calls reject with `error`; those under way go on. */
  refuse(error: StoreError): void {
    this.#end ??= error;
  }

  /** Ends the link: pending and later calls reject with `error`. */
  close(error: StoreError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#end ??= error;
    this.#port.onmessage = null;
    this.#port.close();
    this.#stopSweep?.();
    this.#queue = [];
    for (const pending of [...this.inFlight.values()]) {
      this.#settle(pending);
      pending.refuse(error);
    }
  }

  readonly #flush = (): void => {
    const queue = this.#queue;
    if (!queue.length) return;
    this.#queue = [];
    this.#sendAll(queue.filter(({ state }) => state === 'queued'));
  };

  #sendAll(queue: readonly Pending[]): void {
    const calls: Call[] = [];
    const rows: Row[] = [];
    for (const pending of queue) {
      pending.state = 'sent';
      const { call, owner } = pending;
      calls.push(owner?.tx ? ['in', call[1], owner.tx, call] : call);
      for (const row of pending.rows ?? []) rows.push(row);
    }
    try {
      if (calls.length > 0) this.#send(calls, rows.length > 0 ? encodeRows(rows) : undefined);
    } catch (error) {
      // One call has something that cannot travel. Alone it is found; the others must not suffer for it.
      if (queue[1]) for (const pending of queue) this.#sendAll([pending]);
      else this.#refuse(queue[0]!, error);
    }
  }

  #send(calls: readonly Call[], rows: Uint8Array | undefined): void {
    const message: ClientMessage = [calls, rows];
    if (rows === undefined || rows.length < TRANSFER_BYTES_MIN) this.#port.postMessage(message);
    else this.#port.postMessage(message, [rows.buffer as ArrayBuffer]);
  }

  #refuse(pending: Pending, error: unknown): void {
    if (!this.#settle(pending)) return;
    const { owner, rows, call, answer } = pending;
    const name = nameOf(call);
    pending.refuse(
      error instanceof StoreError
        ? attributed(error, owner, rows, answer)
        : new StoreError('call/not-cloneable', `An argument of ${name} is not plain data.`, {
            details: { collection: owner?.name, call: name },
            cause: error,
          }),
    );
  }

  #receive(reply: Reply): void {
    if (reply[1] === LIVE) {
      const rows = toRows(reply[2]);
      for (const step of reply[3]) this.inFlight.get(step[0])?.onLive?.(step, rows);
      return this.post(['pull', LIVE_WINDOW]);
    }
    const pending = this.inFlight.get(reply[0]);
    if (!pending) return reply[1] === ERROR ? this.#onError(errorFromWire(reply[2])) : undefined;
    try {
      this.#take(pending, reply);
    } catch (error) {
      // Bytes that are no rows: a bug, which must not leave its call, or its neighbours, without an answer.
      this.cancel(pending, error);
      pending.refuse(error);
    }
  }

  #take(pending: Pending, reply: Reply): void {
    switch (reply[1]) {
      case OK:
        this.#settle(pending);
        if (reply[3] !== undefined) callBack(pending.options?.onCommitted, { durability: reply[3] });
        if (Array.isArray(reply[2])) pending.onRows?.(reply[2], []);
        pending.resolve(pending.answer ?? reply[2]);
        break;
      case ERROR: {
        this.#settle(pending);
        const { owner } = pending;
        const wire = reply[2];
        const details = owner === undefined ? wire.details : { collection: owner.name, ...wire.details };
        const error = errorFromWire({ ...wire, details });
        pending.refuse(error);
        this.#onError(error);
        break;
      }
      case ROWS:
        if (reply[3]) this.#settle(pending);
        pending.onRows?.(toRows(reply[2]), reply[4]);
        if (reply[3]) pending.resolve(pending.answer);
        break;
      case PROGRESS:
        this.#setDeadline(pending, pending.timeoutMs);
        callBack(pending.options?.onProgress, { done: reply[2], total: reply[3] });
        break;
      case WAITS:
        pending.waits = reply[2];
    }
  }

  /** Takes a call out of the books. Answers false when that has been done. */
  #settle(pending: Pending): boolean {
    if (pending.state === 'settled') return false;
    pending.state = 'settled';
    this.inFlight.delete(pending.call[1]);
    if (pending.onAbort !== undefined) pending.options?.signal?.removeEventListener('abort', pending.onAbort);
    return true;
  }

  #abort(pending: Pending): void {
    if (pending.state === 'sent' && isWrite(pending.call)) {
      // Only the engine knows whether it came too late, so its answer is the call's answer.
      this.post(['cancel', pending.call[1]]);
      this.#setDeadline(pending, Math.min(pending.timeoutMs, ABORT_GRACE_MS));
    } else this.cancel(pending, abortedError(pending));
  }

  #setDeadline(pending: Pending, timeoutMs: number): void {
    if (!(timeoutMs < Number.POSITIVE_INFINITY)) return;
    pending.deadline = this.platform.now() + timeoutMs;
    if (pending.deadline < this.#sweepAt) this.#planSweep(pending.deadline);
  }

  #planSweep(at: number): void {
    this.#stopSweep?.();
    this.#sweepAt = at;
    this.#stopSweep = this.platform.setTimer(() => this.#sweep(), Math.max(0, at - this.platform.now()));
  }

  #sweep(): void {
    this.#sweepAt = Number.POSITIVE_INFINITY;
    const now = this.platform.now();
    let next = Number.POSITIVE_INFINITY;
    for (const pending of [...this.inFlight.values()]) {
      if (pending.deadline <= now) this.cancel(pending, timeoutError(pending));
      else next = Math.min(next, pending.deadline);
    }
    if (next < Number.POSITIVE_INFINITY) this.#planSweep(next);
  }
}

const toRows = (batch: RowBatch): readonly Row[] => (batch instanceof Uint8Array ? decodeRows(batch) : batch);

/** Rejects with what `late` says when the promise takes longer. */
export async function within<T>(
  platform: Platform,
  promise: Promise<T>,
  timeoutMs: number,
  late: () => unknown,
): Promise<T> {
  let stop: (() => void) | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    stop = platform.setTimer(() => reject(late()), timeoutMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    stop?.();
  }
}

/** Calls into the application. What it throws is its own affair: it is reported, and the link goes on. */
export function callBack<A>(run: ((argument: A) => void) | undefined, argument: A): void {
  try {
    run?.(argument);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Whether the call changes what is stored. */
const isWrite = (call: Call): boolean => /^(write|batch|plain|rows|createI|dropI)/.test(call[0]);

/** The call's name in the API, as near as the message tells. */
const nameOf = (call: Call): string =>
  call[0] === 'write' || call[0] === 'batch' ? call[3] : call[0] === 'plain' ? call[3].type : call[0];

function timeoutError({ call, owner, timeoutMs, waits }: Pending): StoreError {
  const name = nameOf(call);
  return new StoreError('call/timeout', `${name} was not answered within ${timeoutMs} ms${waits}.`, {
    details: { collection: owner?.name, call: name, timeoutMs },
    ...(isWrite(call) ? { hint: 'Whether it was stored is unknown: read before you repeat it.' } : {}),
  });
}

export function abortedError({ call, owner, options, waits }: Pending): StoreError {
  const name = nameOf(call);
  return new StoreError('call/aborted', `${name} was aborted${waits}.`, {
    details: { collection: owner?.name, call: name },
    cause: options?.signal?.reason,
  });
}
