/**
 * What the page's worker runs first. It imports the worker's own file and does nothing else: browsers keep a script in
 * compiled form when a worker imports it as it runs, and never when it is the one that `new Worker` names or one that
 * this names in its head. Compiling the engine anew was a fifth of the time to a first read.
 *
 * Bundlers take the other file along as it is because of `new URL`, and leave the call alone because of the comments.
 */
const early: unknown[] = [];

/** What the page says meanwhile is handed on in its order. */
const keep = (event: MessageEvent): void => {
  event.stopImmediatePropagation();
  early.push(event.data);
};
addEventListener('message', keep);

const file: URL = new URL('./worker.js', import.meta.url);
import(/* webpackIgnore: true */ /* @vite-ignore */ file.href).then(
  () => {
    removeEventListener('message', keep);
    // New events: in Chromium one that was stopped stays so.
    for (const data of early) dispatchEvent(new MessageEvent('message', { data }));
  },
  // The page hears of errors, and not of rejections.
  (error) =>
    queueMicrotask(() => {
      throw error;
    }),
);
