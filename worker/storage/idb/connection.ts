/**
 * One open native database: begins transactions, ends them, and turns their failures into StoreErrors. Work passed in is
 * synchronous, so nothing foreign can be awaited inside a transaction (B4); a write resolves with the transaction's
 * `complete` and with nothing earlier (B1).
 */
import type { AppendDurability } from '../log-store.ts';
import { abortToError, closedError, thrownToError } from './idb-errors.ts';
import type { ObjectStoreName } from './idb-schema.ts';

const DURABILITY: Readonly<Record<AppendDurability, IDBTransactionOptions>> = {
  relaxed: { durability: 'relaxed' },
  strict: { durability: 'strict' },
};

export type WriteOptions = {
  readonly stores: readonly ObjectStoreName[];
  readonly durability: AppendDurability;
  /** Queues its requests, at once or in their callbacks, and asks for the commit with the last. */
  readonly work: (scope: WriteScope) => void;
};

export interface WriteScope {
  store(name: ObjectStoreName): IDBObjectStore;
  /** Runs `use` with the result of a request, inside the transaction. What it throws aborts and rejects. */
  after<T>(request: IDBRequest<T>, use: (result: T) => void): void;
  /**
   * Commits without waiting for answers, which spares a round trip. Only for a transaction of one request, or when all
   * have succeeded: Firefox ends a commit that was asked for early when its last request fails, but completes it, with
   * the rest stored, when an earlier one fails.
   */
  commitNow(): void;
  /** Commits as soon as `last`, and so every request before it, has succeeded. */
  commitAfter(last: IDBRequest): void;
}

export type ReadOptions<T> = {
  readonly stores: readonly ObjectStoreName[];
  /** Queues its requests and calls `resolve`; what it or a callback of `after` throws rejects. */
  readonly work: (scope: ReadScope, resolve: (value: T) => void) => void;
};

export type ReadScope = Pick<WriteScope, 'store' | 'after'>;

export class Connection {
  readonly #database: IDBDatabase;
  #closedReason: string | undefined;
  #running = 0;
  #onIdle: (() => void) | undefined;

  constructor(database: IDBDatabase) {
    this.#database = database;
    // Without this, the deletion or upgrade that another tab asked for would wait for ever (F11).
    database.onversionchange = () => {
      this.#closedReason ??= 'another tab deletes or upgrades it';
      database.close();
    };
    database.onclose = () => {
      this.#closedReason ??= 'the browser ended the connection';
    };
  }

  write({ stores, durability, work }: WriteOptions): Promise<void> {
    return new Promise((resolve, reject) => {
      const transaction = this.#begin(stores, 'readwrite', DURABILITY[durability]);
      const failure = this.#watch(transaction, 'write', reject);
      transaction.oncomplete = () => {
        this.#end();
        resolve();
      };
      failure.guard(() =>
        work({
          store: (name) => transaction.objectStore(name),
          after: (request, use) => {
            request.onsuccess = () => failure.guard(() => use(request.result));
          },
          commitNow: () => transaction.commit?.(),
          commitAfter: (last) => {
            last.onsuccess = () => transaction.commit?.();
          },
        }),
      );
    });
  }

  /** A read resolves with its last request: it has nothing to commit, and the wait for `complete` costs a round trip. */
  read<T>({ stores, work }: ReadOptions<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const transaction = this.#begin(stores, 'readonly');
      const failure = this.#watch(transaction, 'read', reject);
      transaction.oncomplete = () => this.#end();
      failure.guard(() =>
        work(
          {
            store: (name) => transaction.objectStore(name),
            after: (request, use) => {
              request.onsuccess = () => failure.guard(() => use(request.result));
            },
          },
          resolve,
        ),
      );
    });
  }

  /** Refuses new work, waits for what is under way, then lets the database go. */
  async close(reason: string): Promise<void> {
    this.#closedReason ??= reason;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        const before = this.#onIdle;
        this.#onIdle = () => {
          before?.();
          resolve();
        };
      });
    }
    this.#database.close();
  }

  #begin(
    stores: readonly ObjectStoreName[],
    mode: IDBTransactionMode,
    options?: IDBTransactionOptions,
  ): IDBTransaction {
    if (this.#closedReason !== undefined) throw closedError(this.#closedReason);
    try {
      const transaction = this.#database.transaction(stores as ObjectStoreName[], mode, options);
      this.#running++;
      return transaction;
    } catch (error) {
      // The browser may close a connection without an event (F4). The handle is of no use any more.
      if (!(error instanceof Error) || error.name !== 'InvalidStateError') throw thrownToError(error);
      this.#closedReason = 'the browser ended the connection';
      throw closedError(this.#closedReason);
    }
  }

  #watch(transaction: IDBTransaction, kind: 'read' | 'write', reject: (error: unknown) => void): FailureWatch {
    let thrown: unknown;
    let failedRequest: IDBRequest | undefined;
    transaction.onerror = (event) => {
      failedRequest ??= event.target as IDBRequest;
    };
    transaction.onabort = () => {
      this.#end();
      if (thrown !== undefined) return reject(thrown);
      reject(
        abortToError({
          write: kind === 'write',
          requestError: failedRequest?.error ?? null,
          source: (failedRequest?.source as IDBObjectStore | null | undefined)?.name,
          transactionError: transaction.error,
          isConnected: this.#isConnected(),
        }),
      );
    };
    return {
      guard: (run) => {
        try {
          run();
        } catch (error) {
          thrown ??= isDomException(error) ? thrownToError(error) : error;
          try {
            transaction.abort();
          } catch {
            // It has ended already, and `abort` will not fire a second time.
            reject(thrown);
          }
        }
      },
    };
  }

  /** A forced close announces itself after the transactions it aborts: only asking tells. */
  #isConnected(): boolean {
    try {
      this.#database.transaction('meta', 'readonly');
      return true;
    } catch {
      this.#closedReason ??= 'the browser ended the connection';
      return false;
    }
  }

  #end(): void {
    this.#running--;
    if (this.#running === 0) this.#onIdle?.();
  }
}

type FailureWatch = {
  /** Runs a step of the transaction. What it throws aborts the transaction and is what the caller gets. */
  readonly guard: (run: () => void) => void;
};

function isDomException(error: unknown): boolean {
  return typeof DOMException !== 'undefined' && error instanceof DOMException;
}
