/** How fast a device pushes: well below what a relay refuses, so that batches need not come again and lose their order. */
import type { Platform } from '../../src/base/platform.ts';

const BYTES_PER_SECOND = 8 * 1024 * 1024;
const FRAMES_PER_SECOND = 2_500;
/** Seconds of both that may be used at once. */
const BURST_SECONDS = 2;

export class Pace {
  readonly #platform: Pick<Platform, 'now' | 'setTimer'>;
  #bytes: number = BURST_SECONDS * BYTES_PER_SECOND;
  #frames: number = BURST_SECONDS * FRAMES_PER_SECOND;
  #at: number;

  constructor(platform: Pick<Platform, 'now' | 'setTimer'>) {
    this.#platform = platform;
    this.#at = platform.now();
  }

  /** Counts a frame. Answers when it may go; undefined when that is now. */
  take(bytes: number): Promise<void> | undefined {
    const now = this.#platform.now();
    const seconds = (now - this.#at) / 1000;
    this.#at = now;
    this.#bytes = Math.min(this.#bytes + seconds * BYTES_PER_SECOND, BURST_SECONDS * BYTES_PER_SECOND) - bytes;
    this.#frames = Math.min(this.#frames + seconds * FRAMES_PER_SECOND, BURST_SECONDS * FRAMES_PER_SECOND) - 1;
    const waitMs = 1000 * Math.max(-this.#bytes / BYTES_PER_SECOND, -this.#frames / FRAMES_PER_SECOND);
    if (waitMs <= 0) return undefined;
    return new Promise((resolve) => this.#platform.setTimer(resolve, waitMs));
  }
}
