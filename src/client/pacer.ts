/** Runs something at once and then at most every so often, the last time that it was asked included. */
import type { Platform } from '../base/platform.ts';

export type Pacer = { ask(): void; stop(): void };

export function createPacer(run: () => void, intervalMs: number, platform: Pick<Platform, 'now' | 'setTimer'>): Pacer {
  const { now, setTimer } = platform;
  let ranAt = Number.NEGATIVE_INFINITY;
  let stopTimer: (() => void) | undefined;
  const runNow = (): void => {
    stopTimer = undefined;
    ranAt = now();
    run();
  };
  return {
    ask() {
      if (stopTimer !== undefined) return;
      const waitMs = ranAt + intervalMs - now();
      if (waitMs <= 0) runNow();
      else stopTimer = setTimer(runNow, waitMs);
    },
    stop() {
      stopTimer?.();
      stopTimer = undefined;
    },
  };
}
