/** How long to wait before another attempt: longer each time, and never the same for all devices. */
import type { Platform } from '../../src/base/platform.ts';

const FIRST_MS = 1_000;
/** A relay that was down for an hour is found again within half a minute. */
const LAST_MS = 30_000;

/** `attempt`: how many have failed, from 1. Between half of the delay and all of it. */
export function backoffMs(attempt: number, { random }: Pick<Platform, 'random'>): number {
  const longest = Math.min(FIRST_MS * 2 ** Math.min(attempt - 1, 16), LAST_MS);
  const bytes = new Uint8Array(2);
  random(bytes);
  const share = (bytes[0]! * 256 + bytes[1]!) / 65_536;
  return longest * (0.5 + share / 2);
}
