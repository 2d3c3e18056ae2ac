/**
 * One time of leading: from the moment that this tab has the store's lock until it gives it up, or is told that it was
 * taken. It answers only between `serve` and its end; whatever comes after that waits for the next leader (T7).
 */
import type { StoreError } from '../../src/base/store-error.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage } from '../../src/protocol/tabs.ts';
import { LEASE_MS, Lease } from '../tabs/index.ts';
import { toStatus } from './control.ts';
import { Followers } from './followers.ts';
import type { StoreHold } from './open-engine.ts';
import type { PageSide } from './page-side.ts';
import { lockStolen, type SharedStoreOptions } from './shared-store-options.ts';

/** How long an engine that writes nothing more may take to let its storage go, before its lock is given back anyway. */
const LEAVE_MS = 3_000;

export type LeadingOptions = {
  readonly shared: SharedStoreOptions;
  readonly page: PageSide;
  /** No other time of leading, of any tab, has this name. */
  readonly name: string;
  /** Digest of this tab's definitions. */
  readonly definitions: string;
  readonly say: (message: CommonMessage) => void;
  /** The engine can write nothing more: another tab has the store, or its storage has failed. */
  readonly onEnd: (leading: Leading, why: StoreError) => void;
};

export class Leading {
  readonly #options: LeadingOptions;
  readonly #lease: Lease;
  #release: (() => void) | undefined;
  #engine: EngineApi | undefined;
  #followers: Followers | undefined;
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
    const { shared } = this.#options;
    const isStolen = how === 'stolen';
    const hold = holding.then(async (release): Promise<StoreHold> => {
      this.#release = release;
      this.#lease.begin();
      if (isStolen) await new Promise<void>((wake) => void shared.setTimer(wake, LEASE_MS));
      if (this.#end !== undefined) throw this.#end;
      return { release, isStolen, onPoisoned: (error) => this.#onPoisoned(error) };
    });
    this.#engine = await shared.openEngine({ holding: hold, isLeased: () => this.#lease.isValid });
    if (isStolen) await this.#engine.fence();
    if (this.#end !== undefined) throw this.#end;
  }

  /** Answers from now on: this tab's page, and those that follow. */
  serve(): StoreStatus {
    const { shared, page, name, definitions, say } = this.#options;
    const engine = this.#engine!;
    const status = toStatus(engine.home, shared.options);
    if (this.#end !== undefined) throw this.#end;
    page.serve(engine, shared.tab);
    this.#followers = new Followers({ shared, engine, status, definitions, name });
    say({ type: 'leader', leader: name });
    return status;
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

  /** Leaves at once what was not stored: whoever leads next is asked again. Resolves when the lock is given back. */
  async leave(): Promise<void> {
    this.#stop();
    this.#options.page.leave();
    const { shared } = this.#options;
    this.#engine?.supersede(lockStolen());
    let stopTimer: (() => void) | undefined;
    const late = new Promise<void>((resolve) => {
      stopTimer = shared.setTimer(resolve, LEAVE_MS);
    });
    await Promise.race([this.#engine?.close().catch(() => undefined), late]);
    stopTimer?.();
    this.#release?.();
  }

  /** Nobody hears of this leader any more. */
  #stop(): void {
    this.#lease.end();
    this.#followers?.end();
  }

  #onPoisoned(error: StoreError): void {
    this.#end ??= error;
    this.#options.onEnd(this, error);
  }
}
