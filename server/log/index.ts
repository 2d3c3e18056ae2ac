/** The relay's log: its contract, and the implementations that come with it. FORMAT.md has the bytes. */
export { openKeyedLog, STORES_MAX } from './keyed-log.ts';
export { createMemoryHome, type MemoryHome } from './memory-store.ts';
export { openLevelLog, openMemoryLog } from './open-log.ts';
export type { Entry, KeyRange, OrderedStore, StoreView, Write } from './ordered-store.ts';
export type {
  Appended,
  Batch,
  NewBatch,
  RelayLog,
  RowState,
  RowsRead,
  StatePut,
  StoredRow,
  StoreLog,
} from './relay-log.ts';
