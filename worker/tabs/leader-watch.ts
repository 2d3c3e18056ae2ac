/**
 * Watches over a leader that may be frozen (T3): stopped, and not ended, it keeps the lock. A follower that has heard
 * nothing for several beats asks once more, makes sure that it hears itself and that somebody holds the lock, and
 * steals it then. One steal at a time, and at most one a minute, by a lock of their own.
 *
 * Safety does not rest on any of that. A leader answers from its tail only within LEASE_MS of a moment at which it had
 * the lock, and whoever steals the lock waits as long before it reads the tail.
 */
import type { CommonMessage } from '../../src/protocol/tabs.ts';
import { stealLock, storeLockName, tryLock } from './store-lock.ts';
import { commonChannelName, type OpenTabChannel, stealLockName } from './tab-channel.ts';

/** How often a leader says that it lives, and asks whether it has the lock. */
export const BEAT_MS = 1_500;
/** How long a leader may answer without asking the store after it has had the lock. */
export const LEASE_MS = 4_000;
/** Silence after which a leader is suspected: three beats that did not come. */
const SUSPECT_MS = 5_000;
/** How long a suspected leader has to say something, and the follower to hear itself. */
const CONFIRM_MS = 1_500;
/** From one steal to the next. */
const STEAL_PAUSE_MS = 60_000;
const LOOK_MS = 1_000;
/** A look that comes so much later than planned: it was this tab that was stopped. */
const LATE_MS = 1_500;

export type LeaderWatchOptions = {
  readonly store: string;
  readonly tab: string;
  readonly locks: LockManager;
  readonly openChannel: OpenTabChannel;
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  /** Asks the leader for a sign of life. */
  readonly ask: () => void;
  /** The lock is ours, taken from a leader that may still live. */
  readonly onStolen: (release: () => void) => void;
  readonly onLost: () => void;
};

export class LeaderWatch {
  readonly #options: LeaderWatchOptions;
  #heardAt: number;
  #lookedAt: number;
  #hasEcho = false;
  #isEnded = false;
  #stopTimer: (() => void) | undefined;

  constructor(options: LeaderWatchOptions) {
    this.#options = options;
    this.#heardAt = options.now();
    this.#lookedAt = this.#heardAt;
    this.#look();
  }

  /** Something was heard of the leader. */
  heard(): void {
    this.#heardAt = this.#options.now();
  }

  echo(tab: string): void {
    if (tab === this.#options.tab) this.#hasEcho = true;
  }

  end(): void {
    this.#isEnded = true;
    this.#stopTimer?.();
  }

  #look(): void {
    const { now, setTimer } = this.#options;
    // What was said while this tab was stopped is still on its way.
    if (now() - this.#lookedAt > LOOK_MS + LATE_MS) this.#heardAt = now();
    this.#lookedAt = now();
    if (now() - this.#heardAt > SUSPECT_MS) return void this.#confirm();
    this.#stopTimer = setTimer(() => this.#look(), LOOK_MS);
  }

  /** Who holds the store's lock; undefined when nobody does. */
  async #holder(): Promise<string | undefined> {
    const { store, locks } = this.#options;
    const { held = [] } = await locks.query();
    return held.find(({ name }) => name === storeLockName(store))?.clientId;
  }

  async #confirm(): Promise<void> {
    const { store, tab, openChannel, ask, setTimer, now } = this.#options;
    const suspect = await this.#holder();
    if (this.#isEnded) return;
    const askedAt = now();
    this.#hasEcho = false;
    const channel = openChannel(commonChannelName(store));
    const echo: CommonMessage = { type: 'echo', tab };
    channel.post(echo);
    ask();
    this.#stopTimer = setTimer(() => {
      channel.close();
      // Late: this tab was stopped too, and has not heard what was said.
      const isLate = now() - askedAt > CONFIRM_MS + LATE_MS;
      const isSilent = this.#heardAt < askedAt && this.#hasEcho && !isLate;
      if (isLate) this.heard();
      this.#lookedAt = now();
      if (isSilent && suspect !== undefined) void this.#steal(suspect);
      else this.#stopTimer = setTimer(() => this.#look(), LOOK_MS);
    }, CONFIRM_MS);
  }

  async #steal(suspect: string): Promise<void> {
    const { store, locks, setTimer, onStolen, onLost } = this.#options;
    const name = storeLockName(store);
    const free = await tryLock({ locks, name: stealLockName(store) });
    const holder = free === undefined ? undefined : await this.#holder();
    if (this.#isEnded || free === undefined || holder !== suspect) {
      // Somebody else is at it, or the lock has gone on to one of those who wait.
      free?.();
      this.heard();
      if (!this.#isEnded) this.#stopTimer = setTimer(() => this.#look(), LOOK_MS);
      return;
    }
    setTimer(free, STEAL_PAUSE_MS);
    const release = await stealLock({ locks, name, onLost });
    if (release === undefined) return;
    if (this.#isEnded) release();
    else onStolen(release);
  }
}
