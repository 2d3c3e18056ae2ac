/**
 * Live queries of components that wait. React forgets everything of a component that suspends before it is mounted, so
 * its query is kept here, and found again by what it asks.
 *
 * A query stays while a component shows it, and for `UNUSED_MS` after the last render that asked for it, since that
 * component may never be mounted. A component that waits does not render; so whoever waits for longer is called, by
 * a promise that resolves, and only who does not ask again then has gone.
 */
import type { Platform } from '../base/platform.ts';
import type { LiveSource } from '../bindings/live-source.ts';
import { LiveStore } from './live-store.ts';
import { QuestionKeys } from './question-key.ts';

export const UNUSED_MS: number = 10_000;
/** How long an error is remembered: React renders again at once and must find it; a boundary that is reset asks anew. */
export const ERROR_MS: number = 1_000;
/** Loaded queries that no component need have mounted; the oldest go first. Who waits for more at once loads some again. */
export const KEPT_MAX: number = 1_000;

export type Suspended<T> = {
  readonly live: LiveStore<T>;
  /** Resolves when it is time to render again. Never rejects. */
  readonly loaded: Promise<void>;
};

export class SuspenseCache {
  readonly #platform: Platform;
  readonly #keys = new QuestionKeys();
  readonly #entries = new Map<string, Entry>();
  /** Those that stay without a component, in the order in which they were asked for. */
  readonly #kept = new Set<Entry>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Queries that are kept or shown. */
  get size(): number {
    return this.#entries.size;
  }

  /** The query that asks what `source` asks: one that is there already, or `source` from now on. */
  find<T>(source: LiveSource<T>): Suspended<T> {
    const key = this.#keys.keyOf(source);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const forget = (): void => void this.#entries.delete(key);
      entry = new Entry(source, this.#platform, { keep: this.#kept, onLoad: () => this.#trim(), onIdle: forget });
      this.#entries.set(key, entry);
    }
    entry.keep();
    return entry as Suspended<unknown> as Suspended<T>;
  }

  #trim(): void {
    for (const entry of this.#kept) {
      if (this.#kept.size <= KEPT_MAX) return;
      if (entry.live.read().status !== 'loading') entry.release();
    }
  }
}

type Owner = { readonly keep: Set<Entry>; readonly onLoad: () => void; readonly onIdle: () => void };

class Entry implements Suspended<unknown> {
  readonly live: LiveStore<unknown>;
  loaded!: Promise<void>;
  readonly #platform: Platform;
  readonly #owner: Owner;
  #wake!: () => void;
  #isCalled = false;
  #leave: (() => void) | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(source: LiveSource<unknown>, platform: Platform, owner: Owner) {
    this.live = new LiveStore<unknown>(source, owner.onIdle);
    this.#platform = platform;
    this.#owner = owner;
    this.#wait();
  }

  keep(): void {
    const isBroken = this.live.read().status === 'error';
    // An error does not stay longer for being looked at.
    if (isBroken && this.#leave !== undefined) return;
    const { keep } = this.#owner;
    keep.delete(this);
    keep.add(this);
    this.#isCalled = false;
    this.#setTimer(isBroken ? ERROR_MS : UNUSED_MS);
    this.#leave ??= this.live.subscribe(this.#onState);
  }

  release(): void {
    this.#stopTimer?.();
    this.#owner.keep.delete(this);
    this.#wake();
    this.#leave?.();
    this.#leave = undefined;
  }

  readonly #onState = (): void => {
    this.#wake();
    if (this.live.read().status === 'error') this.#setTimer(ERROR_MS);
    this.#owner.onLoad();
  };

  readonly #onTimer = (): void => {
    if (this.live.read().status !== 'loading' || this.#isCalled) return this.release();
    this.#isCalled = true;
    this.#wake();
    this.#wait();
    this.#setTimer(UNUSED_MS);
  };

  #wait(): void {
    this.loaded = new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #setTimer(delayMs: number): void {
    this.#stopTimer?.();
    this.#stopTimer = this.#platform.setTimer(this.#onTimer, delayMs);
  }
}
