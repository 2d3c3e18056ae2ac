/**
 * Live queries in function components.
 *
 * A hook takes a function that makes the query, and what that function depends on, rather than a query: an object
 * literal in a render is a new object each time, and comparing selectors by content would cost every render. The second
 * argument is checked by `react-hooks/exhaustive-deps` with `additionalHooks: '(useQuery|useSuspenseQuery)'`.
 */
import { useMemo, useSyncExternalStore } from 'react';
import { createPlatform } from '../base/platform.ts';
import type { Key } from '../base/row.ts';
import { documentQuery } from '../bindings/document-query.ts';
import type { LiveSource } from '../bindings/live-source.ts';
import { type DocumentState, type QueryState, toDocumentState } from '../bindings/query-state.ts';
import type { Collection } from '../client/collection.ts';
import { LiveStore } from './live-store.ts';
import { SuspenseCache } from './suspense-cache.ts';

/**
 * The one thing here that outlives components: what was loaded for one that is not mounted yet. It holds a query for
 * seconds only, see there.
 */
const suspended = new SuspenseCache(createPlatform());

/**
 * The rows of a query, now and after each change. `make` is called again when one of `deps` changes; until the new query
 * has answered, the status is `loading` and there are no rows. While `make` answers undefined nothing is asked.
 *
 *     const { rows, status, error } = useQuery(() => store.tasks.find({ project }, { sort: { dueAt: 1 } }), [project]);
 */
export function useQuery<T>(make: () => LiveSource<T> | undefined, deps: readonly unknown[]): QueryState<T> {
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are the caller's, who is checked.
  const live = useMemo(() => new LiveStore(make()), deps);
  return useLive(live);
}

/**
 * The rows of a query, in a component that is not shown before they are there: it suspends until then, and throws what
 * goes wrong to the nearest error boundary. Inside a transition the old rows stay until the new ones are there. Components
 * that ask the same share one query. `deps` as for `useQuery`.
 *
 *     const rows = useSuspenseQuery(() => store.tasks.find({ project }), [project]);
 */
export function useSuspenseQuery<T>(make: () => LiveSource<T>, deps: readonly unknown[]): readonly T[] {
  // biome-ignore lint/correctness/useExhaustiveDependencies: they are the caller's, who is checked.
  const waiting = useMemo(() => suspended.find(make()), deps);
  const { status, rows, error } = useLive(waiting.live);
  if (status === 'loading') throw waiting.loaded;
  if (status === 'error') throw error;
  return rows;
}

/**
 * One document, now and after each change. `ready` without a row: there is none with that key. Nothing is asked while
 * the collection or the key is undefined.
 *
 *     const { row, status, error } = useDocument(store.tasks, id);
 */
export function useDocument<T extends object, In, K extends Key>(
  collection: Collection<T, In, K> | undefined,
  key: K | undefined,
): DocumentState<T> {
  const state = useQuery(() => documentQuery(collection, key), [collection, key]);
  return useMemo(() => toDocumentState(state), [state]);
}

const useLive = <T>({ subscribe, read }: LiveStore<T>): QueryState<T> => useSyncExternalStore(subscribe, read, read);
