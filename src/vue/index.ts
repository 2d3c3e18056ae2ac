/** `collection-store/vue`: composables. They end with the component or effect scope that calls them. */
import {
  type ComputedRef,
  computed,
  type MaybeRefOrGetter,
  onScopeDispose,
  type ShallowRef,
  shallowRef,
  toRaw,
  toValue,
  watch,
} from 'vue';
import type { Key } from '../base/row.ts';
import { documentQuery } from '../bindings/document-query.ts';
import type { LiveSource } from '../bindings/live-source.ts';
import { LOADING, observe, type QueryState } from '../bindings/query-state.ts';
import { observeStatus, type StatusSource, type StoreStatus } from '../bindings/status-source.ts';
import type { Collection } from '../client/collection.ts';

export type { LiveSource } from '../bindings/live-source.ts';
export type { QueryState } from '../bindings/query-state.ts';
export type { StatusSource } from '../bindings/status-source.ts';

/** The parts of a `QueryState`. They change together. Rows are not made reactive: a row changes by being replaced. */
export type QueryRefs<T> = {
  readonly rows: ComputedRef<readonly T[]>;
  readonly status: ComputedRef<QueryState<T>['status']>;
  readonly error: ComputedRef<unknown>;
};

/** The parts of a `DocumentState`. */
export type DocumentRefs<T> = Omit<QueryRefs<T>, 'rows'> & { readonly row: ComputedRef<T | undefined> };

/**
 * The rows of a query, now and after each change. Of a getter a new query is made when what it reads changes; the status is
 * `loading`, without rows, until that has answered. While there is no query nothing is asked.
 *
 *     const { rows, status, error } = useQuery(() => store.tasks.find({ project: project.value }));
 */
export function useQuery<T>(source: MaybeRefOrGetter<LiveSource<T> | undefined>): QueryRefs<T> {
  const state = shallowRef<QueryState<T>>(LOADING);
  watch(
    () => toValue(source),
    (query, _before, onCleanup) => {
      state.value = LOADING;
      if (query === undefined) return;
      const stop = observe(toRaw(query), (next) => {
        state.value = next;
      });
      onCleanup(stop);
    },
    { immediate: true },
  );
  return {
    rows: computed(() => state.value.rows),
    status: computed(() => state.value.status),
    error: computed(() => state.value.error),
  };
}

/**
 * One document, now and after each change. `ready` without a row: there is none with that key. Nothing is asked while
 * the collection or the key is undefined.
 *
 *     const { row, status, error } = useDocument(store.tasks, () => props.id);
 */
export function useDocument<T extends object, In, K extends Key>(
  collection: Collection<T, In, K> | (() => Collection<T, In, K> | undefined),
  key: MaybeRefOrGetter<K | undefined>,
): DocumentRefs<T> {
  const { rows, status, error } = useQuery(() => documentQuery(toValue(collection), toValue(key)));
  return { row: computed(() => rows.value[0]), status, error };
}

/**
 * The state of a store, now and after each change.
 *
 *     const status = useStatus(store);
 */
export function useStatus(store: StatusSource): Readonly<ShallowRef<StoreStatus>> {
  const status = shallowRef(store.status);
  const stop = observeStatus(store, (next) => {
    status.value = next;
  });
  onScopeDispose(stop);
  return status;
}
