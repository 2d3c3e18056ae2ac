import type { BlobId } from '../../src/base/ids.ts';

/** Values too large for a page, in chunks of at most RECORD_BYTES_MAX. They are written by LogStore.append. */
export interface BlobStore {
  /** The whole value, in one transaction, or `undefined` when it is absent. A missing chunk rejects with `storage/damaged`. */
  read(id: BlobId): Promise<Uint8Array | undefined>;
  /** Deletes values. Safe to repeat. */
  delete(ids: readonly BlobId[]): Promise<void>;
  /** Ids of all stored values, ascending. */
  ids(): Promise<readonly BlobId[]>;
}
