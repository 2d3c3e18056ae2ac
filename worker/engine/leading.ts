/**
 * One time of leading: from the moment that this tab has the store's lock until it gives it up, or is told that it was
 * taken. It answers only between `serve` and its end; whatever comes after that waits for the next leader (T7).
 */
import type { StoreError } from '../../src/base/store-error.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage, TabBuild } from '../../src/protocol/tabs.ts';
import { awaitLock, LEASE_MS, Lease, leadingLockName } from '../tabs/index.ts';
import { toStatus } from './control.ts';
import { Followers } from './followers.ts';
import type { StoreHold } from './open-engine.ts';
import type { PageSide } from './page-side.ts';
import { servePort } from './port-server.ts';
import { lockStolen, type SharedStoreOptions } from './shared-store-options.ts';

/** How long an engine may take to store the last of it, and to let its storage go, before its lock is given back anyway. */
const LEAVE_MS = 3_000;

/** How often, and after which pauses, another leader must be seen to be taken for one that lives. */
const LOOKS = 3;
const LOOK_MS = 50;

export type LeadingOptions = {
  readonly shared: SharedStoreOptions;
  readonly page: PageSide;
  /** No other time of leading, of any tab, has this name. */
  readonly name: string;
  /** Of this tab. */
  readonly build: TabBuild;
  readonly say: (message: CommonMessage) => void;
  /** The engine can write nothing more: another tab has the store, or its storage has failed. */
  readonly onEnd: (leading: Leading, why: StoreError) => void;
  /** It answers no more. */
  readonly onStop: () => void;
};

export class Leading {
  readonly #options: LeadingOptions;
  readonly #lease: Lease;
  #release: (() => void) | undefined;
  #engine: EngineApi | undefined;
  #followers: Followers | undefined;
  #stopSync: (() => void) | undefined;
  #isStopped = false;
  /** Why nothing more can be written. */
  #end: StoreError | undefined;

  constructor(options: LeadingOptions) {
    this.#options = options;
    const { shared, name, say } = options;
    this.#lease = new Lease({ ...shared, store: shared.options.name, leader: name, say });
  }

  get end(): StoreError | undefined {
    return this.#end;
  }

  get epoch(): number {
    return this.#engine?.epoch ?? 0;
  }

  get followers(): Followers | undefined {
    return this.#followers;
  }

  /** The lock was taken from this tab, which seemed to be frozen. */
  readonly lost = (): void => {
    this.#lease.end();
    this.#end ??= lockStolen();
    this.#engine?.supersede(lockStolen());
  };

  /** Opens the engine, which may write nothing before it has the lock. Rejects when it cannot, or has lost it since. */
  async open(holding: Promise<() => void>, how: 'granted' | 'stolen'): Promise<void> {
    const { shared, name } = this.#options;
    const { locks, options } = shared;
    let isStolen = how === 'stolen';
    const hold = holding.then(async (releaseStore): Promise<StoreHold> => {
      this.#lease.begin();
      const lock = leadingLockName(options.name, name);
      const releaseLeading = await awaitLock({ locks, name: lock }, new AbortController().signal);
      // In this order: who is next must not take this one for a leader that still lives.
      const release = (): void => {
        releaseLeading?.();
        releaseStore();
      };
      this.#release = release;
      isStolen ||= await this.#hasOther();
      if (isStolen) await new Promise<void>((wake) => void shared.setTimer(wake, LEASE_MS));
      if (this.#end !== undefined) throw this.#end;
      return { release, isStolen, onPoisoned: (error) => this.#onPoisoned(error) };
    });
    this.#engine = await shared.openEngine({ holding: hold, isLeased: () => this.#lease.isValid });
    // A tab that was frozen meanwhile may not have heard yet that it was replaced. Then it has read the log of the one that
    // leads, and its fence would end that one.
    if (!(await this.#lease.isHeld())) throw lockStolen();
    if (isStolen) await this.#engine.fence();
    if (this.#end !== undefined) throw this.#end;
  }

  /**
   * Whether another leader lives that may still write: the store's lock was stolen from it, and whoever stole it has ended
   * before it had fenced it. The locks of a tab that has ended may go one after the other.
   */
  async #hasOther(): Promise<boolean> {
    const { shared, name } = this.#options;
    const { locks, options, setTimer } = shared;
    const prefix = leadingLockName(options.name, '');
    for (let looks = 0; looks < LOOKS; looks++) {
      if (looks > 0) await new Promise<void>((wake) => void setTimer(wake, LOOK_MS));
      const { held = [] } = await locks.query();
      if (!held.some((lock) => lock.name?.startsWith(prefix) && lock.name !== prefix + name)) return false;
    }
    return true;
  }

  /** Answers from now on: this tab's page, and those that follow. */
  serve(): StoreStatus {
    const { shared, page, name, build, say } = this.#options;
    const engine = this.#engine!;
    const status = toStatus(engine.home, shared.options);
    if (this.#end !== undefined) throw this.#end;
    const followers = new Followers({ shared, engine, status, build, name });
    this.#followers = followers;
    page.serve(engine, shared.tab, (listener) => followers.watchTabs(shared.tab, listener));
    say({ type: 'leader', leader: name });
    return status;
  }

  /** A sync worker of this tab. The one before it has ended. */
  serveSync(port: MessagePort): void {
    this.#stopSync?.();
    this.#stopSync = undefined;
    if (this.#isStopped || this.#engine === undefined) port.close();
    else this.#stopSync = servePort(this.#engine, port, { isSync: true });
  }

  /** Stores what is not stored yet, answers this tab's page, and gives the lock back. */
  async close(): Promise<void> {
    this.#stop();
    await this.#engine?.close();
  }

  async destroy(): Promise<void> {
    this.#stop();
    await this.#engine!.destroy();
  }

  /** Stores what was answered before it is stored, and leaves the rest to another. Resolves when the lock is given back. */
  async handOver(): Promise<void> {
    await this.#within(this.#engine!.flush());
    await this.leave();
  }

  /** Leaves at once what was not stored: whoever leads next is asked again. Resolves when the lock is given back. */
  leave(): Promise<void> {
    if (this.#leaving !== undefined) return this.#leaving;
    let isLeft!: () => void;
    this.#leaving = new Promise((resolve) => {
      isLeft = resolve;
    });
    void this.#leave().then(isLeft);
    return this.#leaving;
  }

  #leaving: Promise<void> | undefined;

  async #leave(): Promise<void> {
    this.#stop();
    this.#options.page.leave();
    this.#engine?.supersede(lockStolen());
    await this.#within(this.#engine?.close());
    this.#release?.();
  }

  /** Waits, not too long, and whatever becomes of it. */
  async #within(promise: Promise<void> | undefined): Promise<void> {
    let stopTimer: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      stopTimer = this.#options.shared.setTimer(resolve, LEAVE_MS);
    });
    await Promise.race([promise?.catch(() => undefined), late]);
    stopTimer?.();
  }

  /** Nobody hears of this leader any more. */
  #stop(): void {
    this.#lease.end();
    this.#followers?.end();
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#stopSync?.();
    this.#options.onStop();
  }

  #onPoisoned(error: StoreError): void {
    this.#end ??= error;
    this.#options.onEnd(this, error);
  }
}
