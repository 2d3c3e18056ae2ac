import type { PageId } from '../../src/base/ids.ts';

/** The root of everything in the page store. The bytes are the engine's; the generation fences checkpoints. */
export type Superblock = {
  /** 1 for the first checkpoint of a store, one more for each that follows. */
  readonly generation: number;
  readonly bytes: Uint8Array;
};

export type PageCommit = {
  readonly writes: readonly { readonly id: PageId; readonly bytes: Uint8Array }[];
  readonly frees: readonly PageId[];
  /** Its generation is one above that of the superblock that it replaces. */
  readonly superblock: Superblock;
};

/** Pages and their superblock. Page bytes are at most RECORD_BYTES_MAX, and a page is never rewritten under its id. */
export interface PageStore {
  readSuperblock(): Promise<Superblock | undefined>;
  /** The pages in the order asked, in one transaction; `undefined` where there is none. */
  read(ids: readonly PageId[]): Promise<readonly (Uint8Array | undefined)[]>;
  /**
   * Writes pages, frees pages and replaces the superblock, all or nothing (B8), with strict durability. Rejects with
   * `storage/generation-mismatch`, and changes nothing, when the stored generation is not one below the new one:
   * another writer has made a checkpoint. `storage/quota` and `storage/failed` also mean that nothing was written.
   */
  commit(commit: PageCommit): Promise<void>;
  /** Ids of all stored pages, ascending. For verification and the removal of orphans. */
  ids(): Promise<readonly PageId[]>;
}
