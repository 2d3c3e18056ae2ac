/** A live query as a component shows it: one value at each moment, so that rows, status and error never disagree. */
import type { LiveSource } from './live-source.ts';

export type QueryState<T> =
  | { readonly status: 'loading'; readonly rows: readonly T[]; readonly error: undefined }
  | { readonly status: 'ready'; readonly rows: readonly T[]; readonly error: undefined }
  /** `rows` are the last that were seen. The query has ended; a new one tries again. */
  | { readonly status: 'error'; readonly rows: readonly T[]; readonly error: unknown };

/** A live query of one document. It is `ready` with `row: undefined` when there is no such document. */
export type DocumentState<T> = {
  readonly status: QueryState<T>['status'];
  readonly row: T | undefined;
  readonly error: unknown;
};

/** Before the first rows. The same object always, so that frameworks see that nothing has changed. */
export const LOADING: QueryState<never> = { status: 'loading', rows: [], error: undefined };

/** Tells each state after `LOADING`, from this call until the function that it answers is called. */
export function observe<T>(source: LiveSource<T>, show: (state: QueryState<T>) => void): () => void {
  let last: QueryState<T> = LOADING;
  let isStopped = false;
  const tell = (state: QueryState<T>): void => {
    last = state;
    if (!isStopped) show(state);
  };
  const next = (rows: readonly T[]): void => tell({ status: 'ready', rows, error: undefined });
  const error = (reason: unknown): void => tell({ status: 'error', rows: last.rows, error: reason });
  const subscription = source.$.subscribe({
    next,
    error,
    complete() {
      // The store is closed. Rows that were seen stay on the screen; who waits for the first ones must hear why not.
      if (last.status === 'loading') source.then(next, error);
    },
  });
  return () => {
    isStopped = true;
    subscription.unsubscribe();
  };
}

export const toDocumentState = <T>({ status, rows, error }: QueryState<T>): DocumentState<T> => ({
  status,
  row: rows[0],
  error,
});
