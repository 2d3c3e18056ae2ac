/**
 * Goal: a log with a tail is the log without one, whatever dies or fails. Method: the storage contract, scripted cases of
 * the file's life, and seeded random lives beside a list of what was acknowledged.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Lsn, toBlobId, toLsn } from '../../src/base/ids.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import {
  createMemoryImage,
  createMemoryStorage,
  type MemoryImage,
  type Storage,
  withTail,
} from '../../worker/storage/index.ts';
import type { AppendDurability, LogAppend, LogRecord } from '../../worker/storage/log-store.ts';
import { TAIL_BYTES_MAX } from '../../worker/storage/tail/tail.ts';
import { decodeTailBatch, encodeTailBatch, scanTail } from '../../worker/storage/tail/tail-format.ts';
import { describeStorage } from '../contracts/storage-contract.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import {
  createMemoryTailFolder,
  type MemoryTailFolder,
  type TailFaults,
  TailImage,
} from '../fakes/memory-tail-folder.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

type Home = { readonly image: MemoryImage; readonly tails: TailImage };

const createHome = (): Home => ({ image: createMemoryImage(), tails: new TailImage() });
let names = 0;

function open(
  home: Home,
  faults: TailFaults = {},
  inner: Storage = createMemoryStorage(home.image),
): Storage & { folder: MemoryTailFolder } {
  const folder = createMemoryTailFolder(home.tails, faults);
  const storage = withTail(inner, {
    folder: Promise.resolve(folder),
    createName: () => `tail-${++names}`,
    now: () => home.tails.nowMs,
  });
  return Object.assign(storage, { folder });
}

const record = (lsn: number, byteLength = 20): LogRecord => ({
  lsn: toLsn(lsn),
  bytes: new Uint8Array(byteLength).fill(lsn % 251),
});
const append = (first: number, count = 1, more: Partial<LogAppend> = {}): LogAppend => ({
  records: Array.from({ length: count }, (_, at) => record(first + at)),
  blobs: [],
  durability: 'relaxed',
  ...more,
});
const STRICT: { readonly durability: AppendDurability } = { durability: 'strict' };

async function readAll(storage: Storage, after = 0, limit = 7): Promise<readonly LogRecord[]> {
  const found: LogRecord[] = [];
  for (let from = toLsn(after); ; ) {
    const records = await storage.log.read(from, limit);
    found.push(...records);
    if (records.length < limit) return found;
    from = records.at(-1)!.lsn;
  }
}

const lsnsOf = async (storage: Storage, after = 0): Promise<readonly number[]> =>
  (await readAll(storage, after)).map(({ lsn }) => lsn);
const inStore = (home: Home): Promise<readonly number[]> => lsnsOf(createMemoryStorage(home.image));
const range = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, at) => first + at);

/** A storage whose tail is in use: LSN 1 is in the store. */
async function opened(home: Home, faults: TailFaults = {}): Promise<ReturnType<typeof open>> {
  const storage = open(home, faults);
  await storage.log.read(toLsn(0), 10);
  await storage.log.append(append(1));
  await expect.poll(() => storage.tail?.()).toBe('used');
  return storage;
}

describeStorage(
  'memory with a tail',
  () => {
    const home = createHome();
    return { open: async () => open(home) };
  },
  { slowCases: 'run', writers: 'one' },
);

describe('tail format', () => {
  test('[B7] the example of FORMAT.md is what is written', () => {
    const text = readFileSync(new URL('../../worker/storage/tail/FORMAT.md', import.meta.url), 'utf8');
    const example = [...text.matchAll(/^ {4}((?:[0-9a-f]{2} ?)+)$/gm)].map((line) => line[1]).join(' ');
    const batch = encodeTailBatch([
      { lsn: toLsn(258), bytes: new TextEncoder().encode('hi') },
      { lsn: toLsn(259), bytes: new Uint8Array(0) },
    ]);
    expect([...batch].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')).toBe(example);
  });

  test('[B7] a batch comes back, and bytes around it are passed over', () => {
    const batch = encodeTailBatch([record(2 ** 40, 3), record(2 ** 40 + 1, 0), record(2 ** 40 + 2, 300)]);
    const file = new Uint8Array(batch.byteLength + 100).fill(0x43);
    file.set(batch, 41);
    const [found, ...rest] = scanTail(file);
    expect(rest).toEqual([]);
    expect(found).toEqual({ firstLsn: 2 ** 40, lastLsn: 2 ** 40 + 2, at: 41, byteLength: batch.byteLength });
    expect(decodeTailBatch(batch, toLsn(2 ** 40))).toEqual([
      record(2 ** 40, 3),
      record(2 ** 40 + 1, 0),
      record(2 ** 40 + 2, 300),
    ]);
  });

  test('[B7] a batch with any bit turned, or cut anywhere, is none', () => {
    const batch = encodeTailBatch([record(5, 30), record(6, 9)]);
    for (let bit = 0; bit < batch.byteLength * 8; bit++) {
      const turned = batch.slice();
      turned[bit >> 3]! ^= 1 << (bit & 7);
      expect(scanTail(turned), `bit ${bit}`).toEqual([]);
    }
    for (let end = 0; end < batch.byteLength; end++) expect(scanTail(batch.subarray(0, end)), `end ${end}`).toEqual([]);
  });
});

describe('tailed log', () => {
  test('[B16] small appends go to the file, and are found after a kill', async () => {
    const home = createHome();
    const storage = await opened(home);
    for (let lsn = 2; lsn <= 50; lsn++) await storage.log.append(append(lsn));
    expect(await inStore(home)).toEqual([1]);
    expect((await storage.usage()).logRecords).toBe(50);
    home.tails.unlock();
    expect(await readAll(open(home))).toEqual(range(1, 50).map((lsn) => record(lsn)));
  });

  test.each([
    ['strict', append(20, 1, STRICT)],
    ['with a blob', append(20, 1, { blobs: [{ id: toBlobId(1), bytes: new Uint8Array(5) }] })],
    ['large', { ...append(20, 1), records: range(20, 120).map((lsn) => record(lsn, 48 * 1024)) }],
  ] as const)('[B1] an append that is %s takes what waits with it', async (_, batch) => {
    const home = createHome();
    const storage = await opened(home);
    for (let lsn = 2; lsn <= 19; lsn++) await storage.log.append(append(lsn));
    await storage.log.append(batch);
    const last = batch.records.at(-1)!.lsn;
    expect(await inStore(home)).toEqual(range(1, last));
    await storage.log.append(append(last + 1));
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, last + 1));
  });

  test('[B1] thousands of records go to the store in parts', async () => {
    const home = createHome();
    const storage = await opened(home);
    for (let lsn = 2; lsn <= 4_501; lsn++) await storage.log.append(append(lsn));
    await storage.log.append(append(4_502, 1, STRICT));
    expect(await inStore(home)).toEqual(range(1, 4_502));
  });

  test('[B8] what a checkpoint has taken up leaves the tail, and its place is used again', async () => {
    const home = createHome();
    const storage = await opened(home);
    const large = (lsn: number): LogAppend => ({ ...append(lsn), records: [record(lsn, 48 * 1024)] });
    // Several times what the file may hold.
    for (let lsn = 2; lsn <= 2_000; lsn++) {
      await storage.log.append(large(lsn));
      if (lsn % 100 === 0) await storage.log.trim(toLsn(lsn - 5));
    }
    expect(await inStore(home)).toEqual([]);
    expect([...home.tails.files.values()][0]!.bytes.byteLength).toBeLessThan(TAIL_BYTES_MAX);
    home.tails.unlock();
    expect(await lsnsOf(open(home), 1_995)).toEqual(range(1_996, 2_000));
    await storage.log.trim(toLsn(2_000));
    // What a large file had reserved is given back; the next write makes another.
    expect([...home.tails.files.values()][0]!.bytes.byteLength).toBe(0);
    expect(storage.tail?.()).toBe('unused');
    await storage.log.append(append(2_001));
    await expect.poll(() => storage.tail?.()).toBe('used');
  });

  test('[B16] records behind which the tail has begun again are not written over, also when some of them were dropped', async () => {
    const home = createHome();
    const storage = await opened(home);
    const large = (lsn: number): LogAppend => ({ ...append(lsn), records: [record(lsn, 48 * 1024)] });
    // About 340 of them fit into the file: at 400 it has begun again, and meets those of 261 and later before 620.
    for (let lsn = 2; lsn <= 620; lsn++) {
      await storage.log.append(large(lsn));
      if (lsn === 300) await storage.log.trim(toLsn(250));
      if (lsn === 400) await storage.log.trim(toLsn(260));
    }
    home.tails.unlock();
    expect(await lsnsOf(open(home), 260)).toEqual(range(261, 620));
  });

  test('[B16] a log that is opened again goes on in its tail', async () => {
    const home = createHome();
    const storage = await opened(home);
    for (let lsn = 2; lsn <= 5; lsn++) await storage.log.append(append(lsn));
    home.tails.unlock();
    const again = open(home);
    // As a recovery reads: the next part before the first has come.
    await Promise.all([again.log.read(toLsn(0), 128), again.log.read(toLsn(128), 128)]);
    await again.log.append(append(6));
    expect(await inStore(home)).toEqual([1]);
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, 6));
  });

  test('[B8] a tail that is full hands over to the store', async () => {
    const home = createHome();
    const storage = await opened(home);
    const count = TAIL_BYTES_MAX / (48 * 1024) + 20;
    for (let lsn = 2; lsn <= count; lsn++)
      await storage.log.append({ ...append(lsn), records: [record(lsn, 48 * 1024)] });
    expect((await inStore(home)).length).toBeGreaterThan(300);
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, Math.floor(count)));
  });

  test('[B16] a write that the kill cut off is not there, and disturbs nothing', async () => {
    const home = createHome();
    const storage = await opened(home, { crash: 4 });
    for (let lsn = 2; lsn <= 4; lsn++) await storage.log.append(append(lsn));
    await expect(storage.log.append(append(5, 3))).rejects.toThrow();
    home.tails.unlock();
    const again = open(home);
    expect(await lsnsOf(again)).toEqual([1, 2, 3, 4]);
    await again.log.append(append(5));
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual([1, 2, 3, 4, 5]);
  });

  test('[B6] a file that refuses a write leaves it to the store', async () => {
    const home = createHome();
    const storage = await opened(home, { write: 3, lasts: 'persistent' });
    for (let lsn = 2; lsn <= 9; lsn++) await storage.log.append(append(lsn));
    expect(await inStore(home)).toEqual(range(1, 9));
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, 9));
  });

  test('[B6] a write that both refuse is not found later', async () => {
    const home = createHome();
    const inner = createFaultyStorage(createMemoryStorage(home.image), {
      fail: { request: 2, code: 'storage/quota', lasts: 'once', only: ['log.append'] },
    });
    const storage = open(home, { write: 2 }, inner);
    await storage.log.read(toLsn(0), 10);
    await storage.log.append(append(1));
    await expect.poll(() => storage.tail?.()).toBe('used');
    await storage.log.append(append(2));
    await expect(storage.log.append(append(3, 2))).rejects.toMatchObject({ code: 'storage/quota' });
    home.tails.unlock();
    expect(await lsnsOf(open({ ...home, tails: home.tails.copy() }))).toEqual([1, 2]);
    await storage.log.append(append(3));
    expect(await inStore(home)).toEqual([1, 2, 3]);
  });

  test('[B6] a file that cannot even be cut makes the outcome unknown', async () => {
    const storage = await opened(createHome(), { write: 2, lasts: 'persistent', truncate: 'throws' });
    await storage.log.append(append(2));
    await expect(storage.log.append(append(3))).rejects.toMatchObject({ code: 'storage/outcome-unknown' });
  });

  test('[B7] damage in the middle is a gap, and is moved out with what follows it', async () => {
    const home = createHome();
    const storage = await opened(home);
    for (let lsn = 2; lsn <= 20; lsn++) await storage.log.append(append(lsn));
    const file = [...home.tails.files.values()][0]!;
    file.bytes[9 * (file.bytes.byteLength / 19) + 30]! ^= 1;
    home.tails.unlock();
    const again = open(home);
    expect(await lsnsOf(again)).toEqual([...range(1, 10), ...range(12, 20)]);
    expect(await again.log.quarantine(toLsn(10))).toBe(9);
    expect(await lsnsOf(again)).toEqual(range(1, 10));
    expect(await again.meta.keys('quarantine/')).toHaveLength(9);
    await again.log.append(append(11));
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, 11));
  });

  test('[T2] the file of a writer that still holds it is read, and another one made', async () => {
    const home = createHome();
    const stopped = await opened(home);
    for (let lsn = 2; lsn <= 5; lsn++) await stopped.log.append(append(lsn));
    const next = open(home);
    expect(await lsnsOf(next)).toEqual(range(1, 5));
    await next.log.append(append(6));
    expect(await inStore(home)).toEqual(range(1, 6));
    await expect.poll(() => next.tail?.()).toBe('used');
    await next.log.append(append(7));
    // What the stopped one writes now is nobody's.
    await stopped.log.append(append(6));
    home.tails.unlock();
    expect(await lsnsOf(open(home))).toEqual(range(1, 7));
  });

  test('[B10] a tail that cannot be reached is an error, one that is gone is told', async () => {
    const home = createHome();
    const storage = await opened(home);
    await storage.log.append(append(2));
    const unreachable = withTail(createMemoryStorage(home.image), {
      folder: Promise.reject(new DOMException('No.', 'SecurityError')),
      createName: () => 'x',
      now: () => 0,
    });
    await expect(unreachable.log.read(toLsn(0), 10)).rejects.toMatchObject({ code: 'storage/tail-unreadable' });
    await expect(unreachable.log.append(append(2))).rejects.toMatchObject({ code: 'storage/tail-unreadable' });
    home.tails.files.clear();
    const without = open(home);
    expect(await lsnsOf(without)).toEqual([1]);
    expect(without.tail?.()).toBe('missing');
  });

  test('[B18] without such files the store takes everything', async () => {
    const home = createHome();
    const storage = withTail(createMemoryStorage(home.image), {
      folder: Promise.reject(new TypeError('No such files.')),
      createName: () => 'x',
      now: () => 0,
    });
    for (let lsn = 1; lsn <= 5; lsn++) await storage.log.append(append(lsn));
    expect(await inStore(home)).toEqual(range(1, 5));
    expect(storage.tail?.()).toBe('unused');
  });

  test('[B18] a slow file is given up', async () => {
    const home = createHome();
    const storage = await opened(home, { writeMs: 0.7 });
    for (let lsn = 2; lsn <= 40; lsn++) await storage.log.append(append(lsn));
    expect(storage.tail?.()).toBe('unused');
    expect(await inStore(home)).toEqual(range(1, 40));
  });

  test('[B18] destroy removes the file', async () => {
    const home = createHome();
    const storage = await opened(home);
    await storage.log.append(append(2));
    await storage.destroy();
    expect(home.tails.files.size).toBe(0);
    expect(await lsnsOf(open(home))).toEqual([]);
  });
});

const SEEDS = Number(process.env['TAIL_SEEDS'] ?? 150);

test(`[B6] [B7] [B16] ${SEEDS} random lives keep what was acknowledged`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await live(seed);
}, 120_000);

/** Writers come and go, some killed in a write; after each the log is what was acknowledged, and perhaps the last append. */
async function live(seed: number): Promise<void> {
  const random = createSeededRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const home = createHome();
  let floor = 0;
  let last = 0;
  /** The last append that was not answered: present whole, or not at all. */
  let unanswered = 0;
  for (let life = 0; life < 6; life++) {
    const faults: TailFaults =
      below(3) === 0 ? { crash: 1 + below(30) } : below(3) === 0 ? { write: 1 + below(30), lasts: 'persistent' } : {};
    const storage = open(home, faults);
    const found = await lsnsOf(storage, floor);
    const possible = [range(floor + 1, last), range(floor + 1, last + unanswered)];
    expect(possible, `seed ${seed}, life ${life}`).toContainEqual(found);
    last = found.at(-1) ?? Math.max(floor, last);
    unanswered = 0;
    for (let step = 0; step < 60; step++) {
      if (below(12) === 0) {
        floor = Math.max(floor, last - below(10));
        await storage.log.trim(toLsn(floor) as Lsn);
        continue;
      }
      const count = 1 + below(4);
      const bytes = below(5) === 0 ? 40_000 : 1 + below(400);
      const records = range(last + 1, last + count).map((lsn) => record(lsn, bytes));
      try {
        await storage.log.append({ records, blobs: [], durability: below(15) === 0 ? 'strict' : 'relaxed' });
      } catch (error) {
        // A file that takes nothing any more cannot be mended either.
        const isUnknown = (error as StoreError).code === 'storage/outcome-unknown' && faults.lasts === 'persistent';
        expect(storage.folder.hasCrashed || isUnknown, `seed ${seed}: ${error}`).toBe(true);
        unanswered = count;
        break;
      }
      last += count;
      if (below(10) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (below(2) === 0 && !storage.folder.hasCrashed) await storage.close();
    home.tails.unlock();
  }
}
