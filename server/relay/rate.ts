/** Buckets that fill with time. What a connection sends must fit into both of its. */
import type { Platform } from '../../src/base/platform.ts';
import { BURST_SECONDS } from '../limits/index.ts';

export class Rate {
  readonly #platform: Platform;
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(platform: Platform, perSecond: number) {
    this.#platform = platform;
    this.#perSecond = perSecond;
    this.#left = perSecond * BURST_SECONDS;
    this.#at = platform.now();
  }

  /** 0 when `count` was taken, else the milliseconds after which it may be asked again. Nothing is taken then. */
  take(count: number): number {
    const now = this.#platform.now();
    const burst = this.#perSecond * BURST_SECONDS;
    this.#left = Math.min(burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    // What is larger than the bucket would never fit: it empties it.
    const wanted = Math.min(count, burst);
    if (this.#left < wanted) return Math.ceil(((wanted - this.#left) / this.#perSecond) * 1000);
    this.#left -= wanted;
    return 0;
  }
}
