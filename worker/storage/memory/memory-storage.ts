/**
 * A store's home in memory: the last resort of failover, and the plain model that tests compare with. What it holds is an
 * image that outlives it, so a test can reopen a store after a crash.
 */
import { assert } from '../../../src/base/assert.ts';
import { type BlobId, type Lsn, type PageId, toBlobId, toLsn, toPageId } from '../../../src/base/ids.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import type { BlobStore } from '../blob-store.ts';
import type { LogAppend, LogRecord, LogStore } from '../log-store.ts';
import type { MetaStore } from '../meta-store.ts';
import type { PageCommit, PageStore, Superblock } from '../page-store.ts';
import { nextQuarantineRound, QUARANTINE_PREFIX, quarantineKey } from '../quarantine-key.ts';
import type { Storage, StorageUsage } from '../storage.ts';
import { assertAppend, assertPageCommit } from '../write-rules.ts';
import { createMemoryImage, type MemoryImage } from './memory-image.ts';

/** A storage on `image`, a fresh one by default. Several storages may stand on one image, as tabs do on a database. */
export function createMemoryStorage(image: MemoryImage = createMemoryImage()): Storage {
  const access = new ImageAccess(image);
  return {
    kind: 'memory',
    log: new MemoryLogStore(access),
    pages: new MemoryPageStore(access),
    blobs: new MemoryBlobStore(access),
    meta: new MemoryMetaStore(access),
    usage: async () => usageOf(access.open()),
    close: async () => access.close(),
    destroy: async () => {
      access.close();
      const { log, pages, blobs, meta } = image;
      log.clear();
      for (const map of [pages, blobs, meta]) map.clear();
      image.superblock = undefined;
    },
  };
}

class ImageAccess {
  readonly #image: MemoryImage;
  #isClosed = false;

  constructor(image: MemoryImage) {
    this.#image = image;
  }

  open(): MemoryImage {
    if (!this.#isClosed) return this.#image;
    throw new StoreError('storage/closed', 'The storage is closed: it was closed.', { hint: 'Reopen the store.' });
  }

  close(): void {
    this.#isClosed = true;
  }
}

// Methods are async so that what they throw rejects, but they never wait: each is done before it returns, like a
// transaction that is queued at once. Everything is checked before anything is changed.

class MemoryLogStore implements LogStore {
  readonly #access: ImageAccess;

  constructor(access: ImageAccess) {
    this.#access = access;
  }

  async append(batch: LogAppend): Promise<void> {
    const image = this.#access.open();
    assertAppend(batch);
    for (const { lsn } of batch.records) if (image.log.has(lsn)) throw collision('storage/log-collision', 'log', lsn);
    const ids = new Set<number>();
    for (const { id } of batch.blobs) {
      if (image.blobs.has(id) || ids.has(id)) throw collision('storage/blob-collision', 'blobs', id);
      ids.add(id);
    }
    for (const { lsn, bytes } of batch.records) image.log.set(lsn, bytes.slice());
    for (const { id, bytes } of batch.blobs) image.blobs.set(id, bytes.slice());
  }

  async read(after: Lsn, limit: number): Promise<readonly LogRecord[]> {
    const { log } = this.#access.open();
    assert(limit > 0, `Not a limit: ${limit}.`);
    return log.lsnsAfter(after, limit).map((lsn) => ({ lsn: toLsn(lsn), bytes: log.get(lsn)!.slice() }));
  }

  async trim(upTo: Lsn, after?: Lsn): Promise<void> {
    this.#access.open().log.deleteUpTo(upTo, after);
  }

  async quarantine(after: Lsn): Promise<number> {
    const { log, meta } = this.#access.open();
    const round = nextQuarantineRound(
      [...meta.keys()]
        .filter((key) => key.startsWith(QUARANTINE_PREFIX))
        .sort()
        .at(-1),
    );
    const lsns = log.lsnsAfter(after, Number.POSITIVE_INFINITY);
    for (const lsn of lsns) meta.set(quarantineKey(round, lsn), log.get(lsn)!.slice().buffer);
    log.deleteAfter(after);
    return lsns.length;
  }
}

class MemoryPageStore implements PageStore {
  readonly #access: ImageAccess;

  constructor(access: ImageAccess) {
    this.#access = access;
  }

  async readSuperblock(): Promise<Superblock | undefined> {
    const { superblock } = this.#access.open();
    return superblock && { generation: superblock.generation, bytes: superblock.bytes.slice() };
  }

  async read(ids: readonly PageId[]): Promise<readonly (Uint8Array | undefined)[]> {
    const { pages } = this.#access.open();
    return ids.map((id) => pages.get(id)?.slice());
  }

  async commit(commit: PageCommit): Promise<void> {
    const image = this.#access.open();
    assertPageCommit(commit);
    const stored = image.superblock?.generation ?? 0;
    const { generation, bytes } = commit.superblock;
    if (stored !== generation - 1) {
      throw new StoreError('storage/generation-mismatch', `Generation ${generation} cannot follow ${stored}.`, {
        details: { stored, next: generation },
        hint: 'Another writer has made a checkpoint. Reopen the store.',
      });
    }
    const ids = new Set<number>();
    for (const { id } of commit.writes) {
      if (image.pages.has(id) || ids.has(id)) throw collision('storage/page-collision', 'pages', id);
      ids.add(id);
    }
    for (const page of commit.writes) image.pages.set(page.id, page.bytes.slice());
    for (const id of commit.frees) image.pages.delete(id);
    image.superblock = { generation, bytes: bytes.slice() };
  }

  async ids(): Promise<readonly PageId[]> {
    return [...this.#access.open().pages.keys()].sort(ascending).map(toPageId);
  }
}

class MemoryBlobStore implements BlobStore {
  readonly #access: ImageAccess;

  constructor(access: ImageAccess) {
    this.#access = access;
  }

  async read(id: BlobId): Promise<Uint8Array | undefined> {
    return this.#access.open().blobs.get(id)?.slice();
  }

  async delete(ids: readonly BlobId[]): Promise<void> {
    const { blobs } = this.#access.open();
    for (const id of ids) blobs.delete(id);
  }

  async ids(): Promise<readonly BlobId[]> {
    return [...this.#access.open().blobs.keys()].sort(ascending).map(toBlobId);
  }
}

class MemoryMetaStore implements MetaStore {
  readonly #access: ImageAccess;

  constructor(access: ImageAccess) {
    this.#access = access;
  }

  async get(key: string): Promise<unknown> {
    return structuredClone(this.#access.open().meta.get(key));
  }

  async put(key: string, value: unknown): Promise<void> {
    const { meta } = this.#access.open();
    try {
      meta.set(key, structuredClone(value));
    } catch (error) {
      throw new StoreError('storage/failed', `The value of ${key} cannot be stored.`, {
        details: { key },
        cause: error,
      });
    }
  }

  async delete(key: string): Promise<void> {
    this.#access.open().meta.delete(key);
  }

  async keys(prefix: string): Promise<readonly string[]> {
    return [...this.#access.open().meta.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
}

const ascending = (a: number, b: number): number => a - b;

function usageOf({ log, pages, blobs }: MemoryImage): StorageUsage {
  const sum = (values: Iterable<Uint8Array>): number => {
    let bytes = 0;
    for (const value of values) bytes += value.byteLength;
    return bytes;
  };
  return {
    logRecords: log.size,
    logBytes: sum(log.values()),
    pages: pages.size,
    pageBytes: sum(pages.values()),
    blobBytes: sum(blobs.values()),
  };
}

type CollisionCode = 'storage/log-collision' | 'storage/blob-collision' | 'storage/page-collision';

function collision(code: CollisionCode, source: string, id: number): StoreError {
  return new StoreError(code, `Another writer has this store: a record of ${source} exists. Nothing was written.`, {
    details: { source, id },
    hint: 'Reopen the store.',
  });
}
