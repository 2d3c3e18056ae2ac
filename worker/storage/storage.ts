import type { BlobStore } from './blob-store.ts';
import type { LogStore } from './log-store.ts';
import type { MetaStore } from './meta-store.ts';
import type { PageStore } from './page-store.ts';

export type StorageUsage = {
  readonly logRecords: number;
  readonly logBytes: number;
  readonly pages: number;
  readonly pageBytes: number;
  readonly blobBytes: number;
};

/** One home of one store: the four stores on one database, and their common end. */
export interface Storage {
  readonly kind: 'indexeddb' | 'memory';
  readonly log: LogStore;
  readonly pages: PageStore;
  readonly blobs: BlobStore;
  readonly meta: MetaStore;
  /**
   * Of a log with a tail: whether appends go to it now. `missing`: the store named a tail that was not there when it
   * was opened, so that the newest writes may be lost.
   */
  readonly tail?: () => 'used' | 'unused' | 'missing';
  /** Bytes of values held, by reading them all: for tests and reports, not for a hot path. */
  usage(): Promise<StorageUsage>;
  /** Waits for what is under way, then releases the database. Later calls reject with `storage/closed`. */
  close(): Promise<void>;
  /** Closes and deletes everything. */
  destroy(): Promise<void>;
}
