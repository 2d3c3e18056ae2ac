/**
 * The little that the log asks of a key-value store: atomic writes, order by bytes, and views that stand still.
 */
export type Write =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array };

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

/** Keys from `from` (included) to `to` (excluded), by their bytes. */
export type KeyRange = { readonly from: Uint8Array; readonly to: Uint8Array };

/** One moment of the store. */
export interface StoreView {
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** Entries in order, until their values have `bytesMax` bytes together or there are `countMax`; at least one. */
  range(range: KeyRange, limits: { readonly bytesMax: number; readonly countMax: number }): Promise<readonly Entry[]>;
}

export interface OrderedStore {
  /**
   * All or nothing. `flushed`: resolves when it would survive a power cut. `buffered`: survives the death of the
   * process, and never without all writes before it.
   */
  write(writes: readonly Write[], durability: 'flushed' | 'buffered'): Promise<void>;
  /** Runs `read` on a view, which ends when the promise settles. */
  withView<T>(read: (view: StoreView) => Promise<T>): Promise<T>;
  last(range: KeyRange): Promise<Entry | undefined>;
  /** Removes a range; may be interrupted by a crash anywhere in it. */
  clear(range: KeyRange): Promise<void>;
  approximateBytes(range: KeyRange): Promise<number>;
  close(): Promise<void>;
}
