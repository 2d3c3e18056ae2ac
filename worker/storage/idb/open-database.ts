/** Opens and deletes the native database of a store, each with a deadline. It never destroys what it does not know. */
import { unwrap, wrap } from 'idb';
import { StoreError } from '../../../src/base/store-error.ts';
import { openToError } from './idb-errors.ts';
import { DATABASE_VERSION, databaseName, OBJECT_STORES } from './idb-schema.ts';

/** Runs `callback` once after `ms`; the function answered takes that back. */
export type StartTimer = (callback: () => void, ms: number) => () => void;

export type OpenDatabaseOptions = {
  readonly name: string;
  readonly indexedDB: IDBFactory;
  readonly startTimer: StartTimer;
  readonly timeoutMs: number;
};

/**
 * The database, created when absent. Rejects with `store/newer-version`, `store/damaged`, `storage/blocked`,
 * `storage/open-timeout`, `storage/quota` or `storage/open-failed`.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<IDBDatabase> {
  const name = databaseName(options.name);
  const request = requestOf(name, () => options.indexedDB.open(name, DATABASE_VERSION));
  let upgradeError: unknown;
  request.onupgradeneeded = ({ oldVersion }) => {
    try {
      // Only a database that did not exist may be filled: version 1 is the only one there will ever be.
      if (oldVersion === 0) for (const store of OBJECT_STORES) request.result.createObjectStore(store);
    } catch (error) {
      upgradeError = error;
      request.transaction?.abort();
    }
  };
  const database = await settled(request, name, options).catch((error: unknown) => {
    throw openToError(upgradeError ?? error, name);
  });
  assertObjectStores(database, name);
  return database;
}

/** Deletes the database. Other connections of ours close when they hear of it; `storage/blocked` when one does not. */
export async function deleteDatabase(options: OpenDatabaseOptions): Promise<void> {
  const name = databaseName(options.name);
  const request = requestOf(name, () => options.indexedDB.deleteDatabase(name));
  await settled(request, name, options).catch((error: unknown) => {
    throw openToError(error, name);
  });
}

function requestOf(name: string, open: () => IDBOpenDBRequest): IDBOpenDBRequest {
  try {
    return open();
  } catch (error) {
    throw openToError(error, name);
  }
}

/** Waits for a request that may hang: some browsers never answer the first open of a page (F8). */
function settled(request: IDBOpenDBRequest, name: string, options: OpenDatabaseOptions): Promise<IDBDatabase> {
  const { startTimer, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    let isBlocked = false;
    let isLate = false;
    request.onblocked = () => {
      isBlocked = true;
    };
    const stopTimer = startTimer(() => {
      isLate = true;
      reject(isBlocked ? blockedError(name, timeoutMs) : timeoutError(name, timeoutMs));
    }, timeoutMs);
    wrap(request).then(
      (wrapped) => {
        const database = (wrapped ? unwrap(wrapped) : undefined) as IDBDatabase;
        stopTimer();
        // Nobody has this handle any more, and it would block every later deletion.
        if (isLate) database?.close();
        resolve(database);
      },
      (error: unknown) => {
        stopTimer();
        reject(error);
      },
    );
  });
}

function assertObjectStores(database: IDBDatabase, name: string): void {
  const missing = OBJECT_STORES.filter((store) => !database.objectStoreNames.contains(store));
  if (missing.length === 0) return;
  database.close();
  throw new StoreError('store/damaged', `${name} lacks ${missing.join(', ')}.`, {
    details: { database: name, missing },
    hint: 'Nothing was changed. Another program may use this name; choose another, or destroy the store.',
  });
}

function blockedError(database: string, timeoutMs: number): StoreError {
  return new StoreError('storage/blocked', `Another tab holds ${database} and does not let go.`, {
    details: { database, timeoutMs },
    hint: 'Close the other tabs of this site and try again.',
  });
}

function timeoutError(database: string, timeoutMs: number): StoreError {
  return new StoreError('storage/open-timeout', `The browser did not answer for ${database} within ${timeoutMs} ms.`, {
    details: { database, timeoutMs },
    hint: 'Try again; if it persists, restart the browser.',
  });
}
