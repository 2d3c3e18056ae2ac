/**
 * What travels on the port between a page and its engine. Tuples, because they clone faster than objects and most
 * calls are small. One message carries all calls of a microtask, and the rows of all of them in one codec batch.
 *
 * Ordering: calls take effect in the order in which they were made. Every call gets exactly one OK or ERROR, after any
 * ROWS or PROGRESS of it; a cancelled subscription or stream gets nothing more. Live queries have one window for
 * all of a page (LIVE_WINDOW): what is not sent yet is made when the page can take it, so it is always the newest.
 */
import type { Key, Row } from '../base/row.ts';
import type { StoreErrorWire } from '../base/store-error.ts';
import type { PipelineSpec, Selector } from './definition.ts';
import type { Durability, DurabilityGiven, KeyName, WriteRequest } from './engine-api.ts';
import type { RawFind } from './find-spec.ts';
import type { LiveKind, Script } from './live.ts';

/**
 * Results of at most so many rows travel by structured clone, which needs no code that the browser has to compile first. Of rows of
 * eight fields, 20 take it three quarters of the time of the codec, 100 as long, and 300 twice as long.
 */
export const CLONED_ROWS_MAX: number = 64;
/** Copying fewer bytes than this is faster than handing them over, which costs about 10 us. */
export const TRANSFER_BYTES_MIN: number = 4_096;
/** Chunks that may be under way to a page before it has asked for more. */
export const STREAM_WINDOW: number = 2;
/** Rows in one chunk to the page: about a millisecond of decoding. */
export const CHUNK_ROWS_MAX: number = 1_000;
/** Bytes that the sender of a stream aims at in one chunk. */
export const CHUNK_BYTES_TARGET: number = 256 * 1024;

/** Writes whose rows come with the message, or in `rows` calls after it. */
export type RowsWriteType = 'create' | 'put';
/** Writes that are small enough to be cloned. */
export type PlainWrite = Exclude<WriteRequest, { readonly type: RowsWriteType | 'replace' }>;
export type PlainUpdate = Extract<WriteRequest, { readonly type: 'update' | 'updateMany' }>;

/** `id` is written by the link when the call is sent. */
export type Call =
  | ['get', id: number, collection: string, key: Key]
  | ['getMany', id: number, collection: string, keys: readonly Key[]]
  /** An array in a selector's place is the pipeline of an aggregation; of `find` it has the limit only. */
  | ['find', id: number, collection: string, selector: Selector | PipelineSpec, find: RawFind]
  | ['count', id: number, collection: string, selector: Selector | PipelineSpec, find: RawFind]
  | ['page', id: number, collection: string, selector: Selector, find: RawFind]
  | ['distinct', id: number, collection: string, path: string, selector: Selector]
  | ['explain', id: number, collection: string, selector: Selector | PipelineSpec, find: RawFind]
  /** Takes the next `count` rows of the message. */
  | ['write', id: number, collection: string, type: RowsWriteType, count: number, ...WriteFlags]
  /** The same, with its rows in `rows` calls that follow; done, all or nothing, with the last. */
  | ['batch', id: number, collection: string, type: RowsWriteType, ...WriteFlags]
  | ['rows', id: number, count: number, isLast: boolean]
  /**
   * Offers the functions of a migration. Batches come as ROWS, of versions [from, to] in place of `absent`; each is
   * answered with its rows, migrated, in `rows` under the same id, or with `unmigrated`.
   */
  | ['migrate', id: number, collection: string]
  /** What was thrown at row `row` of the batch, in the step to `version`. Ends the migration. */
  | ['unmigrated', id: number, row: number, version: number, reason: string]
  /**
   * `isChecked`: of an update, for a schema that only the page has. What the rows would become travels to the page as ROWS,
   * with the place of the first in `absent`, and comes back in `rows`, checked, to be stored.
   */
  | ['plain', id: number, collection: string, request: PlainWrite, ...WriteFlags, isChecked: boolean]
  /**
   * Events as ROWS. Of MIGRATIONS_OF_STORE, TABS_OF_STORE and PENDING_NEWS (sync-worker.ts): what is told of the store as
   * a whole, as one row, at once and whenever it changes.
   */
  | ['subscribe', id: number, collection: string, selector: Selector | undefined]
  | ['live', id: number, collection: string, selector: Selector | PipelineSpec, find: RawFind, kind: LiveKind]
  | ['createIndex', id: number, collection: string, index: unknown]
  | ['dropIndex', id: number, collection: string, name: string]
  | ['indexes', id: number, collection: string]
  | ['verify', id: number, repair: boolean]
  | ['compact', id: number]
  | ['health', id: number]
  /** Answered when all that is committed by now is acknowledged by a relay as durable. */
  | ['flush', id: number]
  /**
   * Asks after a write that another leader may have done (`of`): answered as that write, when it was done, else with an
   * error that says that it was not.
   */
  | ['recall', id: number, of: 'update' | 'commit']
  | TransactionCall
  /** A call inside of a transaction: one that reads or writes rows. Made by the link when the call is sent. */
  | ['in', id: number, transaction: number, call: Call]
  /** The page has taken a chunk of stream or subscription `id`, or a LIVE message (LIVE_WINDOW), and wants one more. */
  | ['pull', id: number]
  | ['cancel', id: number];

/**
 * `transaction` is the id of the call that began it. Calls inside may follow that at once: they wait for what they need.
 * `rollback` is answered with a RetryAdvice, `commit` with the durability given.
 */
export type TransactionCall =
  | ['begin', id: number, options: { readonly locks?: readonly KeyName[] | undefined }]
  | ['savepoint', id: number, transaction: number]
  | ['rollbackTo', id: number, transaction: number, savepoint: number]
  | ['lock', id: number, transaction: number, collection: string, key: Key]
  | ['commit', id: number, transaction: number]
  | ['rollback', id: number, transaction: number];

export type WriteFlags = [durability: Durability | undefined, isCancellable: boolean];

export type ClientMessage = readonly [calls: readonly Call[], rows: Uint8Array | undefined];

/** Kinds of replies. Page and worker come from one build, so these may change. */
export const OK = 0;
export const ERROR = 1;
export const ROWS = 2;
export const PROGRESS = 3;
export const LIVE = 4;
/** The call has to wait first. `reason` is for the error that tells of its deadline: `: it waited for ...`. */
export const WAITS = 5;

/** What can be subscribed to of the store as a whole: its migrations, and the tabs that have it. No collection has such a name. */
export const MIGRATIONS_OF_STORE = '';
export const TABS_OF_STORE = '$tabs';

/** Stands for all live queries of a page where an id is asked for: no call has it. An ERROR of it is the whole store's. */
export const LIVE_WINDOW = 0;

export type Reply =
  /** `value` of a stream: all of its rows, when they are few and none has been sent. */
  | readonly [id: number, kind: typeof OK, value: unknown, durability?: DurabilityGiven]
  | readonly [id: number, kind: typeof ERROR, error: StoreErrorWire]
  /**
   * Rows of a stream, or change events, which travel as rows: `row` and `before` are not there where they are undefined.
   * `absent` lists places in the chunk (of `getMany`) where there is no row.
   */
  | readonly [id: number, kind: typeof ROWS, rows: RowBatch, isLast: boolean, absent: readonly number[]]
  | readonly [id: number, kind: typeof PROGRESS, done: number, total: number]
  | readonly [id: number, kind: typeof WAITS, reason: string]
  /** `rows` holds each row once, for all updates of the message. */
  | readonly [id: typeof LIVE_WINDOW, kind: typeof LIVE, rows: RowBatch, updates: readonly LiveReply[]];

/**
 * What is new of one live query: its count; or rows, as places in the message's rows, which the page keeps until those
 * come with which the step is complete and its script is told. Without any, the page forgets those it has kept.
 */
export type LiveReply =
  | readonly [id: number, count: number]
  | readonly [id: number, rows: readonly number[], script?: Script];

export type ServerMessage = readonly Reply[];

/** As they are when they are few, else as codec bytes. */
export type RowBatch = readonly Row[] | Uint8Array;
