/**
 * Serves an engine to one page over a port (src/protocol/messages.ts). Owns the page's cursors and subscriptions, and
 * ends them when it is stopped. Calls are handed to the engine in the order in which they came; answers that are ready
 * together leave as one message.
 *
 * Bounded: a stream or subscription has at most STREAM_WINDOW chunks under way; a subscription whose page has stopped
 * taking events fails once EVENTS_WAITING_MAX are waiting.
 */
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { errorToWire, StoreError } from '../../src/base/store-error.ts';
import { VERSION } from '../../src/base/version.ts';
import { toIndexSpec } from '../../src/protocol/collection-spec.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type {
  CallOrigin,
  Durability,
  EngineApi,
  LongOptions,
  MaybePromise,
  Progress,
  RowCursor,
  RowsAhead,
  WriteOutcome,
  WriteRequest,
} from '../../src/protocol/engine-api.ts';
import { toFindSpec, toPageSpec, toPipeline } from '../../src/protocol/find-spec.ts';
import type { LiveRequest } from '../../src/protocol/live.ts';
import {
  type Call,
  CHUNK_BYTES_TARGET,
  CHUNK_ROWS_MAX,
  CLONED_ROWS_MAX,
  type ClientMessage,
  ERROR,
  LIVE_WINDOW,
  MIGRATIONS_OF_STORE,
  OK,
  type PlainUpdate,
  PROGRESS,
  type Reply,
  ROWS,
  type ServerMessage,
  STREAM_WINDOW,
  TABS_OF_STORE,
  TRANSFER_BYTES_MIN,
  WAITS,
} from '../../src/protocol/messages.ts';
import { PENDING_NEWS } from '../../src/protocol/sync-worker.ts';
import type { TabInfo } from '../../src/protocol/tabs.ts';
import { callInterrupted, transactionInterrupted } from '../tabs/index.ts';
import { updateChecked } from './checked-update.ts';
import { LivePort } from './live-port.ts';
import { abortedParked, assertNamable, closedMeanwhile, notInside, PARKED_MAX, tooManyParked } from './port-errors.ts';
import { countOf, explain, isPipeline, open } from './port-reads.ts';
import { RowExchange } from './row-exchange.ts';
import { openSubscription } from './subscription.ts';
import { TransactionPort } from './transaction-port.ts';

/** Rows of the first chunk of a stream, which tells how large rows are. */
const FIRST_CHUNK_ROWS = 128;

/** What calls read and write: the engine, or a transaction of it. */
type Target = Pick<
  EngineApi,
  'get' | 'getMany' | 'find' | 'aggregate' | 'page' | 'count' | 'distinct' | 'explain' | 'write' | 'preview'
>;

/** Calls that a transaction takes. */
const INSIDE: ReadonlySet<string> = new Set([
  'get',
  'getMany',
  'find',
  'page',
  'count',
  'distinct',
  'explain',
  'write',
  'plain',
  'batch',
]);

/** What goes on for a call that is not answered at once. */
type Running = {
  /** Stops it; the engine then answers the call, or nobody is interested any more. */
  cancel(): void;
  /** The page wants one chunk more. */
  pull?(): void;
  /** Rows of a batch that is being received. */
  batch?: Batch;
  /** Rows of a batch that the page works on. */
  exchange?: RowExchange;
};
type Batch = {
  readonly target: Target;
  readonly call: Extract<Call, readonly ['batch', ...unknown[]]>;
  readonly parts: RowsAhead[];
  readonly encoded: Uint8Array[];
  readonly controller: AbortController | undefined;
};

type RowsWrite = Extract<WriteRequest, { readonly type: 'create' | 'put' }>;
type RowsToWrite = Pick<RowsWrite, 'rows' | 'encoded' | 'parts'>;

/** Starts to serve. Answers a function that ends it. */
export function servePort(engine: EngineApi, port: ServedPort, options: ServeOptions = {}): () => void {
  const server = new PortServer(engine, port, options);
  return () => server.stop();
}

/** What is used of a MessagePort; what leads to another tab is another one. */
export type ServedPort = {
  onmessage: ((event: MessageEvent<ClientMessage>) => void) | null;
  postMessage(message: ServerMessage, transfer?: Transferable[]): void;
  close(): void;
};

export type ServeOptions = {
  /** Names the client when its calls may come again: they are then done once. */
  readonly client?: string;
  /** It is the page beside the engine: what it was answered has reached it. */
  readonly isOwn?: true;
  /** It is the sync worker: it reaches hidden collections, and brings what other devices have done. */
  readonly isSync?: true;
  /** Messages that came before. */
  readonly backlog?: readonly ClientMessage[];
  /** Absent where a store is its tab's alone. */
  readonly watchTabs?: ((listener: (tabs: readonly TabInfo[]) => void) => () => void) | undefined;
};

export class PortServer {
  readonly #engine: EngineApi;
  readonly #port: ServedPort;
  readonly #client: string | undefined;
  readonly #isOwn: true | undefined;
  readonly #isSync: true | undefined;
  readonly #watchTabs: NonNullable<ServeOptions['watchTabs']>;
  readonly #running = new Map<number, Running>();
  readonly #live: LivePort;
  readonly #transactions: TransactionPort;
  #replies: Reply[] = [];
  /** Calls that wait for a migration. */
  #parked = 0;

  constructor(engine: EngineApi, port: ServedPort, { client, isOwn, isSync, backlog = [], watchTabs }: ServeOptions) {
    this.#engine = engine;
    this.#port = port;
    this.#client = client;
    this.#isOwn = isOwn;
    this.#isSync = isSync;
    this.#transactions = new TransactionPort(engine, isSync);
    this.#watchTabs = watchTabs ?? watchNoOther;
    this.#live = new LivePort(engine, (reply, bytes) => {
      if (bytes === undefined) this.#reply(reply);
      else this.#send([reply], bytes);
    });
    port.onmessage = ({ data }: MessageEvent<ClientMessage>) => this.#receive(data);
    for (const message of backlog) this.#receive(message);
  }

  /** See LivePort. */
  leaveLive(): ReadonlyMap<number, readonly Row[]> {
    return this.#live.leave();
  }

  stop(): void {
    this.#port.onmessage = null;
    for (const { cancel } of this.#running.values()) cancel();
    this.#running.clear();
    this.#transactions.stop();
    this.#flush();
    this.#port.close();
  }

  #receive([calls, bytes]: ClientMessage): void {
    // A part of a batch travels alone.
    const [first] = calls;
    const batch = first?.[0] === 'rows' ? this.#running.get(first[1])?.batch : undefined;
    if (batch !== undefined) return this.#start(first![1], () => this.#addRows(batch, bytes!, first![3] === true));
    let rows: readonly Row[] = [];
    try {
      if (bytes !== undefined) rows = decodeRows(bytes);
    } catch (error) {
      for (const [, id] of calls) this.#fail(id, error);
      return;
    }
    const engine = this.#engine;
    let at = 0;
    for (const sent of calls) {
      const call = sent[0] === 'in' ? sent[3] : sent;
      const count = call[0] === 'write' ? call[4] : call[0] === 'rows' ? call[2] : 0;
      // A batch that belongs to one call goes on to the log as it is.
      const isAlone = count > 0 && count === rows.length;
      const own = count === 0 ? [] : isAlone ? rows : rows.slice(at, at + count);
      at += count;
      const [type, id, collection] = call;
      const run = (): void => {
        if (!this.#isSync) assertNamable(call);
        const client = isOnce(call) ? this.#client : undefined;
        const answered = client === undefined ? undefined : engine.answered({ client, call: id });
        if (answered !== undefined) return this.#answerWrite(id, answered);
        const target = sent[0] === 'in' ? this.#inside(sent[2], type) : this.#engine;
        this.#run(target, call, own, isAlone ? bytes : undefined);
      };
      if (typeof collection !== 'string' || type === 'batch' || type === 'migrate') this.#start(id, run);
      else this.#start(id, () => this.#whenMigrated(id, collection, run));
    }
  }

  /** A call may name other collections too, in a join: when one of them has to be migrated, it begins anew after that. */
  #start(id: number, run: () => void): void {
    try {
      run();
    } catch (error) {
      const waitsFor =
        error instanceof StoreError && error.code === 'collection/migrating' && error.details['collection'];
      if (typeof waitsFor === 'string') this.#start(id, () => this.#whenMigrated(id, waitsFor, run));
      else this.#fail(id, error);
    }
  }

  /** Runs a call at once, or when the rows of its collection are of the version that the page defines. */
  #whenMigrated(id: number, collection: string, run: () => void): void {
    const migrated = this.#engine.whenMigrated(collection);
    if (migrated === undefined) return run();
    if (this.#parked >= PARKED_MAX) return this.#fail(id, tooManyParked(collection));
    this.#parked += 1;
    this.#reply([id, WAITS, `: it waited for the migration of ${collection}`]);
    const running: Running = { cancel: () => this.#fail(id, abortedParked(collection)) };
    this.#running.set(id, running);
    const end = (then: () => void): void => {
      this.#parked -= 1;
      if (this.#running.get(id) !== running) return;
      this.#running.delete(id);
      this.#start(id, then);
    };
    migrated.then(
      () => end(run),
      (error) => end(() => this.#fail(id, error)),
    );
  }

  #inside(transaction: number, call: string): Target {
    if (!INSIDE.has(call)) throw notInside(call);
    return this.#transactions.must(transaction);
  }

  #run(target: Target, call: Call, rows: readonly Row[], bytes: Uint8Array | undefined): void {
    const engine = this.#engine;
    const id = call[1];
    switch (call[0]) {
      case 'get':
        return this.#answer(id, target.get(call[2], call[3]));
      case 'getMany':
        return this.#stream(id, target.getMany(call[2], call[3]));
      case 'find':
        return this.#streamCursor(id, open(target, call[2], call[3], call[4]));
      case 'page':
        return this.#answer(id, target.page(call[2], toPageSpec(call[2], call[3], call[4])));
      case 'count':
        return this.#answer(id, countOf(target, call[2], call[3], call[4]));
      case 'distinct':
        return this.#stream(id, target.distinct(call[2], call[3], call[4]), (value) => ({ value }));
      case 'explain':
        return this.#answer(id, explain(target, call[2], call[3], call[4]));
      case 'write':
        return this.#writeRows(
          target,
          call,
          call[5],
          bytes === undefined ? { rows } : { rows, encoded: [bytes] },
          call[6] ? this.#cancellable(id) : undefined,
        );
      case 'plain':
        assertDurability(call[4]);
        if (call[6]) return this.#updateChecked(target, id, call[3] as PlainUpdate, call[4]);
        return this.#answerWrite(
          id,
          target.write(call[3], {
            durability: call[4],
            signal: call[5] ? this.#cancellable(id).signal : undefined,
            origin: this.#originOf(id),
            isRemote: this.#isSync,
          }),
        );
      case 'batch':
        return this.#openBatch(target, call);
      case 'rows':
        // Nobody takes them when the page has given up on its call, or has not heard yet that it was cancelled.
        return this.#running.get(id)?.exchange?.take(rows);
      case 'migrate':
        return this.#migrate(id, call[2]);
      case 'unmigrated':
        return this.#running.get(id)?.exchange?.fail(call[2], call[3], call[4]);
      case 'subscribe':
        if (call[2] === MIGRATIONS_OF_STORE) return this.#watch(id, (tell) => engine.watchMigrations(tell));
        if (call[2] === PENDING_NEWS) return this.#watch(id, (tell) => engine.watchPending(tell));
        if (call[2] === TABS_OF_STORE) return this.#watch(id, this.#watchTabs);
        return this.#subscribe(id, call[2], call[3]);
      case 'live': {
        const [, , collection, query, options, kind] = call;
        const request: LiveRequest = isPipeline(query)
          ? { collection, kind, pipeline: toPipeline(collection, query, options) }
          : { collection, kind, find: toFindSpec(collection, query, options) };
        const close = this.#live.open(id, request, (error) => this.#fail(id, error));
        this.#running.set(id, { cancel: () => this.#running.delete(id) && close() });
        return;
      }
      case 'createIndex':
        return this.#answer(id, engine.createIndex(call[2], toIndexSpec(call[2], call[3]), this.#longOptions(id)));
      case 'dropIndex':
        return this.#answer(id, engine.dropIndex(call[2], call[3]));
      case 'indexes':
        return this.#answer(id, engine.indexes(call[2]));
      case 'verify':
        return this.#answer(id, engine.verify({ ...this.#longOptions(id), repair: call[2] }));
      case 'compact':
        return this.#answer(id, engine.compact(this.#longOptions(id)));
      case 'flush':
        return this.#answer(id, engine.whenSaved(this.#cancellable(id).signal));
      case 'health':
        return this.#answer(id, engine.health());
      case 'commit':
        return this.#answerWrite(id, this.#transactions.run(call, this.#originOf(id)) as MaybePromise<WriteOutcome>);
      case 'begin':
      case 'savepoint':
      case 'rollbackTo':
      case 'lock':
      case 'rollback':
        return this.#answer(id, this.#transactions.run(call, undefined));
      case 'in':
        throw notInside('in');
      case 'recall':
        return this.#fail(id, call[2] === 'commit' ? transactionInterrupted() : callInterrupted());
      case 'pull':
        return id === LIVE_WINDOW ? this.#live.pull() : this.#running.get(id)?.pull?.();
      case 'cancel':
        return this.#running.get(id)?.cancel();
    }
  }

  #writeRows(
    target: Target,
    [, id, collection, type]: Extract<Call, readonly ['write' | 'batch', ...unknown[]]>,
    durability: Durability | undefined,
    write: RowsToWrite,
    controller: AbortController | undefined,
  ): void {
    assertDurability(durability);
    const options = { durability, signal: controller?.signal, origin: this.#originOf(id), isRemote: this.#isSync };
    // Not copied: rows are made when the engine asks for them.
    const request: RowsWrite = Object.assign(write, { type, collection });
    return this.#answerWrite(id, target.write(request, options));
  }

  #openBatch(target: Target, call: Batch['call']): void {
    const id = call[1];
    const controller = call[5] ? this.#cancellable(id) : undefined;
    const cancel = (): void => {
      // Nothing of it has reached the engine.
      this.#fail(id, new StoreError('call/aborted', 'The write was aborted.', { details: { collection: call[2] } }));
    };
    this.#running.set(id, { cancel, batch: { target, call, parts: [], encoded: [], controller } });
  }

  #addRows({ target, call, parts, encoded, controller }: Batch, bytes: Uint8Array, isLast: boolean): void {
    const [, id, collection] = call;
    encoded.push(bytes);
    // A transaction has indexes of its own.
    if (target === this.#engine) parts.push(this.#engine.study(collection, bytes));
    else parts.push(partOf(decodeRows(bytes)));
    if (!isLast) return;
    this.#running.delete(id);
    this.#whenMigrated(id, collection, () => {
      if (controller !== undefined) this.#running.set(id, { cancel: () => controller.abort() });
      const write: RowsToWrite = {
        encoded,
        parts,
        get rows() {
          return parts.flatMap(({ rows }) => rows);
        },
      };
      this.#writeRows(target, call, call[4], write, controller);
    });
  }

  /** What is told of the store as a whole travels as one row. */
  #watch(id: number, watch: (tell: (news: object) => void) => () => void): void {
    const stop = watch((news) => this.#reply([id, ROWS, [news as Row], false, []]));
    this.#running.set(id, { cancel: () => this.#running.delete(id) && stop() });
  }

  #migrate(id: number, collection: string): void {
    const exchange = this.#exchange(id);
    const cancel = (): void => exchange.cancel(closedMeanwhile(collection));
    this.#running.set(id, { cancel, exchange });
    this.#answer(
      id,
      this.#engine.migrate(collection, (rows, from, to) => exchange.ask(rows, from, to)),
    );
  }

  #updateChecked(target: Target, id: number, request: PlainUpdate, durability: Durability | undefined): void {
    const exchange = this.#exchange(id);
    const controller = new AbortController();
    const cancel = (): void => {
      controller.abort();
      exchange.cancel(new StoreError('call/aborted', 'The update was aborted.', { details: request }));
    };
    this.#running.set(id, { cancel, exchange });
    const onProgress = ({ done, total }: Progress): void => this.#reply([id, PROGRESS, done, total]);
    const { signal } = controller;
    const answers = request.type === 'update' ? 'row' : 'count';
    const origin = this.#originOf(id, answers);
    updateChecked(target, exchange, request, { durability, signal, origin, onProgress }).then(
      (outcome) =>
        outcome === undefined
          ? this.#answer(id, request.type === 'update' ? undefined : 0)
          : this.#committed(id, outcome),
      (error) => this.#fail(id, error),
    );
  }

  #originOf(call: number, answers?: 'row' | 'count'): CallOrigin | undefined {
    const client = this.#client;
    return client === undefined ? undefined : { client, call, answers, isOwn: this.#isOwn };
  }

  #exchange(id: number): RowExchange {
    return new RowExchange((bytes, facts) => this.#send([[id, ROWS, bytes, false, facts]], bytes));
  }

  #subscribe(id: number, collection: string, selector: Selector | undefined): void {
    const { stop, pull } = openSubscription(this.#engine, collection, selector, {
      send: (events) => {
        const reply: Reply = [id, ROWS, events, false, []];
        if (events instanceof Uint8Array) this.#send([reply], events);
        else this.#reply(reply);
      },
      fail: (error) => {
        this.#running.delete(id);
        this.#fail(id, error);
      },
    });
    this.#running.set(id, { cancel: () => this.#running.delete(id) && stop(), pull });
  }

  /** Streams an array that is there at once. */
  #stream<T>(id: number, values: MaybePromise<readonly T[]>, toRow?: (value: T) => Row): void {
    const start = (all: readonly T[]): void => {
      let at = 0;
      this.#streamCursor(id, {
        next(limit) {
          const chunk = all.slice(at, at + limit);
          at += chunk.length;
          const rows = toRow === undefined ? chunk : chunk.map(toRow);
          return { rows: rows as readonly Row[], done: at >= all.length };
        },
        close() {},
      });
    };
    if (values instanceof Promise) values.then(start).catch((error) => this.#fail(id, error));
    else start(values);
  }

  #streamCursor(id: number, cursor: RowCursor): void {
    let credit = STREAM_WINDOW;
    let limit = FIRST_CHUNK_ROWS;
    let isBusy = false;
    let isFirst = true;
    const running: Running = {
      cancel: () => {
        this.#running.delete(id);
        // A cursor is not closed under a `next` that is under way.
        if (!isBusy) cursor.close();
      },
      pull: () => {
        credit++;
        pump();
      },
    };
    this.#running.set(id, running);
    const take = ({ rows, done }: { readonly rows: readonly Row[]; readonly done: boolean }): void => {
      isBusy = false;
      if (this.#running.get(id) !== running) {
        if (!done) cursor.close();
        return;
      }
      if (done) this.#running.delete(id);
      if (isFirst && done && rows.length <= CLONED_ROWS_MAX) return this.#reply([id, OK, rows]);
      isFirst = false;
      credit--;
      const bytes = this.#sendRows(id, rows, done);
      limit = Math.ceil(Math.min(CHUNK_ROWS_MAX, limit * 8, (rows.length / bytes) * CHUNK_BYTES_TARGET)) || limit;
    };
    const fail = (error: unknown): void => {
      isBusy = false;
      cursor.close();
      this.#fail(id, error);
    };
    const pump = (): void => {
      try {
        while (credit > 0 && !isBusy && this.#running.get(id) === running) {
          isBusy = true;
          const chunk = cursor.next(limit);
          if (chunk instanceof Promise) {
            chunk.then(take).then(pump).catch(fail);
            return;
          }
          take(chunk);
        }
      } catch (error) {
        fail(error);
      }
    };
    pump();
  }

  #sendRows(id: number, rows: readonly (Row | undefined)[], isLast: boolean): number {
    const absent: number[] = [];
    const present: Row[] = [];
    rows.forEach((row, place) => {
      if (row === undefined) absent.push(place);
      else present.push(row);
    });
    const bytes = encodeRows(present);
    const { length } = bytes;
    this.#send([[id, ROWS, bytes, isLast, absent]], bytes);
    return length;
  }

  #longOptions(id: number): LongOptions {
    return {
      signal: this.#cancellable(id).signal,
      onProgress: ({ done, total }) => this.#reply([id, PROGRESS, done, total]),
    };
  }

  #cancellable(id: number): AbortController {
    const controller = new AbortController();
    this.#running.set(id, { cancel: () => controller.abort() });
    return controller;
  }

  #answerWrite(id: number, outcome: MaybePromise<WriteOutcome>): void {
    if (outcome instanceof Promise) {
      outcome.then(
        (done) => this.#committed(id, done),
        (error) => this.#fail(id, error),
      );
    } else this.#committed(id, outcome);
  }

  #committed(id: number, { value, durability }: WriteOutcome): void {
    this.#running.delete(id);
    // `false`: nothing was there to delete, or a replace met a conflict. So nothing was committed either.
    this.#reply(value === false || durability === undefined ? [id, OK, value] : [id, OK, value, durability]);
  }

  #answer(id: number, value: MaybePromise<unknown>): void {
    if (value instanceof Promise) {
      value.then(
        (ready) => this.#answer(id, ready),
        (error) => this.#fail(id, error),
      );
    } else {
      this.#running.delete(id);
      this.#reply([id, OK, value]);
    }
  }

  #fail(id: number, error: unknown): void {
    this.#running.delete(id);
    this.#reply([id, ERROR, errorToWire(error)]);
  }

  #reply(reply: Reply): void {
    if (this.#replies.push(reply) === 1) queueMicrotask(() => this.#flush());
  }

  /** Sends what has to travel alone, after all that came before it. */
  #send(replies: readonly Reply[], bytes: Uint8Array): void {
    this.#flush();
    if (bytes.length < TRANSFER_BYTES_MIN) this.#port.postMessage(replies);
    else this.#port.postMessage(replies, [bytes.buffer as ArrayBuffer]);
  }

  #flush(): void {
    const replies = this.#replies;
    if (replies.length === 0) return;
    this.#replies = [];
    try {
      this.#port.postMessage(replies);
    } catch (error) {
      // Details of an error that do not clone: a bug, but it must not leave its neighbours without an answer.
      if (replies.length > 1) for (const reply of replies) this.#postAlone(reply);
      else this.#port.postMessage([[replies[0]![0], ERROR, errorToWire(String(error))]]);
    }
  }

  #postAlone(reply: Reply): void {
    this.#replies = [reply];
    this.#flush();
  }
}

/** Calls that must not be done twice. */
const isOnce = ([type]: Call): boolean =>
  type === 'write' || type === 'batch' || type === 'plain' || type === 'commit' || type === 'recall';

function assertDurability(durability: Durability | undefined): void {
  if (durability === undefined || ['strict', 'relaxed', 'deferred'].includes(durability)) return;
  throw new StoreError('call/invalid-option', `There is no durability ${JSON.stringify(durability)}.`, {
    details: { option: 'durability', value: durability },
    hint: "It is 'strict', 'relaxed' or 'deferred'.",
  });
}

const partOf = (rows: readonly Row[]): RowsAhead => ({ rows, count: rows.length });

function watchNoOther(listener: (tabs: readonly TabInfo[]) => void): () => void {
  listener([{ id: '', isLeader: true, isOwn: true, version: VERSION }]);
  return () => undefined;
}
