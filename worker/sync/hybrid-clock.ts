/**
 * Times of changes for `last-write-wins`: a hybrid logical clock as Kulkarni et al. describe it in "Logical Physical
 * Clocks" (OPODIS 2014). A time is the wall clock's, or just above that of the value which the writer had before it,
 * whichever is later; so of two changes that know of each other the second is the later one, whatever the clocks say.
 *
 * The clock's memory is the row's document: times travel with the values that they are of, and none has to be kept beside.
 * A time further ahead than DRIFT_MS_MAX is not believed: it does not push other clocks, and as a time it counts as none.
 */
import type { Platform } from '../../src/base/platform.ts';

/** Milliseconds since 1970 in the upper part, a count of those of one millisecond below. Permanent. */
const COUNTS_OF_MS = 1024;
/** How far the clock of another device may be ahead of this one's. */
const DRIFT_MS_MAX: number = 5 * 60_000;
/** Of what has no time, or none that is believed: before everything else. */
export const NO_TIME = 0;

/** For a change of something that was changed last at `before`. */
export function timeAfter(before: number, { wallClock }: Pick<Platform, 'wallClock'>): number {
  const now = Math.floor(wallClock()) * COUNTS_OF_MS;
  const known = believed(before, { wallClock });
  return Math.max(now, known + 1);
}

export function believed(time: number, { wallClock }: Pick<Platform, 'wallClock'>): number {
  const isSound = Number.isSafeInteger(time) && time > NO_TIME;
  return isSound && time <= (Math.floor(wallClock()) + DRIFT_MS_MAX) * COUNTS_OF_MS ? time : NO_TIME;
}
