/**
 * The longest time in which the page's thread ran nothing else: what a key press would have waited. A beat is asked for
 * every millisecond at the priority of input, so a queue full of short tasks is no gap and one long task is.
 */
import { mustScheduler } from './scheduler.ts';

const BEAT_MS = 1;

export type GapWatch = { stop(): number };

export function watchMainThreadGap(): GapWatch {
  const scheduler = mustScheduler();
  let longest = 0;
  let last = performance.now();
  let isWatching = true;
  const beat = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last - BEAT_MS);
    last = now;
    if (isWatching) next();
  };
  const next = (): void => {
    void scheduler.postTask(beat, { delay: BEAT_MS, priority: 'user-blocking' });
  };
  next();
  return {
    stop() {
      isWatching = false;
      return Math.max(longest, performance.now() - last - BEAT_MS);
    },
  };
}
