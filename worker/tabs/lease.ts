/**
 * How long a tab that has the store's lock may answer from the log's tail without asking the store, and the beats by
 * which others hear that it lives (T3). Both begin with the lock: opening may take long.
 *
 * Whoever steals the lock waits for LEASE_MS before it reads anything. So as long as that after a moment at which this
 * tab still had the lock, nobody has read what its tail holds, and what is added there will be read.
 */
import type { CommonMessage } from '../../src/protocol/tabs.ts';
import { BEAT_MS, LEASE_MS } from './leader-watch.ts';
import { storeLockName } from './store-lock.ts';
import { tabLockName } from './tab-channel.ts';

export type LeaseOptions = {
  readonly store: string;
  readonly tab: string;
  /** As followers know it. */
  readonly leader: string;
  readonly locks: LockManager;
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly say: (message: CommonMessage) => void;
};

export class Lease {
  readonly #options: LeaseOptions;
  #until: number = Number.NEGATIVE_INFINITY;
  #isEnded = false;
  #stopBeat: (() => void) | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  get isValid(): boolean {
    return this.#options.now() < this.#until;
  }

  /** Whether the lock is still ours: the lock manager is asked when it has not been for so long. */
  async isHeld(): Promise<boolean> {
    if (!this.isValid) await this.#renew();
    return this.isValid;
  }

  /** The lock is ours. */
  begin(): void {
    const { leader, setTimer, say } = this.#options;
    if (this.#isEnded) return;
    say({ type: 'beat', leader });
    void this.#renew();
    this.#stopBeat = setTimer(() => this.begin(), BEAT_MS);
  }

  end(): void {
    this.#isEnded = true;
    this.#until = Number.NEGATIVE_INFINITY;
    this.#stopBeat?.();
  }

  async #renew(): Promise<void> {
    const { tab, locks, store, now } = this.#options;
    const askedAt = now();
    const { held = [] } = await locks.query();
    const clientOf = (name: string): string | undefined => held.find((lock) => lock.name === name)?.clientId;
    const client = clientOf(tabLockName(store, tab));
    if (this.#isEnded || client === undefined || client !== clientOf(storeLockName(store))) return;
    this.#until = askedAt + LEASE_MS;
  }
}
