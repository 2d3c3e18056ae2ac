/** Sleeps a millisecond at a time, and writes down how late it woke. */
const BEAT_MS = 1;
/** Then it lets messages in, so that it can be ended at once. */
const BEATS = 50;

const port = self as unknown as { postMessage(message: string): void; onmessage: unknown };
port.onmessage = ({ data: longest }: MessageEvent<Int32Array>) => {
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const beats = (): void => {
    for (let beat = 0; beat < BEATS; beat++) {
      const before = performance.now();
      Atomics.wait(never, 0, 0, BEAT_MS);
      const lateUs = Math.round((performance.now() - before - BEAT_MS) * 1_000);
      if (lateUs > Atomics.load(longest, 0)) Atomics.store(longest, 0, lateUs);
    }
    setTimeout(beats);
  };
  beats();
  port.postMessage('started');
};
