import type { BlobId, Lsn } from '../../src/base/ids.ts';

/** How far an append has gone when it is answered: `strict` asks the OS to flush, `relaxed` survives a killed browser. */
export type AppendDurability = 'strict' | 'relaxed';

export type LogRecord = {
  readonly lsn: Lsn;
  /** At most RECORD_BYTES_MAX bytes. */
  readonly bytes: Uint8Array;
};

/** A value for the blob store, written in the transaction of the log records that name it. */
export type BlobWrite = {
  readonly id: BlobId;
  /** The value, whole. The store splits it into chunks of at most RECORD_BYTES_MAX. */
  readonly bytes: Uint8Array;
};

export type LogAppend = {
  /** Consecutive LSNs, ascending. */
  readonly records: readonly LogRecord[];
  readonly blobs: readonly BlobWrite[];
  readonly durability: AppendDurability;
};

/**
 * The write-ahead log's home. It stores records under their LSN and knows nothing of what is in them.
 * A record that exists is never overwritten: that is the fence against a second writer (T2).
 */
export interface LogStore {
  /**
   * Adds the records and blobs in one transaction and resolves after it is complete (B1). A rejection means that
   * nothing was written: `storage/log-collision` when one of the LSNs is taken (another writer has this store),
   * `storage/quota`, `storage/failed`. The only exception is `storage/outcome-unknown`, which poisons the engine.
   */
  append(batch: LogAppend): Promise<void>;
  /**
   * Up to `limit` records with an LSN above `after`, ascending. Gaps and bad bytes are the reader's concern. Fewer than
   * `limit` records means the end of the log.
   */
  read(after: Lsn, limit: number): Promise<readonly LogRecord[]>;
  /** Deletes records with an LSN above `after` and of at most `upTo`. Safe to repeat. */
  trim(upTo: Lsn, after?: Lsn): Promise<void>;
  /**
   * Moves all records with an LSN above `after` out of the log, in one transaction, so that they neither replay nor
   * collide, and keeps their bytes (B7: nothing is destroyed). Answers how many there were.
   */
  quarantine(after: Lsn): Promise<number>;
}
