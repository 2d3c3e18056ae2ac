/** Between the page and the watcher inside the worker. */
export const OBSERVER_CHANNEL = 'kill-observer';

/**
 * Where the worker is to stand still, waiting for its end: a transaction of this kind has been committed, and the engine
 * does not know it yet. `checkpoint`: pages are there and the log is not trimmed; `append`: stored and not answered.
 */
export type Trap = { readonly kind: 'checkpoint' | 'append'; readonly count: number };
