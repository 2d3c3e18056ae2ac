/**
 * What the engine does for one client, whichever way the calls arrive. The worker's port serves it to a page; tests
 * call it directly. Errors are StoreErrors. Rows that come out are shared with the engine and must not be changed.
 */
import type { Key, Row } from '../base/row.ts';
import type { StoreError, StoreErrorWire } from '../base/store-error.ts';
import type { CollectionSpec, FindSpec, IndexSpec, PipelineSpec, Selector } from './definition.ts';
import type { LiveListener, LiveRequest, LiveSubscription } from './live.ts';
import type { PendingNews } from './sync-worker.ts';

/** Many answers are there at once; awaiting them would cost each call a turn of the queue. */
export type MaybePromise<T> = T | Promise<T>;

/** What an application may ask for. `deferred` is answered from memory and stored within 50 ms. */
export type Durability = 'strict' | 'relaxed' | 'deferred';
/** What was given. `none`: the store lives in memory only. `deferred`: not stored yet when answered. */
export type DurabilityGiven = Durability | 'none';

export type WriteRequest =
  /** Inserts all rows or none. `collection/duplicate-key` names up to 20 wrong rows. */
  | {
      readonly type: 'create';
      readonly collection: string;
      readonly rows: readonly Row[];
      readonly encoded?: EncodedRows;
      /** The same rows, in parts that the engine was shown before. */
      readonly parts?: readonly RowsAhead[];
    }
  /** Inserts or replaces all rows or none. */
  | {
      readonly type: 'put';
      readonly collection: string;
      readonly rows: readonly Row[];
      readonly encoded?: EncodedRows;
      readonly parts?: readonly RowsAhead[];
    }
  | { readonly type: 'update'; readonly collection: string; readonly key: Key; readonly changes: Changes }
  | { readonly type: 'updateMany'; readonly collection: string; readonly selector: Selector; readonly changes: Changes }
  | { readonly type: 'delete'; readonly collection: string; readonly key: Key }
  | { readonly type: 'deleteMany'; readonly collection: string; readonly selector: Selector }
  /**
   * Replaces rows, all or none, provided that each stored row still equals its `before`. Answers `conflict` otherwise.
   * It is how a page validates an update with a schema that only the page has.
   */
  | { readonly type: 'replace'; readonly collection: string; readonly rows: readonly { before: Row; after: Row }[] };

/** The same rows in the same order as batches of the row codec: the log then need not encode them again. */
export type EncodedRows = readonly Uint8Array[];

/** Rows of a write that comes later. What else the engine knows of them is its own affair. */
export type RowsAhead = {
  readonly count: number;
  /** They may be decoded when they are asked for. */
  readonly rows: readonly Row[];
};

/** Fields to replace (`undefined` removes), or update operators on dotted paths. */
export type Changes = { readonly [fieldOrOperator: string]: unknown };

export type WriteOutcome = {
  /** Undefined inside of a transaction: its commit tells. */
  readonly durability: DurabilityGiven | undefined;
  /**
   * create, put: nothing. update: the new row, or undefined when absent. updateMany, deleteMany: how many.
   * delete: whether it was there. replace: whether it was done (false means conflict).
   */
  readonly value: unknown;
};

export type WriteOptions = {
  readonly durability: Durability | undefined;
  readonly signal: AbortSignal | undefined;
  /** Of a call that may come again, under another leader: it is then answered and not repeated. */
  readonly origin?: CallOrigin | undefined;
  /** It brings what another device has done: it is told as such, and not marked as a change to be sent. */
  readonly isRemote?: boolean | undefined;
};

/** One call of one client, whichever way it comes. */
export type CallOrigin = {
  readonly client: string;
  readonly call: number;
  /** Of a `replace` that does an update: the update answers its row, or how many rows it changed. */
  readonly answers?: 'row' | 'count' | undefined;
  /** Of the page beside this engine: as long as the engine lives, it does not come again. */
  readonly isOwn?: true | undefined;
};

/** Rows of a query at one snapshot. Must be closed, unless `next` has answered `done`. */
export interface RowCursor {
  /** At most `limit` rows more. */
  next(limit: number): MaybePromise<{ readonly rows: readonly Row[]; readonly done: boolean }>;
  close(): void;
}

export type Progress = { readonly done: number; readonly total: number };
export type LongOptions = {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
};

export type ChangeEvent = {
  readonly type: 'create' | 'update' | 'delete';
  readonly key: Key;
  /** The new row; for `delete` undefined. */
  readonly row: Row | undefined;
  /** The row before; for `create` undefined. */
  readonly before: Row | undefined;
  readonly origin: 'local' | 'remote';
};

export type IndexInfo = IndexSpec & { readonly state: 'ready' | 'building'; readonly entries: number };

/** A way to answer that was considered. Costs are estimates, in units of one row read in the order of keys. */
export type Candidate = { readonly plan: string; readonly cost: number };

export type Explanation = {
  /** `key`: rows of some keys. `scan`: all rows. The others read indexes. */
  readonly access: 'key' | 'index' | 'scan' | 'union' | 'intersection';
  /** The first of `indexes`. */
  readonly index: string | undefined;
  readonly indexes: readonly string[];
  /** What is done, in words. */
  readonly plan: string;
  /** Whether the order came from the index or the keys (no sort in memory). */
  readonly sortedByIndex: boolean;
  readonly estimatedCost: number;
  /** All ways that were considered, the cheapest first. */
  readonly candidates: readonly Candidate[];
  /** Which index would help. */
  readonly hint: string | undefined;
  readonly entriesRead: number;
  readonly rowsRead: number;
  readonly rowsGiven: number;
  /** Pages that had to be loaded from storage. */
  readonly pagesRead: number;
  readonly timeMs: number;
  /** What a live query of it does after a change: patch its answer, or run again. */
  readonly live: 'patched' | 'rerun';
  /** Of an aggregation: the stages that the plan above does not do itself. */
  readonly stages?: readonly { readonly stage: string; readonly rowsRead: number; readonly rowsGiven: number }[];
};

/** Rows of a keyset page, and the cursor of the next one; undefined after the last. */
export type Page<T = Row> = { readonly rows: readonly T[]; readonly next: string | undefined };

export type VerifyReport = {
  readonly pagesChecked: number;
  readonly damaged: readonly {
    readonly page: number;
    readonly collection: string;
    readonly index: string | undefined;
  }[];
  readonly collections: readonly {
    readonly collection: string;
    readonly rows: number;
    readonly indexes: readonly {
      readonly index: string;
      readonly entries: number;
      readonly missing: number;
      readonly surplus: number;
      readonly repaired: boolean;
    }[];
  }[];
  readonly sound: boolean;
};

export type RecoveryReport = {
  readonly framesKept: number;
  readonly commitsKept: number;
  readonly framesDropped: number;
  readonly bytesDropped: number;
  /**
   * Why replay ended early, or undefined when it reached the end of the log. `tail-missing`: the file with the newest
   * records was gone, so writes since the last checkpoint may be lost.
   */
  readonly reason: string | undefined;
};

export type Health = {
  readonly storage: 'indexeddb' | 'memory';
  readonly durability: DurabilityGiven;
  readonly persisted: boolean | undefined;
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
  /** Where small relaxed writes go now: a file of the origin, once there is one, or transactions of IndexedDB. */
  readonly log: 'opfs' | 'indexeddb' | 'memory';
  readonly logRecordsSinceCheckpoint: number;
  readonly logBytesSinceCheckpoint: number;
  readonly cacheBytes: number;
  readonly dirtyBytes: number;
  readonly openSnapshots: number;
  readonly openTransactions: number;
  readonly recovery: RecoveryReport;
  readonly collections: readonly { readonly collection: string; readonly rows: number }[];
  /** Of collections that had rows of an older version when the store was opened. */
  readonly migrations: readonly Migration[];
};

/** Documents of a collection on their way from the version they had when the store was opened. */
export type Migration = Progress & {
  readonly collection: string;
  readonly from: number;
  readonly to: number;
  /** `waiting`: for the first call on the collection. `failed`: calls are refused until the store is opened again. */
  readonly state: 'waiting' | 'running' | 'done' | 'failed';
  /** What calls are refused with. */
  readonly error?: StoreErrorWire;
};

/** Brings rows from one version to another with the functions that only the page has. A rejection ends the migration. */
export type MigrateRows = (rows: readonly Row[], from: number, to: number) => Promise<MigratedBatch>;

/** As many rows, in their order; or what was thrown at one of them, in the step to `version`. */
export type MigratedBatch =
  | { readonly rows: readonly Row[] }
  | { readonly rows?: never; readonly row: number; readonly version: number; readonly reason: string };

/** A key of a collection. */
export type KeyName = readonly [collection: string, key: Key];

export type BeginOptions = {
  /** Default: false. Writes and locks are refused, nothing is noted, and the commit never fails. */
  readonly readOnly: boolean;
  /** Default: the store's. */
  readonly durability: Durability | undefined;
  /** After so long it is rolled back, unless its commit is being stored. */
  readonly timeoutMs: number;
  /** Held from the beginning, before anything is read: an attempt after a lost race asks for what it will need. */
  readonly locks: readonly KeyName[];
  /** As in WriteOptions, for all that it writes. */
  readonly isRemote?: boolean | undefined;
  /** Of one that is: this device has done it all the same, and it is told so. It has been made ready to be sent. */
  readonly isOwn?: boolean | undefined;
};

/** What to do after an attempt that was rolled back: undefined when another one would not help. */
export type RetryAdvice = { readonly locks: readonly KeyName[] } | undefined;

/**
 * One attempt. Calls take effect in the order in which they are made; reads see the snapshot and the transaction's own
 * writes. Errors `transaction/conflict`, `/deadlock` and `/timeout` end it: later calls fail with the same error.
 */
export interface EngineTransaction
  extends Pick<
    EngineApi,
    'get' | 'getMany' | 'find' | 'aggregate' | 'page' | 'count' | 'distinct' | 'explain' | 'write' | 'preview'
  > {
  /** Among the transactions of the engine: what errors name. */
  readonly id: number;
  /** Resolves once no other transaction holds the key. What has been read so far must still be true by then. */
  lock(collection: string, key: Key): MaybePromise<void>;
  /** Answers the savepoint's number. */
  savepoint(): MaybePromise<number>;
  /** What was written since is gone; locks, and what was read, stay. */
  rollbackTo(savepoint: number): MaybePromise<void>;
  /** Whole or not at all. Without writes it only ends. */
  commit(origin?: CallOrigin): MaybePromise<WriteOutcome>;
  /** Safe to repeat, and after the end. */
  rollback(): RetryAdvice;
}

export type EngineState = 'opening' | 'open' | 'closing' | 'closed' | 'poisoned';

export interface EngineApi {
  get(collection: string, key: Key): MaybePromise<Row | undefined>;
  getMany(collection: string, keys: readonly Key[]): MaybePromise<readonly (Row | undefined)[]>;
  find(collection: string, find: FindSpec): RowCursor;
  /** Rows of a pipeline. Throws `query/...` with the path to the stage or operator that is wrong. */
  aggregate(collection: string, pipeline: PipelineSpec): RowCursor & { explain(): Explanation };
  /** A page of at most `limit` rows, which must be given. */
  page(collection: string, find: FindSpec): MaybePromise<Page>;
  count(collection: string, selector: Selector): MaybePromise<number>;
  /** Distinct values at a path in the store's total order; array elements count one by one. */
  distinct(collection: string, path: string, selector: Selector): MaybePromise<readonly unknown[]>;
  explain(collection: string, find: FindSpec): MaybePromise<Explanation>;
  write(request: WriteRequest, options: WriteOptions): MaybePromise<WriteOutcome>;
  /** Of this writer: greater than that of any it was taken over from. */
  readonly epoch: number;
  /** Stores what is not stored yet. */
  flush(): Promise<void>;
  /** Ends writers before this one that still live: whatever they append next is refused. Before anything is answered. */
  fence(): Promise<void>;
  /** Another has the store: nothing more is written, and calls are told. */
  supersede(cause: StoreError): void;
  /** What a call was answered that was done before: another tab's by this engine, and any by one before it. */
  answered(origin: CallOrigin): MaybePromise<WriteOutcome> | undefined;
  /** A client will not repeat its calls below a number. */
  forgetAnswered(client: string, below: number): void;
  /** Clients of which answers are kept. */
  readonly answeredClients: readonly string[];
  /**
   * Works ahead on rows of a write that is still arriving. Changes nothing, and refuses nothing but bytes that are no
   * rows: `codec/damaged`.
   */
  study(collection: string, encoded: Uint8Array): RowsAhead;
  /** The rows that an update would give, without writing: the first half of a validated update (see `replace`). */
  preview(
    request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
  ): MaybePromise<readonly { readonly before: Row; readonly after: Row }[]>;
  /** Begins a transaction. Whoever began it must end it: by its commit, or by rolling it back. */
  begin(options: BeginOptions): EngineTransaction;
  createIndex(collection: string, index: IndexSpec, options: LongOptions): Promise<void>;
  dropIndex(collection: string, name: string): Promise<void>;
  indexes(collection: string): readonly IndexInfo[];
  /** Changes after each commit, in commit order. Answers a function that ends it. */
  subscribe(collection: string, listener: (events: readonly ChangeEvent[]) => void): () => void;
  /** A query that is kept true. Throws for a wrong one; the listener is told later, never during the call. */
  live(request: LiveRequest, listener: LiveListener): LiveSubscription;
  /**
   * Undefined when the collection can be used. Otherwise its rows have to be migrated first: that begins now, as soon as
   * somebody has offered the functions, and the promise settles with it. Until then every other call on the collection
   * throws `collection/migrating`.
   */
  whenMigrated(collection: string): Promise<void> | undefined;
  /** Offers the functions of a migration, which begins with `whenMigrated`; settles as it does. */
  migrate(collection: string, run: MigrateRows): Promise<void>;
  /** Told of all migrations, at once and whenever one of them gets on. Answers a function that ends it. */
  watchMigrations(listener: (migrations: readonly Migration[]) => void): () => void;
  /** Told what is not saved at a relay, as soon as it is known and after each change. Answers a function that ends it. */
  watchPending(listener: (news: PendingNews) => void): () => void;
  /** Resolves when all that is committed by now is saved; `sync/refused` when the rest of it was refused. */
  whenSaved(signal: AbortSignal | undefined): Promise<void>;
  verify(options: LongOptions & { readonly repair: boolean }): Promise<VerifyReport>;
  compact(options: LongOptions): Promise<{ readonly pagesFreed: number; readonly bytesFreed: number }>;
  health(): Promise<Health>;
  /** Of `health()`, what is known without asking the browser. */
  readonly home: Pick<Health, 'storage' | 'durability'>;
  /** Writes everything out: after it, reopening replays nothing. */
  checkpoint(): Promise<void>;
  close(): Promise<void>;
  destroy(): Promise<void>;
}

export type EngineOptions = {
  readonly name: string;
  readonly collections: readonly CollectionSpec[];
  readonly durability: Durability;
  /** Homes in order of preference. */
  readonly storage: readonly ('indexeddb' | 'memory')[];
  readonly cacheBytesMax: number;
  /** Most rows that a query may read without an index, unless it says otherwise. Default: no bound. */
  readonly scanRowsMax?: number;
  /** For measurements only, and no part of the API: `manual` holds checkpoints back. */
  readonly unstable?: { readonly checkpoint?: 'manual' };
};
