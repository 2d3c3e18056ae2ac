/**
 * Clock, timers, randomness and the event loop of a page. The only file of the page's side that may touch them; all
 * others are given a `Platform`, so that tests can stand time still.
 */
export interface Platform {
  /** Milliseconds since 1970, for ids. May jump. */
  wallClock(): number;
  /** Milliseconds that never go back, for deadlines and slices. */
  now(): number;
  /** Fills the array with random bytes that cannot be guessed. */
  random(bytes: Uint8Array): void;
  /** Answers a function that stops the timer. */
  setTimer(run: () => void, delayMs: number): () => void;
  /** Resolves in a later task, so that input and rendering get their turn. Not clamped to 4 ms as timers are. */
  yieldTask(): Promise<void>;
}

/** Longer delays overflow in browsers and end at once. Whoever waits longer looks at the clock and waits again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A `Platform` of this thread. Costs nothing until it is used. */
export function createPlatform(): Platform {
  let yieldOnce: (() => Promise<void>) | undefined;
  return {
    wallClock: () => Date.now(),
    now: () => performance.now(),
    random: (bytes) => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>),
    setTimer(run, delayMs) {
      const timer = setTimeout(run, Math.min(delayMs, TIMER_MS_MAX));
      return () => clearTimeout(timer);
    },
    yieldTask() {
      yieldOnce ??= createYield();
      return yieldOnce();
    },
  };
}

function createYield(): () => Promise<void> {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  // In Node an open port keeps the process alive; in browsers there is no such method.
  (port1 as { unref?(): void }).unref?.();
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      port2.postMessage(0);
    });
}

/** The browser's locks, where it has them: not outside secure contexts. */
export const browserLocks = (): LockManager | undefined => globalThis.navigator?.locks;

/** What the browser tells of this origin's space. */
export async function storageFigures(): Promise<{
  readonly persisted: boolean | undefined;
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
}> {
  const storage = globalThis.navigator?.storage;
  const [persisted, estimate] = await Promise.all([storage?.persisted?.(), storage?.estimate?.()]);
  return { persisted, usageBytes: estimate?.usage, quotaBytes: estimate?.quota };
}
