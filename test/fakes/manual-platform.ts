/** A platform whose time stands still until it is told to move. */
import type { Platform } from '../../src/base/platform.ts';

export type ManualPlatform = Platform & {
  /** Moves time, and runs the timers that fall due. */
  advance(ms: number): void;
  /** Timers that are set. */
  readonly timerCount: number;
};

export function createManualPlatform(): ManualPlatform {
  let nowMs = 0;
  let random = 1;
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  return {
    wallClock: () => 1_700_000_000_000 + nowMs,
    now: () => nowMs,
    random(bytes) {
      for (let at = 0; at < bytes.length; at++) {
        random = (random * 48_271) % 2_147_483_647;
        bytes[at] = random;
      }
    },
    setTimer(run, delayMs) {
      const timer = { at: nowMs + delayMs, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    yieldTask: () => new Promise((resolve) => setImmediate(resolve)),
    advance(ms) {
      const until = nowMs + ms;
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
        if (next === undefined) break;
        timers.delete(next);
        nowMs = next.at;
        next.run();
      }
      nowMs = until;
    },
    get timerCount() {
      return timers.size;
    },
  };
}
