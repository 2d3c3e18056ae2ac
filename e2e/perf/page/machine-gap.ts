/**
 * The longest time in which an idle thread of the same page did not get to run: how busy the machine was. A gap of the
 * main thread below it says nothing about the store.
 */

export type MachineGapWatch = { longestMs(): number; end(): void };

/** Microseconds, in shared memory: a message would have to wait for the thread that is watched. */
export async function watchMachineGap(): Promise<MachineGapWatch> {
  const longest = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(new URL('./machine-gap-worker.ts', import.meta.url), { type: 'module' });
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = ({ message }) => reject(new Error(`The watching worker failed: ${message}`));
    worker.postMessage(longest);
  });
  return {
    longestMs: () => Atomics.load(longest, 0) / 1_000,
    end: () => worker.terminate(),
  };
}
