/**
 * A storage that breaks on purpose, over any other. Requests and writes are counted from 1 in the order in which they are
 * made; `close`, `destroy` and `usage` are not counted and never fail.
 */
import { StoreError, type StoreErrorCode } from '../../src/base/store-error.ts';
import type { Storage } from '../../worker/storage/storage.ts';
import { interceptStorage, isWrite, type StorageOperation } from './intercepted-storage.ts';

export type StorageFaults = {
  /** Request number `request` fails without effect, and with `persistent` all that follow until `heal()`. */
  readonly fail?: {
    readonly request: number;
    readonly code: StoreErrorCode;
    readonly lasts: 'once' | 'persistent';
    /** Counts and fails only these. Default: all. */
    readonly only?: readonly StorageOperation[];
  };
  /**
   * A crash at write number `write`: nothing later is stored, and every later request, reads included, gets no answer or
   * a rejection. The write itself is lost, or stored without an answer: a crash between commit and acknowledgement.
   */
  readonly crash?: {
    readonly write: number;
    readonly fate: 'lost' | 'stored-unanswered';
    readonly afterwards: 'hang' | 'reject';
  };
};

export interface FaultyStorage extends Storage {
  /** Requests made so far, those that `fail.only` leaves out excepted. */
  readonly requests: number;
  /** Writes made so far. */
  readonly writes: number;
  readonly hasCrashed: boolean;
  /** Ends a persistent failure. A crash is for ever. */
  heal(): void;
}

export function createFaultyStorage(inner: Storage, faults: StorageFaults = {}): FaultyStorage {
  const { fail, crash } = faults;
  const uncounted: readonly StorageOperation[] = ['close', 'destroy', 'usage'];
  let requests = 0;
  let writes = 0;
  let hasCrashed = false;
  let isHealed = false;

  const afterCrash = <T>(operation: StorageOperation): Promise<T> =>
    crash?.afterwards === 'hang'
      ? new Promise<T>(() => {})
      : Promise.reject(new StoreError('storage/closed', `Crashed before ${operation}.`));

  const storage = interceptStorage(inner, (operation, run) => {
    if (uncounted.includes(operation)) return run();
    if (hasCrashed) return afterCrash(operation);
    const isCounted = fail?.only?.includes(operation) ?? true;
    if (isCounted) requests++;
    if (isWrite(operation)) writes++;
    if (crash !== undefined && isWrite(operation) && writes === crash.write) {
      hasCrashed = true;
      if (crash.fate === 'lost') return afterCrash(operation);
      return run().then(() => afterCrash(operation));
    }
    const isDue = fail !== undefined && isCounted && !isHealed;
    if (isDue && (requests === fail.request || (fail.lasts === 'persistent' && requests > fail.request))) {
      return Promise.reject(new StoreError(fail.code, `Injected failure of request ${requests}: ${operation}.`));
    }
    return run();
  });

  return Object.defineProperties(storage, {
    requests: { get: () => requests },
    writes: { get: () => writes },
    hasCrashed: { get: () => hasCrashed },
    heal: {
      value: () => {
        isHealed = true;
      },
    },
  }) as FaultyStorage;
}
