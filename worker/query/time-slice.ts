/** How a long run shares the thread: it asks for a rest between batches, and gets one when its slice is over. */
import type { MaybePromise } from '../../src/protocol/engine-api.ts';

/** How long a run may hold the thread before other calls get their turn. */
const SLICE_MS = 8;

/** Answers a function that lets others in once the slice that began with the last rest is over. */
export function createRest(now: () => number, yieldTask: () => Promise<void>): () => MaybePromise<void> {
  let startMs = now();
  return () => {
    if (now() - startMs < SLICE_MS) return;
    return yieldTask().then(() => {
      startMs = now();
    });
  };
}
