/** The state of a store, for bindings. */
import type { StoreStatus } from '../protocol/store-status.ts';
import type { Subscribable } from './live-source.ts';

export type { StoreStatus };

/** A `Store` is one. */
export interface StatusSource {
  readonly status: StoreStatus;
  readonly status$: Subscribable<StoreStatus>;
}

/** Tells each state from this call on, the present one first, until the function that it answers is called. */
export function observeStatus(store: StatusSource, show: (status: StoreStatus) => void): () => void {
  // A store that is closed tells nothing any more.
  show(store.status);
  const subscription = store.status$.subscribe({ next: show, error() {}, complete() {} });
  return () => subscription.unsubscribe();
}
