/**
 * Yjs' name for who writes, drawn once for each run of the sync worker, and for each document that a page opens, and
 * stored nowhere (R7): who lost what it had written last must not write something else under the same name. Of changes
 * that do not know of each other Yjs lets the higher id win, so ids grow with time.
 */
import type { Platform } from '../base/platform.ts';

/** Seconds fill the upper 31 bits until 2088, random bits the lower 22: two runs of one second hardly ever meet. */
const EPOCH_MS = Date.UTC(2020, 0, 1);
const RANDOM_BITS = 22;
const SECONDS_MAX = 2 ** 31 - 1;

/** From 1 to 2^53 - 1. */
export function drawClientId({ wallClock, random }: Pick<Platform, 'wallClock' | 'random'>): number {
  const seconds = Math.min(Math.max(Math.floor((wallClock() - EPOCH_MS) / 1000), 1), SECONDS_MAX);
  const bytes = new Uint8Array(4);
  random(bytes);
  const drawn = new DataView(bytes.buffer).getUint32(0) >>> (32 - RANDOM_BITS);
  return seconds * 2 ** RANDOM_BITS + drawn;
}
