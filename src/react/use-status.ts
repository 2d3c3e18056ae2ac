/** The state of a store in a function component. */
import { useCallback, useSyncExternalStore } from 'react';
import { observeStatus, type StatusSource, type StoreStatus } from '../bindings/status-source.ts';

/**
 * The state of a store, now and after each change.
 *
 *     const { state, reasons, durability } = useStatus(store);
 */
export function useStatus(store: StatusSource): StoreStatus {
  const subscribe = useCallback((onChange: () => void) => observeStatus(store, onChange), [store]);
  const read = (): StoreStatus => store.status;
  return useSyncExternalStore(subscribe, read, read);
}
