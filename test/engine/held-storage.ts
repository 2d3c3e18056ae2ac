/** A storage whose appends and page reads can be held back, and then let through or failed: the order is the test's. */
import { StoreError, type StoreErrorCode } from '../../src/base/store-error.ts';
import type { Storage } from '../../worker/storage/index.ts';
import { interceptStorage, type StorageOperation } from '../fakes/intercepted-storage.ts';

export interface HeldStorage extends Storage {
  /** From now on these wait. */
  hold(...operations: readonly StorageOperation[]): void;
  /** How many wait. */
  readonly waiting: number;
  /** Lets all that wait do their work, and holds no longer. */
  release(): Promise<void>;
  /** Fails the oldest that waits, without effect; the others go on waiting. */
  failOldest(code: StoreErrorCode): Promise<void>;
  /** Lets the oldest that waits do its work. */
  releaseOldest(): Promise<void>;
  /** Lets the one at a position do its work, when there is one. */
  releaseAt(position: number): Promise<void>;
}

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function createHeldStorage(inner: Storage): HeldStorage {
  const held = new Set<StorageOperation>();
  const waiting: { readonly go: () => void; readonly fail: (error: StoreError) => void }[] = [];
  const storage = interceptStorage(inner, <T>(operation: StorageOperation, run: () => Promise<T>): Promise<T> => {
    if (!held.has(operation)) return run();
    return new Promise<void>((go, fail) => waiting.push({ go, fail })).then(run);
  });
  const controls = {
    hold: (...operations: readonly StorageOperation[]) => {
      for (const operation of operations) held.add(operation);
    },
    release: async () => {
      held.clear();
      for (const { go } of waiting.splice(0)) go();
      await turn();
    },
    failOldest: async (code: StoreErrorCode) => {
      waiting.shift()?.fail(new StoreError(code, 'Injected failure.'));
      await turn();
    },
    releaseOldest: () => controls.releaseAt(0),
    releaseAt: async (position: number) => {
      waiting.splice(position, 1)[0]?.go();
      await turn();
    },
  };
  return Object.defineProperties(Object.assign(storage, controls), {
    waiting: { get: () => waiting.length },
  }) as HeldStorage;
}
