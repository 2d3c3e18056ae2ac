export type Timing<T> = {
  readonly value: T;
  readonly elapsedMs: number;
  /** The longest time in which the page could not react: no frame, no input. */
  readonly longestGapMs: number;
};

/** Runs work while sending messages round through the page's own event loop, and tells how late they came. */
export async function timed<T>(work: () => Promise<T>): Promise<Timing<T>> {
  const { port1, port2 } = new MessageChannel();
  const start = performance.now();
  let last = start;
  let longestGapMs = 0;
  const note = (): void => {
    const now = performance.now();
    longestGapMs = Math.max(longestGapMs, now - last);
    last = now;
  };
  port1.onmessage = () => {
    note();
    port2.postMessage(undefined);
  };
  port2.postMessage(undefined);
  try {
    const value = await work();
    note();
    return { value, elapsedMs: last - start, longestGapMs };
  } finally {
    port1.close();
  }
}
