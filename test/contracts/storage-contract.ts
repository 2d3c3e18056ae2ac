/**
 * What every Storage promises, as cases that run on all of them, in Node and in browsers (B18). An adapter author calls
 * `describeStorage` with a function that creates an empty home.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobId, type Lsn, type PageId, toBlobId, toLsn, toPageId } from '../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';
import type { AppendDurability, BlobWrite, LogAppend, LogRecord } from '../../worker/storage/log-store.ts';
import type { PageCommit } from '../../worker/storage/page-store.ts';
import type { Storage } from '../../worker/storage/storage.ts';

/** One place to store, empty when it is created. Each `open` is another storage on it, as another tab or run would be. */
export type StorageHome = { open(): Promise<Storage> };

export type StorageContractOptions = {
  /** Leaves out cases that move tens of megabytes. */
  readonly slowCases: 'run' | 'skip';
  /** `one`: a lock keeps a second writer out, and cases with two are left out. Default `several`. */
  readonly writers?: 'one' | 'several';
};

const KIB = 1024;
const MIB = 1024 * KIB;
const QUARANTINE = 'quarantine/';
const DURABILITIES: readonly AppendDurability[] = ['strict', 'relaxed'];
/** Around every power of two that a format or a browser may treat apart, up to the largest record. */
const RECORD_SIZES = [
  0, 1, 2, 127, 128, 255, 256, 1023, 1024, 4095, 4096, 16_384, 32_767, 32_768, 49_151, 49_152,
] as const;
const BLOB_SIZES = [
  ['0 B', 0],
  ['1 B', 1],
  ['48 KiB - 1', RECORD_BYTES_MAX - 1],
  ['48 KiB', RECORD_BYTES_MAX],
  ['48 KiB + 1', RECORD_BYTES_MAX + 1],
  ['96 KiB', 2 * RECORD_BYTES_MAX],
  ['96 KiB + 1', 2 * RECORD_BYTES_MAX + 1],
  ['1 MiB', MIB],
  ['255 chunks', 255 * RECORD_BYTES_MAX],
  ['255 chunks + 1 B', 255 * RECORD_BYTES_MAX + 1],
] as const;

export function describeStorage(
  name: string,
  createHome: () => StorageHome,
  { slowCases, writers = 'several' }: StorageContractOptions = { slowCases: 'run' },
): void {
  // Deep equality of large byte arrays takes seconds; this decides for them alone.
  expect.addEqualityTesters([bothBytesEqual]);
  describe(`storage contract: ${name}`, () => {
    let fixture: Fixture;
    beforeEach(async () => {
      fixture = await createFixture(createHome());
    });
    afterEach(() => fixture.dispose());
    const use = (): Fixture => fixture;
    describeAppend(use);
    describeLogRead(use);
    describeCollisions(use, writers);
    describeTrim(use);
    describeQuarantine(use);
    describePages(use);
    describeGenerations(use);
    describeBlobs(use, slowCases);
    describeMeta(use);
    describeLife(use, writers);
  });
}

function describeAppend(use: () => Fixture): void {
  describe('log.append', () => {
    test.each(RECORD_SIZES)('[B18] a record of %i bytes comes back whole', async (size) => {
      const { storage } = use();
      await storage.log.append(batch(1, [pattern(size, 1)]));
      expect(await contents(storage)).toEqual([[1, pattern(size, 1)]]);
    });

    test.each([1, 2, 3, 10, 100, 1000])('[B18] %i records in one append', async (count) => {
      const { storage } = use();
      await storage.log.append(records(1, count));
      expect(await lsns(storage)).toEqual(range(1, count));
    });

    for (const durability of DURABILITIES) {
      test.each([0, 1, 3])(`[B2] [B18] ${durability} with %i blobs`, async (count) => {
        const { storage } = use();
        const blobs = range(1, count).map((id) => blob(id, 100));
        await storage.log.append({ ...records(1, 2), blobs, durability });
        expect(await lsns(storage)).toEqual([1, 2]);
        expect(await storage.blobs.ids()).toEqual(range(1, count));
      });
    }

    test.each([1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 3])('[B18] LSNs from %i', async (first) => {
      const { storage } = use();
      await storage.log.append(records(first, 3));
      expect(await lsns(storage)).toEqual([first, first + 1, first + 2]);
    });

    test('[B18] appends that follow each other', async () => {
      const { storage } = use();
      for (let lsn = 1; lsn <= 20; lsn++) await storage.log.append(records(lsn, 1));
      expect(await lsns(storage)).toEqual(range(1, 20));
    });

    test('[B18] appends that do not wait for each other', async () => {
      const { storage } = use();
      await Promise.all(range(1, 20).map((lsn) => storage.log.append(records(lsn, 1))));
      expect(await lsns(storage)).toEqual(range(1, 20));
    });

    test('[B18] records of 4 MiB in one append', async () => {
      const { storage } = use();
      const parts = range(1, 85).map((n) => pattern(RECORD_BYTES_MAX, n));
      await storage.log.append(batch(1, parts));
      const stored = await storage.log.read(toLsn(0), 100);
      expect(stored.length).toBe(85);
      for (const [index, { bytes }] of stored.entries()) expect(equalBytes(bytes, parts[index]!)).toBe(true);
    });

    test('[B18] the caller may reuse its bytes once the append is queued', async () => {
      const { storage } = use();
      const bytes = pattern(100, 1);
      const appended = storage.log.append(batch(1, [bytes]));
      bytes.fill(0);
      await appended;
      expect(await contents(storage)).toEqual([[1, pattern(100, 1)]]);
    });

    test('[B18] a view stores its own bytes and nothing of the buffer around it', async () => {
      const { storage } = use();
      const whole = pattern(10_000, 1);
      await storage.log.append(batch(1, [whole.subarray(500, 600)]));
      expect(await contents(storage)).toEqual([[1, pattern(10_000, 1).slice(500, 600)]]);
      expect((await storage.usage()).logBytes).toBe(100);
    });

    test('[B18] what was read is a copy', async () => {
      const { storage } = use();
      await storage.log.append(batch(1, [pattern(100, 1)]));
      const [record] = await storage.log.read(toLsn(0), 1);
      record!.bytes.fill(0);
      expect(await contents(storage)).toEqual([[1, pattern(100, 1)]]);
    });

    test.each([
      ['no record', batch(1, [])],
      ['a gap', rawAppend([1, 3])],
      ['descending LSNs', rawAppend([2, 1])],
      ['an LSN twice', rawAppend([1, 1])],
      ['LSN 0', rawAppend([0, 1])],
      ['a record that is too large', batch(1, [pattern(10, 1), pattern(RECORD_BYTES_MAX + 1, 1)])],
    ])('[B18] refuses %s as a bug and stores nothing', async (_, append) => {
      const { storage } = use();
      await expect(storage.log.append({ ...append, blobs: [blob(1, 10)] })).rejects.toThrow();
      expect(await lsns(storage)).toEqual([]);
      expect(await storage.blobs.ids()).toEqual([]);
    });
  });
}

function describeLogRead(use: () => Fixture): void {
  describe('log.read', () => {
    for (const after of [0, 1, 5, 9, 10, 11]) {
      test.each([1, 3, 10, 11])(`[B18] after ${after} of 10, at most %i`, async (limit) => {
        const { storage } = use();
        await storage.log.append(records(1, 10));
        const read = await storage.log.read(toLsn(after), limit);
        expect(read.map(({ lsn }) => lsn)).toEqual(
          range(1, 10)
            .filter((lsn) => lsn > after)
            .slice(0, limit),
        );
      });
    }

    test.each([1, 2, 3, 7, 64, 100, 101])('[B18] pages through 100 records by %i', async (limit) => {
      const { storage } = use();
      await storage.log.append(records(1, 100));
      const all: number[] = [];
      for (let last = 0; ; last = all.at(-1)!) {
        const read = await storage.log.read(toLsn(last), limit);
        all.push(...read.map(({ lsn }) => lsn));
        if (read.length < limit) break;
      }
      expect(all).toEqual(range(1, 100));
    });

    test('[B18] shows gaps as they are', async () => {
      const { storage } = use();
      await storage.log.append(records(1, 2));
      await storage.log.append(records(5, 2));
      expect(await lsns(storage)).toEqual([1, 2, 5, 6]);
    });

    test('[B18] ascending, in whatever order they were written', async () => {
      const { storage } = use();
      for (const first of [100, 9, 1000, 1, 20]) await storage.log.append(records(first, 2));
      expect(await lsns(storage)).toEqual([1, 2, 9, 10, 20, 21, 100, 101, 1000, 1001]);
    });

    test('[B10] [B18] an empty log reads as empty', async () => {
      expect(await use().storage.log.read(toLsn(0), 10)).toEqual([]);
    });

    test('[B18] refuses a limit of 0 as a bug', async () => {
      await expect(use().storage.log.read(toLsn(0), 0)).rejects.toThrow();
    });
  });
}

function describeCollisions(use: () => Fixture, writers: 'one' | 'several'): void {
  const testOfTwo = test.skipIf(writers === 'one');
  describe('collisions', () => {
    test.each([
      [3, 1],
      [3, 2],
      [2, 2],
      [2, 3],
      [1, 3],
      [1, 5],
      [1, 100],
    ])('[T2] [B18] LSN 3 is taken: an append at %i of %i records stores nothing', async (first, count) => {
      const { storage } = use();
      await storage.log.append(batch(3, [pattern(50, 99)]));
      const append = { ...records(first, count), blobs: [blob(1, 100)] };
      await expect(storage.log.append(append)).rejects.toMatchObject({ code: 'storage/log-collision' });
      expect(await contents(storage)).toEqual([[3, pattern(50, 99)]]);
      expect(await storage.blobs.ids()).toEqual([]);
    });

    testOfTwo.each(DURABILITIES)(
      '[T2] [B18] of two writers the second to take an LSN loses (%s)',
      async (durability) => {
        const { storage, reopen } = use();
        const other = await reopen();
        await storage.log.append({ ...batch(1, [pattern(10, 1)]), durability });
        const late = other.log.append({ ...batch(1, [pattern(10, 2), pattern(10, 3)]), durability });
        await expect(late).rejects.toMatchObject({ code: 'storage/log-collision' });
        expect(await contents(other)).toEqual([[1, pattern(10, 1)]]);
      },
    );

    testOfTwo('[T2] [B18] of two writers at once exactly one wins', async () => {
      const { storage, reopen } = use();
      const other = await reopen();
      const results = await Promise.allSettled([
        storage.log.append(batch(1, [pattern(10, 1)])),
        other.log.append(batch(1, [pattern(10, 2)])),
      ]);
      const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index + 1] : []));
      expect(winners.length).toBe(1);
      expect(await contents(storage)).toEqual([[1, pattern(10, winners[0]!)]]);
    });

    test('[B18] the storage goes on after a collision', async () => {
      const { storage } = use();
      await storage.log.append(records(1, 1));
      await expect(storage.log.append(records(1, 1))).rejects.toMatchObject({ code: 'storage/log-collision' });
      await storage.log.append(records(2, 1));
      expect(await lsns(storage)).toEqual([1, 2]);
    });

    test('[B18] a blob id that is taken stores nothing', async () => {
      const { storage } = use();
      await storage.log.append({ ...records(1, 1), blobs: [blob(7, 100)] });
      const append = { ...records(2, 1), blobs: [blob(8, 10), { id: toBlobId(7), bytes: pattern(5, 5) }] };
      await expect(storage.log.append(append)).rejects.toMatchObject({ code: 'storage/blob-collision' });
      expect(await lsns(storage)).toEqual([1]);
      expect(await storage.blobs.ids()).toEqual([7]);
      expect(await storage.blobs.read(toBlobId(7))).toEqual(blob(7, 100).bytes);
    });

    test('[B18] a blob id twice in one append stores nothing', async () => {
      const { storage } = use();
      const append = { ...records(1, 1), blobs: [blob(7, 10), blob(7, 20)] };
      await expect(storage.log.append(append)).rejects.toMatchObject({ code: 'storage/blob-collision' });
      expect(await lsns(storage)).toEqual([]);
      expect(await storage.blobs.ids()).toEqual([]);
    });
  });
}

function describeTrim(use: () => Fixture): void {
  describe('log.trim', () => {
    test.each([0, 1, 5, 9, 10, 11, 1000])('[B18] up to %i of 10', async (upTo) => {
      const { storage } = use();
      await storage.log.append(records(1, 10));
      await storage.log.trim(toLsn(upTo));
      expect(await lsns(storage)).toEqual(range(1, 10).filter((lsn) => lsn > upTo));
    });

    test('[B18] may be repeated', async () => {
      const { storage } = use();
      await storage.log.append(records(1, 10));
      for (const upTo of [5, 5, 3, 7, 7]) await storage.log.trim(toLsn(upTo));
      expect(await lsns(storage)).toEqual([8, 9, 10]);
    });

    test.each([
      [7, 0],
      [7, 3],
      [7, 7],
      [3, 7],
      [1000, 9],
    ])('[B18] [T2] up to %i, without the first %i', async (upTo, after) => {
      const { storage } = use();
      await storage.log.append(records(1, 10));
      await storage.log.trim(toLsn(upTo), toLsn(after));
      expect(await lsns(storage)).toEqual(range(1, 10).filter((lsn) => lsn > upTo || lsn <= after));
    });

    test('[B18] an empty log', async () => {
      await use().storage.log.trim(toLsn(5));
      expect(await lsns(use().storage)).toEqual([]);
    });

    test('[B18] the log goes on behind what was trimmed', async () => {
      const { storage } = use();
      await storage.log.append(records(1, 3));
      await storage.log.trim(toLsn(3));
      await storage.log.append(records(4, 1));
      expect(await lsns(storage)).toEqual([4]);
    });

    test('[B18] leaves pages, blobs and meta alone', async () => {
      const { storage } = use();
      await fill(storage);
      await storage.log.trim(toLsn(100));
      expect(await storage.pages.ids()).toEqual([1, 2]);
      expect(await storage.blobs.ids()).toEqual([1]);
      expect(await storage.meta.get('name')).toBe('value');
    });
  });
}

function describeQuarantine(use: () => Fixture): void {
  describe('log.quarantine', () => {
    test.each([0, 1, 5, 9, 10, 50])('[B7] [B18] after %i of 10', async (after) => {
      const { storage } = use();
      await storage.log.append(records(1, 10));
      const gone = range(1, 10).filter((lsn) => lsn > after);
      expect(await storage.log.quarantine(toLsn(after))).toBe(gone.length);
      expect(await lsns(storage)).toEqual(range(1, 10).filter((lsn) => lsn <= after));
      expect(await quarantined(storage)).toEqual(gone.map((lsn) => recordBytes(lsn)));
    });

    test.each([255, 256, 257, 600])('[B7] [B18] %i records', async (count) => {
      const { storage } = use();
      await storage.log.append(records(1, count + 1));
      expect(await storage.log.quarantine(toLsn(1))).toBe(count);
      expect(await lsns(storage)).toEqual([1]);
      expect((await storage.meta.keys(QUARANTINE)).length).toBe(count);
    });

    test('[B7] [B18] its LSNs are free again', async () => {
      const { storage } = use();
      await storage.log.append(records(1, 5));
      await storage.log.quarantine(toLsn(3));
      await storage.log.append(batch(4, [pattern(7, 7)]));
      expect(await lsns(storage)).toEqual([1, 2, 3, 4]);
    });

    test('[B7] [B18] a second one keeps what the first one kept', async () => {
      const { storage } = use();
      await storage.log.append(batch(1, [pattern(10, 1)]));
      await storage.log.quarantine(toLsn(0));
      await storage.log.append(batch(1, [pattern(10, 2)]));
      await storage.log.quarantine(toLsn(0));
      expect(await quarantined(storage)).toEqual([pattern(10, 1), pattern(10, 2)]);
    });

    test('[B7] [B18] survives a reopen', async () => {
      const { storage, reopen } = use();
      await storage.log.append(records(1, 3));
      await storage.log.quarantine(toLsn(1));
      await storage.close();
      const again = await reopen();
      expect(await lsns(again)).toEqual([1]);
      expect(await quarantined(again)).toEqual([recordBytes(2), recordBytes(3)]);
    });

    test('[B18] records with gaps between them', async () => {
      const { storage } = use();
      for (const first of [1, 10, 20]) await storage.log.append(records(first, 2));
      expect(await storage.log.quarantine(toLsn(5))).toBe(4);
      expect(await lsns(storage)).toEqual([1, 2]);
    });
  });
}

function describePages(use: () => Fixture): void {
  describe('pages', () => {
    test('[B10] [B18] a new store has no superblock and no pages', async () => {
      const { pages } = use().storage;
      expect(await pages.readSuperblock()).toBeUndefined();
      expect(await pages.ids()).toEqual([]);
    });

    test.each(RECORD_SIZES)('[B18] a page and a superblock of %i bytes', async (size) => {
      const { pages } = use().storage;
      await pages.commit({
        writes: [{ id: toPageId(1), bytes: pattern(size, 1) }],
        frees: [],
        superblock: { generation: 1, bytes: pattern(size, 2) },
      });
      expect(await pages.read([toPageId(1)])).toEqual([pattern(size, 1)]);
      expect(await pages.readSuperblock()).toEqual({ generation: 1, bytes: pattern(size, 2) });
    });

    test.each([0, 1, 2, 50, 500])('[B18] %i pages in one commit', async (count) => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, range(1, count)));
      expect(await pages.ids()).toEqual(range(1, count));
    });

    test.each([
      ['none', []],
      ['one', [3]],
      ['ascending', [1, 2, 3]],
      ['descending', [3, 2, 1]],
      ['twice the same', [2, 2]],
      ['mixed', [3, 1, 3, 2, 1]],
      ['absent', [9]],
      ['absent between present', [1, 9, 2]],
      ['absent at the end', [1, 9]],
      ['absent at the start', [9, 1]],
    ])('[B18] reads in the order asked: %s', async (_, ids) => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, [1, 2, 3]));
      const expected = ids.map((id) => (id <= 3 ? pageBytes(id) : undefined));
      expect(await pages.read(ids.map(toPageId))).toEqual(expected);
    });

    test('[B18] ids ascend by number', async () => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, [100, 9, 1000, 1, 2 ** 40]));
      expect(await pages.ids()).toEqual([1, 9, 100, 1000, 2 ** 40]);
    });

    test.each([
      ['one', [2], [1, 3]],
      ['all', [1, 2, 3], []],
      ['an absent one', [9], [1, 2, 3]],
      ['one twice', [1, 1], [2, 3]],
      ['none', [], [1, 2, 3]],
    ])('[B18] frees %s', async (_, frees, left) => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, [1, 2, 3]));
      await pages.commit({ ...checkpoint(2, []), frees: frees.map(toPageId) });
      expect(await pages.ids()).toEqual(left);
    });

    test('[B18] writes and frees in one commit', async () => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, [1, 2, 3]));
      await pages.commit({ ...checkpoint(2, [4, 5]), frees: [toPageId(1), toPageId(3)] });
      expect(await pages.ids()).toEqual([2, 4, 5]);
      expect((await pages.readSuperblock())?.generation).toBe(2);
    });

    test('[B8] [B18] a page is never rewritten: the whole commit is refused', async () => {
      const { pages } = use().storage;
      await pages.commit(checkpoint(1, [1, 2]));
      const again = {
        ...checkpoint(2, [3]),
        writes: [
          { id: toPageId(3), bytes: pageBytes(3) },
          { id: toPageId(1), bytes: pattern(9, 9) },
        ],
        frees: [toPageId(2)],
      };
      await expect(pages.commit(again)).rejects.toMatchObject({ code: 'storage/page-collision' });
      expect(await pages.ids()).toEqual([1, 2]);
      expect(await pages.read([toPageId(1)])).toEqual([pageBytes(1)]);
      expect((await pages.readSuperblock())?.generation).toBe(1);
    });

    test('[B8] [B18] an id twice in one commit is refused', async () => {
      const { pages } = use().storage;
      await expect(pages.commit(checkpoint(1, [1, 2, 1]))).rejects.toMatchObject({ code: 'storage/page-collision' });
      expect(await pages.ids()).toEqual([]);
      expect(await pages.readSuperblock()).toBeUndefined();
    });

    test('[B8] [B18] a page or superblock that is too large is refused as a bug', async () => {
      const { pages } = use().storage;
      const large = pattern(RECORD_BYTES_MAX + 1, 1);
      const page = { ...checkpoint(1, [1]), writes: [...checkpoint(1, [1]).writes, { id: toPageId(2), bytes: large }] };
      await expect(pages.commit(page)).rejects.toThrow();
      await expect(
        pages.commit({ ...checkpoint(1, [1]), superblock: { generation: 1, bytes: large } }),
      ).rejects.toThrow();
      expect(await pages.ids()).toEqual([]);
      expect(await pages.readSuperblock()).toBeUndefined();
    });

    test('[B18] page bytes are copied on their way in and out', async () => {
      const { pages } = use().storage;
      const commit = checkpoint(1, [1]);
      const done = pages.commit(commit);
      commit.writes[0]!.bytes.fill(0);
      commit.superblock.bytes.fill(0);
      await done;
      (await pages.read([toPageId(1)]))[0]!.fill(1);
      (await pages.readSuperblock())!.bytes.fill(1);
      expect(await pages.read([toPageId(1)])).toEqual([pageBytes(1)]);
      expect((await pages.readSuperblock())!.bytes).toEqual(checkpoint(1, []).superblock.bytes);
    });
  });
}

function describeGenerations(use: () => Fixture): void {
  describe('generations', () => {
    for (const stored of [0, 1, 2, 5]) {
      test.each([1, 2, 3, 5, 6, 7])(`[B8] [T2] [B18] ${stored} is stored, %i comes`, async (next) => {
        const { pages } = use().storage;
        for (let generation = 1; generation <= stored; generation++)
          await pages.commit(checkpoint(generation, [generation]));
        const commit = { ...checkpoint(next, [100]), frees: [toPageId(1)] };
        if (next === stored + 1) {
          await pages.commit(commit);
          expect((await pages.readSuperblock())?.generation).toBe(next);
          return;
        }
        await expect(pages.commit(commit)).rejects.toMatchObject({ code: 'storage/generation-mismatch' });
        expect(await pages.ids()).toEqual(range(1, stored));
        expect((await pages.readSuperblock())?.generation).toBe(stored === 0 ? undefined : stored);
      });
    }

    test('[T2] [B18] of two checkpoints at once exactly one wins', async () => {
      const { storage, reopen } = use();
      const other = await reopen();
      const results = await Promise.allSettled([
        storage.pages.commit(checkpoint(1, [1])),
        other.pages.commit(checkpoint(1, [2])),
      ]);
      const winners = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index + 1] : []));
      expect(winners.length).toBe(1);
      expect(await storage.pages.ids()).toEqual(winners);
    });

    test('[B18] refuses generation 0 as a bug', async () => {
      await expect(use().storage.pages.commit(checkpoint(0, [1]))).rejects.toThrow();
    });
  });
}

function describeBlobs(use: () => Fixture, slowCases: 'run' | 'skip'): void {
  describe('blobs', () => {
    test.each(BLOB_SIZES)('[B12] [B18] a value of %s', async (_, size) => {
      const { storage } = use();
      await storage.log.append({ ...records(1, 1), blobs: [{ id: toBlobId(1), bytes: pattern(size, 3) }] });
      const stored = await storage.blobs.read(toBlobId(1));
      expect(stored && equalBytes(stored, pattern(size, 3))).toBe(true);
      expect((await storage.usage()).blobBytes).toBe(size);
    });

    test.skipIf(slowCases === 'skip')('[B12] [B18] slow: a value of 64 MiB', { timeout: 120_000 }, async () => {
      const { storage } = use();
      const bytes = pattern(64 * MIB, 3);
      await storage.log.append({ ...records(1, 1), blobs: [{ id: toBlobId(1), bytes }] });
      const stored = await storage.blobs.read(toBlobId(1));
      expect(stored && equalBytes(stored, bytes)).toBe(true);
    });

    test('[B18] an absent value is undefined', async () => {
      expect(await use().storage.blobs.read(toBlobId(1))).toBeUndefined();
      expect(await use().storage.blobs.ids()).toEqual([]);
    });

    test('[B18] neighbours do not mix', async () => {
      const { storage } = use();
      const blobs = [1, 2, 10, 100].map((id) => blob(id, RECORD_BYTES_MAX + id));
      await storage.log.append({ ...records(1, 1), blobs });
      for (const { id, bytes } of blobs) expect(await storage.blobs.read(id)).toEqual(bytes);
    });

    test('[B18] ids ascend by number, one for each value', async () => {
      const { storage } = use();
      const blobs = [100, 9, 1000, 1].map((id) => blob(id, 2 * RECORD_BYTES_MAX));
      await storage.log.append({ ...records(1, 1), blobs });
      expect(await storage.blobs.ids()).toEqual([1, 9, 100, 1000]);
    });

    test.each([
      ['one', [2], [1, 3]],
      ['all', [1, 2, 3], []],
      ['an absent one', [9], [1, 2, 3]],
      ['one twice', [1, 1], [2, 3]],
      ['none', [], [1, 2, 3]],
    ])('[B18] deletes %s, and may repeat it', async (_, ids, left) => {
      const { storage } = use();
      const blobs = [1, 2, 3].map((id) => blob(id, 2 * RECORD_BYTES_MAX));
      await storage.log.append({ ...records(1, 1), blobs });
      await storage.blobs.delete(ids.map(toBlobId));
      await storage.blobs.delete(ids.map(toBlobId));
      expect(await storage.blobs.ids()).toEqual(left);
      for (const id of [1, 2, 3]) {
        const expected = left.includes(id) ? blob(id, 2 * RECORD_BYTES_MAX).bytes : undefined;
        expect(await storage.blobs.read(toBlobId(id))).toEqual(expected);
      }
    });

    test('[B18] trimming the log leaves values alone', async () => {
      const { storage } = use();
      await storage.log.append({ ...records(1, 1), blobs: [blob(1, 10)] });
      await storage.log.trim(toLsn(1));
      expect(await storage.blobs.ids()).toEqual([1]);
    });

    test('[B18] bytes are copied on their way in and out', async () => {
      const { storage } = use();
      const written = blob(1, RECORD_BYTES_MAX + 5);
      const done = storage.log.append({ ...records(1, 1), blobs: [written] });
      written.bytes.fill(0);
      await done;
      (await storage.blobs.read(written.id))!.fill(1);
      expect(await storage.blobs.read(written.id)).toEqual(blob(1, RECORD_BYTES_MAX + 5).bytes);
    });
  });
}

function describeMeta(use: () => Fixture): void {
  describe('meta', () => {
    test.each([
      ['text', 'value'],
      ['empty text', ''],
      ['a number', 12.5],
      ['NaN', Number.NaN],
      ['-0', -0],
      ['a bigint', 12n],
      ['null', null],
      ['true', true],
      ['undefined', undefined],
      ['a date', new Date(86_400_000)],
      ['bytes', Uint8Array.of(1, 2, 3)],
      ['a map', new Map([['a', 1]])],
      ['an object', { a: [1, { b: 'c' }], d: null }],
    ])('[B18] keeps %s', async (_, value) => {
      const { meta } = use().storage;
      await meta.put('name', value);
      expect(await meta.get('name')).toEqual(value);
    });

    test('[B18] an absent value is undefined', async () => {
      expect(await use().storage.meta.get('name')).toBeUndefined();
    });

    test('[B18] replaces and deletes, and may repeat it', async () => {
      const { meta } = use().storage;
      await meta.put('name', 1);
      await meta.put('name', 2);
      expect(await meta.get('name')).toBe(2);
      await meta.delete('name');
      await meta.delete('name');
      expect(await meta.get('name')).toBeUndefined();
    });

    test.each([
      ['', ['a', 'a/', 'a/1', 'a/10', 'a/2', 'ab', 'b']],
      ['a/', ['a/', 'a/1', 'a/10', 'a/2']],
      ['a', ['a', 'a/', 'a/1', 'a/10', 'a/2', 'ab']],
      ['a/1', ['a/1', 'a/10']],
      ['c', []],
    ])('[B18] keys that begin with "%s"', async (prefix, expected) => {
      const { meta } = use().storage;
      for (const key of ['b', 'a/2', 'a', 'a/10', 'ab', 'a/1', 'a/']) await meta.put(key, 1);
      expect(await meta.keys(prefix)).toEqual(expected);
    });

    test('[B18] a value that cannot be cloned is refused, and the old one stays', async () => {
      const { meta } = use().storage;
      await meta.put('name', 'old');
      await expect(meta.put('name', () => 1)).rejects.toMatchObject({ code: 'storage/failed' });
      expect(await meta.get('name')).toBe('old');
    });

    test('[B18] values are copies', async () => {
      const { meta } = use().storage;
      const value = { list: [1] };
      await meta.put('name', value);
      value.list.push(2);
      ((await meta.get('name')) as typeof value).list.push(3);
      expect(await meta.get('name')).toEqual({ list: [1] });
    });
  });
}

const OPERATIONS: readonly (readonly [string, (storage: Storage) => Promise<unknown>])[] = [
  ['log.append', ({ log }) => log.append(records(50, 1))],
  ['log.append with a blob', ({ log }) => log.append({ ...records(50, 1), blobs: [blob(50, 1)] })],
  ['log.read', ({ log }) => log.read(toLsn(0), 1)],
  ['log.trim', ({ log }) => log.trim(toLsn(1))],
  ['log.quarantine', ({ log }) => log.quarantine(toLsn(0))],
  ['pages.readSuperblock', ({ pages }) => pages.readSuperblock()],
  ['pages.read', ({ pages }) => pages.read([toPageId(1)])],
  ['pages.commit', ({ pages }) => pages.commit(checkpoint(2, [50]))],
  ['pages.ids', ({ pages }) => pages.ids()],
  ['blobs.read', ({ blobs }) => blobs.read(toBlobId(1))],
  ['blobs.delete', ({ blobs }) => blobs.delete([toBlobId(1)])],
  ['blobs.ids', ({ blobs }) => blobs.ids()],
  ['meta.get', ({ meta }) => meta.get('name')],
  ['meta.put', ({ meta }) => meta.put('name', 2)],
  ['meta.delete', ({ meta }) => meta.delete('name')],
  ['meta.keys', ({ meta }) => meta.keys('')],
  ['usage', (storage) => storage.usage()],
];

function describeLife(use: () => Fixture, writers: 'one' | 'several'): void {
  const testOfTwo = test.skipIf(writers === 'one');
  describe('open, close, destroy', () => {
    test('[B18] everything is there after a reopen', async () => {
      const { storage, reopen } = use();
      await fill(storage);
      await storage.close();
      await assertFilled(await reopen());
    });

    testOfTwo('[B18] another storage on the same home sees every write at once', async () => {
      const { storage, reopen } = use();
      const other = await reopen();
      await fill(storage);
      await assertFilled(other);
    });

    test.each(OPERATIONS)('[B18] %s after close is refused and changes nothing', async (_, run) => {
      const { storage, reopen } = use();
      await fill(storage);
      await storage.close();
      await expect(run(storage)).rejects.toMatchObject({ code: 'storage/closed' });
      await assertFilled(await reopen());
    });

    test('[B18] close waits for what is under way', async () => {
      const { storage, reopen } = use();
      const appended = storage.log.append(records(1, 100));
      await storage.close();
      await appended;
      expect(await lsns(await reopen())).toEqual(range(1, 100));
    });

    test('[B18] close may be repeated, also at once', async () => {
      const { storage } = use();
      const appended = storage.log.append(records(1, 10));
      await Promise.all([storage.close(), storage.close()]);
      await storage.close();
      await appended;
    });

    testOfTwo('[B18] a closed storage does not close another on the same home', async () => {
      const { storage, reopen } = use();
      const other = await reopen();
      await storage.close();
      await fill(other);
      await assertFilled(other);
    });

    test('[B18] usage counts what is held', async () => {
      const { storage } = use();
      expect(await storage.usage()).toEqual({ logRecords: 0, logBytes: 0, pages: 0, pageBytes: 0, blobBytes: 0 });
      await storage.log.append({ ...batch(1, [pattern(10, 1), pattern(20, 1)]), blobs: [blob(1, 100_000)] });
      await storage.pages.commit({
        writes: [{ id: toPageId(1), bytes: pattern(300, 1) }],
        frees: [],
        superblock: { generation: 1, bytes: pattern(7, 1) },
      });
      const expected = { logRecords: 2, logBytes: 30, pages: 1, pageBytes: 300, blobBytes: 100_000 };
      expect(await storage.usage()).toEqual(expected);
    });

    test('[B18] destroy leaves an empty home', async () => {
      const { storage, reopen } = use();
      await fill(storage);
      await storage.destroy();
      await expect(storage.log.read(toLsn(0), 1)).rejects.toMatchObject({ code: 'storage/closed' });
      const again = await reopen();
      expect(await lsns(again)).toEqual([]);
      expect(await again.pages.readSuperblock()).toBeUndefined();
      expect(await again.blobs.ids()).toEqual([]);
      expect(await again.meta.keys('')).toEqual([]);
    });
  });
}

type Fixture = {
  readonly storage: Storage;
  readonly reopen: () => Promise<Storage>;
  readonly dispose: () => Promise<void>;
};

async function createFixture(home: StorageHome): Promise<Fixture> {
  const opened: Storage[] = [];
  const open = async (): Promise<Storage> => {
    const storage = await home.open();
    opened.push(storage);
    return storage;
  };
  return {
    storage: await open(),
    reopen: open,
    dispose: async () => {
      for (const storage of opened) await storage.close();
      const last = await home.open();
      await last.destroy();
    },
  };
}

async function fill(storage: Storage): Promise<void> {
  await storage.log.append({ ...records(1, 3), blobs: [blob(1, RECORD_BYTES_MAX + 1)] });
  await storage.pages.commit(checkpoint(1, [1, 2]));
  await storage.meta.put('name', 'value');
}

async function assertFilled(storage: Storage): Promise<void> {
  expect(await contents(storage)).toEqual([1, 2, 3].map((lsn) => [lsn, recordBytes(lsn)]));
  expect(await storage.pages.read([toPageId(1), toPageId(2)])).toEqual([pageBytes(1), pageBytes(2)]);
  expect(await storage.pages.ids()).toEqual([1, 2]);
  expect(await storage.pages.readSuperblock()).toEqual(checkpoint(1, []).superblock);
  expect(await storage.blobs.read(toBlobId(1))).toEqual(blob(1, RECORD_BYTES_MAX + 1).bytes);
  expect(await storage.meta.keys('name')).toEqual(['name']);
  expect(await storage.meta.get('name')).toBe('value');
}

const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);

/** Bytes that tell their place and their seed. */
function pattern(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = index * 31 + (index >>> 8) + seed * 17;
  return bytes;
}

const recordBytes = (lsn: number): Uint8Array => pattern(20 + (lsn % 10), lsn);
const pageBytes = (id: number): Uint8Array => pattern(50, id);

function batch(first: number, parts: readonly Uint8Array[]): LogAppend {
  const list: LogRecord[] = parts.map((bytes, index) => ({ lsn: toLsn(first + index), bytes }));
  return { records: list, blobs: [], durability: 'relaxed' };
}

const records = (first: number, count: number): LogAppend =>
  batch(first, range(first, first + count - 1).map(recordBytes));

function rawAppend(list: readonly number[]): LogAppend {
  return { ...batch(1, []), records: list.map((lsn) => ({ lsn: lsn as Lsn, bytes: pattern(5, 1) })) };
}

const blob = (id: number, size: number): BlobWrite => ({ id: toBlobId(id) as BlobId, bytes: pattern(size, id) });

function checkpoint(generation: number, ids: readonly number[]): PageCommit {
  return {
    writes: ids.map((id) => ({ id: toPageId(id) as PageId, bytes: pageBytes(id) })),
    frees: [],
    superblock: { generation, bytes: pattern(40, 200 + generation) },
  };
}

async function contents(storage: Storage): Promise<readonly (readonly [number, Uint8Array])[]> {
  return (await storage.log.read(toLsn(0), 10_000)).map(({ lsn, bytes }) => [lsn, bytes] as const);
}

async function lsns(storage: Storage): Promise<readonly number[]> {
  return (await contents(storage)).map(([lsn]) => lsn);
}

async function quarantined(storage: Storage): Promise<readonly Uint8Array[]> {
  const keys = await storage.meta.keys(QUARANTINE);
  const values = await Promise.all(keys.map((key) => storage.meta.get(key)));
  return values.map((value) => new Uint8Array(value as ArrayBuffer));
}

function bothBytesEqual(a: unknown, b: unknown): boolean | undefined {
  return a instanceof Uint8Array && b instanceof Uint8Array ? equalBytes(a, b) : undefined;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let index = 0; index < a.byteLength; index++) if (a[index] !== b[index]) return false;
  return true;
}
