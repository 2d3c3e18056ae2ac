/**
 * One engine for each store of an origin, by a Web Lock held in the worker (T1). The browser frees the lock when the
 * worker ends, however it ends.
 */
import { StoreError } from '../../src/base/store-error.ts';

/** How long to wait for another tab's worker to end, as it does while a page reloads. */
export const LOCK_TIMEOUT_MS = 10_000;

export type StoreLockOptions = {
  /** undefined where Web Locks are missing: then nothing guards but the fence of the log. */
  readonly locks: LockManager | undefined;
  readonly name: string;
  readonly timeoutMs: number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
};

/** Resolves with the function that frees the lock. Rejects with `store/in-use` when it is not granted in time. */
export function holdStoreLock({ locks, name, timeoutMs, setTimer }: StoreLockOptions): Promise<() => void> {
  if (locks === undefined) return Promise.resolve(() => undefined);
  return new Promise((resolve, reject) => {
    const waiting = new AbortController();
    const cancelTimer = setTimer(() => waiting.abort(), timeoutMs);
    locks
      .request(storeLockName(name), { signal: waiting.signal }, () => {
        cancelTimer();
        return new Promise<void>((release) => resolve(release));
      })
      .catch((cause) => {
        cancelTimer();
        const hint = 'Close the other tab that has this store open.';
        reject(
          new StoreError('store/in-use', `Another tab has the store ${JSON.stringify(name)} open.`, {
            details: { name },
            hint,
            cause,
          }),
        );
      });
  });
}

/** `onLost`: another tab has stolen the lock, which it does when this one seems to be frozen. */
export type HeldLock = {
  readonly locks: LockManager;
  readonly name: string;
  readonly onLost?: (() => void) | undefined;
};

/** The lock, when nobody has it now. */
export function tryLock({ locks, name, onLost }: HeldLock): Promise<(() => void) | undefined> {
  return hold({ locks, name, onLost }, { ifAvailable: true });
}

/** Waits for a lock as long as it takes (T1); undefined when `signal` ends that. */
export function awaitLock({ locks, name, onLost }: HeldLock, signal: AbortSignal): Promise<(() => void) | undefined> {
  return hold({ locks, name, onLost }, { signal });
}

/** Takes a lock from whoever has it. */
export function stealLock({ locks, name, onLost }: HeldLock): Promise<(() => void) | undefined> {
  return hold({ locks, name, onLost }, { steal: true });
}

function hold({ locks, name, onLost }: HeldLock, options: LockOptions): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    let isHeld = false;
    locks
      .request(name, options, (lock) => {
        if (lock === null) return resolve(undefined);
        isHeld = true;
        return new Promise<void>((release) => resolve(release));
      })
      .catch(() => {
        if (isHeld) onLost?.();
        else resolve(undefined);
      });
  });
}

export const storeLockName = (store: string): string => `collection-store/${store}`;
