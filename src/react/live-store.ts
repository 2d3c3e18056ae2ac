/**
 * A live query as an external store of React: subscribed to its source while somebody listens, and not before, so that
 * a component which is rendered but never mounted leaves nothing behind.
 */
import type { LiveSource } from '../bindings/live-source.ts';
import { LOADING, observe, type QueryState } from '../bindings/query-state.ts';

export class LiveStore<T> {
  readonly #source: LiveSource<T> | undefined;
  readonly #onIdle: (() => void) | undefined;
  readonly #listeners = new Set<() => void>();
  #state: QueryState<T> = LOADING;
  #stop: (() => void) | undefined;

  /** Without a source it stays `loading`. `onIdle` is called when the last listener has gone. */
  constructor(source: LiveSource<T> | undefined, onIdle?: () => void) {
    this.#source = source;
    this.#onIdle = onIdle;
  }

  /** Safe to begin anew after its end, as React does under StrictMode: the last state stays until there is a newer one. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1 && this.#source !== undefined) this.#stop = observe(this.#source, this.#show);
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      this.#stop?.();
      this.#onIdle?.();
    };
  };

  /** The same object until the state changes. */
  readonly read = (): QueryState<T> => this.#state;

  readonly #show = (state: QueryState<T>): void => {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  };
}
