/** A store's home in IndexedDB: one native database with four generic object stores. */
import { StoreError } from '../../../src/base/store-error.ts';
import type { Storage, StorageUsage } from '../storage.ts';
import { browserIndexedDb } from './browser-indexeddb.ts';
import { Connection } from './connection.ts';
import { IdbBlobStore } from './idb-blob-store.ts';
import { IdbLogStore } from './idb-log-store.ts';
import { IdbMetaStore } from './idb-meta-store.ts';
import { IdbPageStore } from './idb-page-store.ts';
import { type ObjectStoreName, SUPERBLOCK_KEY } from './idb-schema.ts';
import { deleteDatabase, openDatabase, type StartTimer } from './open-database.ts';

/** How long an open or a deletion may take before it counts as failed. */
export const OPEN_TIMEOUT_MS: number = 10_000;
/** Records read at a time for `usage`. */
const USAGE_RECORDS_MAX = 256;

export type IdbStorageOptions = {
  /** The store's name; the native database is called `collection-store/<name>`. */
  readonly name: string;
  /** Default: the platform's, in which case `keyRange` is the platform's as well. */
  readonly indexedDB?: IDBFactory;
  /** The key ranges of the same implementation. */
  readonly keyRange?: typeof IDBKeyRange;
  readonly startTimer: StartTimer;
  /** Default OPEN_TIMEOUT_MS. */
  readonly openTimeoutMs?: number;
};

/**
 * Opens the database and creates it when absent. Rejects with `store/newer-version` or `store/damaged` (nothing is
 * destroyed), `storage/blocked`, `storage/open-timeout`, `storage/quota` or `storage/open-failed`. When another tab
 * deletes the database, this connection closes and later calls reject with `storage/closed`.
 */
export async function openIdbStorage(options: IdbStorageOptions): Promise<Storage> {
  const { name, startTimer, openTimeoutMs: timeoutMs = OPEN_TIMEOUT_MS } = options;
  const indexedDB = options.indexedDB ?? mustHaveIndexedDb(name);
  const keyRange = options.keyRange ?? IDBKeyRange;
  const openOptions = { name, indexedDB, startTimer, timeoutMs };
  const connection = new Connection(await openDatabase(openOptions));
  return {
    kind: 'indexeddb',
    log: new IdbLogStore(connection, keyRange),
    pages: new IdbPageStore(connection, keyRange),
    blobs: new IdbBlobStore(connection, keyRange),
    meta: new IdbMetaStore(connection, keyRange),
    usage: () => measureUsage(connection, keyRange),
    close: () => connection.close('it was closed'),
    destroy: async () => {
      await connection.close('it was destroyed');
      await deleteDatabase(openOptions);
    },
  };
}

function mustHaveIndexedDb(name: string): IDBFactory {
  const indexedDB = browserIndexedDb();
  if (indexedDB !== undefined) return indexedDB;
  throw new StoreError('storage/open-failed', 'There is no IndexedDB here.', {
    details: { store: name },
    hint: 'Allow storage for this site, use another browser, or choose memory.',
  });
}

async function measureUsage(connection: Connection, keyRange: typeof IDBKeyRange): Promise<StorageUsage> {
  const log = await sumRecords(connection, { store: 'log', range: undefined, keyRange });
  const pages = await sumRecords(connection, {
    store: 'pages',
    range: keyRange.lowerBound(SUPERBLOCK_KEY, true),
    keyRange,
  });
  const blobs = await sumRecords(connection, { store: 'blobs', range: undefined, keyRange });
  return {
    logRecords: log.records,
    logBytes: log.bytes,
    pages: pages.records,
    pageBytes: pages.bytes,
    blobBytes: blobs.bytes,
  };
}

type Sum = { readonly records: number; readonly bytes: number };
type SumOptions = {
  readonly store: ObjectStoreName;
  readonly range: IDBKeyRange | undefined;
  readonly keyRange: typeof IDBKeyRange;
};

async function sumRecords(connection: Connection, { store, range, keyRange }: SumOptions): Promise<Sum> {
  let records = 0;
  let bytes = 0;
  let next = range;
  for (;;) {
    const { keys, values } = await fetchBatch(connection, store, next);
    records += keys.length;
    for (const value of values) if (value instanceof ArrayBuffer) bytes += value.byteLength;
    if (keys.length < USAGE_RECORDS_MAX) return { records, bytes };
    next = keyRange.lowerBound(keys.at(-1), true);
  }
}

type Batch = { readonly keys: readonly IDBValidKey[]; readonly values: readonly unknown[] };

function fetchBatch(connection: Connection, store: ObjectStoreName, range: IDBKeyRange | undefined): Promise<Batch> {
  return connection.read<Batch>({
    stores: [store],
    work: (scope, resolve) => {
      const keys = scope.store(store).getAllKeys(range, USAGE_RECORDS_MAX);
      scope.after(scope.store(store).getAll(range, USAGE_RECORDS_MAX), (values) =>
        resolve({ keys: keys.result, values }),
      );
    },
  });
}
