/**
 * `collection-store/svelte`: stores, to be read with `$`. Each asks while it has subscribers, and not before. For a
 * question that changes make a new store: `const found = $derived(queryStore(store.tasks.find({ project })))`, then `$found`.
 */
import { type Readable, readable } from 'svelte/store';
import type { Key } from '../base/row.ts';
import { documentQuery } from '../bindings/document-query.ts';
import type { LiveSource } from '../bindings/live-source.ts';
import { type DocumentState, LOADING, observe, type QueryState, toDocumentState } from '../bindings/query-state.ts';
import { observeStatus, type StatusSource, type StoreStatus } from '../bindings/status-source.ts';
import type { Collection } from '../client/collection.ts';

export type { LiveSource } from '../bindings/live-source.ts';
export type { DocumentState, QueryState } from '../bindings/query-state.ts';
export type { StatusSource } from '../bindings/status-source.ts';

/**
 * The rows of a query, now and after each change. Without a query it stays `loading`.
 *
 *     const tasks = queryStore(store.tasks.find({ status: 'open' }));
 *     // In markup: {#each $tasks.rows as task (task.id)} ... {/each}
 */
export function queryStore<T>(query: LiveSource<T> | undefined): Readable<QueryState<T>> {
  return readable<QueryState<T>>(LOADING, (set) => query && observe(query, set));
}

/**
 * One document, now and after each change. `ready` without a row: there is none with that key. Without a collection or a
 * key it stays `loading`.
 *
 *     const task = documentStore(store.tasks, id);
 */
export function documentStore<T extends object, In, K extends Key>(
  collection: Collection<T, In, K> | undefined,
  key: K | undefined,
): Readable<DocumentState<T>> {
  const query = documentQuery(collection, key);
  return readable<DocumentState<T>>(
    toDocumentState<T>(LOADING),
    (set) => query && observe(query, (state) => set(toDocumentState(state))),
  );
}

/**
 * The state of a store, now and after each change.
 *
 *     const status = statusStore(store);
 */
export function statusStore(store: StatusSource): Readable<StoreStatus> {
  return readable(store.status, (set) => observeStatus(store, set));
}
