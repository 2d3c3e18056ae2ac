/**
 * An IDBFactory that breaks on purpose, over fake-indexeddb or a browser's own. It changes the very objects that the real
 * one hands out, so that everything not broken stays real. Faults may be set and removed at any time.
 */

export type IdbFaults = {
  /** The next opens fail, as an exception or as the request's error. */
  open?: { readonly error: DOMException; readonly how: 'throws' | 'event'; times: number } | undefined;
  /** Request `number` fails (1 is the next from when this is set), or all from there on. */
  request?:
    | {
        readonly number: number;
        readonly error: DOMException;
        readonly how: 'throws' | 'event';
        readonly lasts: 'once' | 'persistent';
      }
    | undefined;
  /** The next transactions of this mode fire `success` for every request and abort then, with this error. */
  commit?: { readonly mode: IDBTransactionMode; readonly error: DOMException | null; times: number } | undefined;
  /** `transaction()` throws this. */
  begin?: DOMException | undefined;
  /** As browsers that do not have it. */
  hidesGetAllRecords?: boolean;
};

export type BegunTransaction = {
  readonly stores: readonly string[];
  readonly mode: IDBTransactionMode;
  readonly durability: string | undefined;
};

export interface FaultyIdb {
  readonly factory: IDBFactory;
  /** Requests made since the last `setFaults`. */
  readonly requests: number;
  readonly transactions: readonly BegunTransaction[];
  /** Versions that were asked for. */
  readonly openedVersions: readonly (number | undefined)[];
  readonly versionChanges: number;
  /** Replaces the faults and restarts the count of requests. */
  setFaults(faults: IdbFaults): void;
}

const REQUEST_METHODS = [
  'add',
  'put',
  'get',
  'getAll',
  'getAllKeys',
  'getAllRecords',
  'delete',
  'count',
  'clear',
] as const;

type AnyMethod = (...args: unknown[]) => IDBRequest;

export function createFaultyIdb(inner: IDBFactory): FaultyIdb {
  let faults: IdbFaults = {};
  let requests = 0;
  let versionChanges = 0;
  const transactions: BegunTransaction[] = [];
  const openedVersions: (number | undefined)[] = [];

  const open = (name: string, version?: number): IDBOpenDBRequest => {
    openedVersions.push(version);
    if (faults.open !== undefined && faults.open.times > 0) {
      faults.open.times--;
      if (faults.open.how === 'throws') throw faults.open.error;
      return failedOpen(faults.open.error);
    }
    const request = version === undefined ? inner.open(name) : inner.open(name, version);
    // Added before the caller can add its own, so the database is changed before anybody has it.
    request.addEventListener('success', () => breakDatabase(request.result));
    return request;
  };

  function breakDatabase(database: IDBDatabase): void {
    const begin = database.transaction.bind(database);
    database.addEventListener('versionchange', () => versionChanges++);
    database.transaction = ((
      stores: string | string[],
      mode: IDBTransactionMode = 'readonly',
      options?: IDBTransactionOptions,
    ) => {
      if (faults.begin !== undefined) throw faults.begin;
      transactions.push({ stores: [stores].flat(), mode, durability: options?.durability });
      return breakTransaction(begin(stores, mode, options));
    }) as IDBDatabase['transaction'];
  }

  function breakTransaction(transaction: IDBTransaction): IDBTransaction {
    const { commit } = faults;
    const isDoomed = commit !== undefined && commit.mode === transaction.mode && commit.times > 0;
    if (isDoomed) commit.times--;
    const state: TransactionState = {
      transaction,
      isDoomed,
      commitError: commit?.error ?? null,
      pending: 0,
      hasFailed: false,
    };
    const realCommit = transaction.commit?.bind(transaction);
    transaction.commit = () => {
      if (!isDoomed && !state.hasFailed) realCommit?.();
    };
    const objectStore = transaction.objectStore.bind(transaction);
    const stores = new Map<string, IDBObjectStore>();
    transaction.objectStore = (name) => {
      const known = stores.get(name) ?? breakStore(objectStore(name), state);
      stores.set(name, known);
      return known;
    };
    return transaction;
  }

  function breakStore(store: IDBObjectStore, state: TransactionState): IDBObjectStore {
    const own = store as unknown as Record<string, AnyMethod | undefined>;
    const count = store.count.bind(store);
    for (const method of REQUEST_METHODS) {
      const real = own[method]?.bind(store);
      if (real === undefined) continue;
      own[method] = (...args) => {
        requests++;
        const { request: fault } = faults;
        const isDue =
          fault !== undefined &&
          (requests === fault.number || (fault.lasts === 'persistent' && requests > fault.number));
        if (isDue && fault.how === 'throws') throw fault.error;
        if (isDue) return failedRequest(store, { state, error: fault.error, placeholder: count() });
        const request = real(...args);
        if (state.isDoomed) watch(request, state, count);
        return request;
      };
    }
    if (faults.hidesGetAllRecords) own['getAllRecords'] = undefined;
    return store;
  }

  return {
    factory: {
      open,
      deleteDatabase: (name: string) => inner.deleteDatabase(name),
      cmp: (a: unknown, b: unknown) => inner.cmp(a, b),
      databases: () => inner.databases(),
    } as IDBFactory,
    get requests() {
      return requests;
    },
    transactions,
    openedVersions,
    get versionChanges() {
      return versionChanges;
    },
    setFaults(next) {
      faults = next;
      requests = 0;
    },
  };
}

type TransactionState = {
  readonly transaction: IDBTransaction;
  readonly isDoomed: boolean;
  readonly commitError: DOMException | null;
  pending: number;
  hasFailed: boolean;
};

/** Aborts a doomed transaction when everything it asked for, also in callbacks, has succeeded. */
function watch(request: IDBRequest, state: TransactionState, count: () => IDBRequest): void {
  state.pending++;
  request.addEventListener('success', () => {
    state.pending--;
    if (state.pending > 0) return;
    // One more request keeps the transaction open until the callbacks of this one have run.
    count().addEventListener('success', () => {
      if (state.pending === 0) abortWith(state, state.commitError);
    });
  });
}

/** A request that stands in the queue like a real one, and fails there. */
function failedRequest(
  store: IDBObjectStore,
  failure: { state: TransactionState; error: DOMException; placeholder: IDBRequest },
): IDBRequest {
  const { state, error, placeholder } = failure;
  state.hasFailed = true;
  const request = {
    source: store,
    transaction: state.transaction,
    error: null,
    result: undefined,
    readyState: 'pending',
  };
  const fake = request as unknown as { -readonly [K in keyof IDBRequest]: IDBRequest[K] };
  fake.onsuccess = null;
  fake.onerror = null;
  placeholder.addEventListener('success', () => {
    fake.error = error;
    fake.readyState = 'done';
    let isPrevented = false;
    const event = {
      type: 'error',
      target: fake,
      preventDefault: () => {
        isPrevented = true;
      },
    } as unknown as Event;
    fake.onerror?.call(fake as IDBRequest, event);
    state.transaction.onerror?.call(state.transaction, event);
    if (!isPrevented) abortWith(state, error);
  });
  return fake as IDBRequest;
}

function abortWith({ transaction }: TransactionState, error: DOMException | null): void {
  Object.defineProperty(transaction, 'error', { value: error, configurable: true });
  transaction.abort();
}

function failedOpen(error: DOMException): IDBOpenDBRequest {
  const listeners: (() => void)[] = [];
  const add = (type: string, listener: () => void): void => {
    if (type === 'error') listeners.push(listener);
  };
  // Callers look at the prototype to know a request.
  const request = Object.create(IDBOpenDBRequest.prototype, {
    error: { value: error },
    addEventListener: { value: add },
    removeEventListener: { value: () => {} },
    onupgradeneeded: { value: null, writable: true },
    onblocked: { value: null, writable: true },
  }) as IDBOpenDBRequest;
  queueMicrotask(() => {
    for (const listener of listeners) listener();
  });
  return request;
}
