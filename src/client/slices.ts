/** Long work on the page, in slices. */
import type { Platform } from '../base/platform.ts';

/** Time that work may take of the page at a stretch. */
const SLICE_MS = 4;

/** To be awaited between steps: lets the page do something else when a slice is used up. */
export function createPause({ now, yieldTask }: Platform): () => Promise<void> {
  let start = 0;
  return async () => {
    if (now() - start < SLICE_MS) return;
    await yieldTask();
    start = now();
  };
}
