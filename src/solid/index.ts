/** `collection-store/solid`: signals. They end with the owner under which they were made. */
import { type Accessor, createComputed, createMemo, createSignal, onCleanup } from 'solid-js';
import type { Key } from '../base/row.ts';
import { documentQuery } from '../bindings/document-query.ts';
import type { LiveSource } from '../bindings/live-source.ts';
import { LOADING, observe, type QueryState } from '../bindings/query-state.ts';
import { observeStatus, type StatusSource, type StoreStatus } from '../bindings/status-source.ts';
import type { Collection } from '../client/collection.ts';

export type { LiveSource } from '../bindings/live-source.ts';
export type { QueryState } from '../bindings/query-state.ts';
export type { StatusSource } from '../bindings/status-source.ts';

/** The parts of a `QueryState`. They change together. */
export type QueryAccessors<T> = {
  readonly rows: Accessor<readonly T[]>;
  readonly status: Accessor<QueryState<T>['status']>;
  readonly error: Accessor<unknown>;
};

/** The parts of a `DocumentState`. */
export type DocumentAccessors<T> = Omit<QueryAccessors<T>, 'rows'> & { readonly row: Accessor<T | undefined> };

/**
 * The rows of a query, now and after each change. `make` runs again when a signal that it reads changes; the status is
 * `loading`, without rows, until the new query has answered. While it answers undefined nothing is asked.
 *
 *     const { rows, status, error } = useQuery(() => store.tasks.find({ project: project() }));
 *     // In markup: <For each={rows()}>{(task) => <li>{task.title}</li>}</For>
 */
export function useQuery<T>(make: () => LiveSource<T> | undefined): QueryAccessors<T> {
  const [state, setState] = createSignal<QueryState<T>>(LOADING);
  // Not an effect: those of a page run after it is shown, and the question can leave before.
  createComputed(() => {
    const query = make();
    setState(() => LOADING);
    if (query !== undefined) onCleanup(observe(query, (next) => setState(() => next)));
  });
  return {
    rows: createMemo(() => state().rows),
    status: createMemo(() => state().status),
    error: createMemo(() => state().error),
  };
}

/**
 * One document, now and after each change. `ready` without a row: there is none with that key. Nothing is asked while the
 * collection or the key is undefined.
 *
 *     const { row, status, error } = useDocument(() => store.tasks, () => props.id);
 */
export function useDocument<T extends object, In, K extends Key>(
  collection: Accessor<Collection<T, In, K> | undefined>,
  key: Accessor<K | undefined>,
): DocumentAccessors<T> {
  const { rows, status, error } = useQuery(() => documentQuery(collection(), key()));
  return { row: createMemo(() => rows()[0]), status, error };
}

/**
 * The state of a store, now and after each change.
 *
 *     const status = useStatus(store);
 */
export function useStatus(store: StatusSource): Accessor<StoreStatus> {
  const [status, setStatus] = createSignal(store.status);
  onCleanup(observeStatus(store, (next) => setStatus(() => next)));
  return status;
}
