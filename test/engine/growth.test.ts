/**
 * Goal: space is in proportion to what lives, readers keep what they read, and `deferred` promises no more than it keeps.
 * Method: long series of changes, counted on the storage image.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { copyMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, nodePlatform, openOnImage } from './engine-fixture.ts';
import { drain, LONG, VERIFY, verbsOf } from './engine-verbs.ts';
import { turn } from './held-storage.ts';

const COLLECTIONS = [collection('items', [index('n'), index('name')])];
const open = (image: MemoryImage, cacheBytesMax = 200_000): Promise<Engine> =>
  openOnImage(image, COLLECTIONS, { cacheBytesMax });

const bytesOf = ({ log, pages, blobs }: MemoryImage): number =>
  [...log.values(), ...pages.values(), ...blobs.values()].reduce((sum, { length }) => sum + length, 0);

async function emptyTurns(count: number): Promise<void> {
  for (let turns = 0; turns < count; turns += 1) await turn();
}

describe('[B19] growth', () => {
  test('[B19] 100,000 updates of one row keep log and pages bounded', { timeout: 60_000 }, async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    await items.create({ id: 1, n: 0, name: 'a' });
    let largest = 0;
    for (let round = 0; round < 100; round += 1) {
      await Promise.all(Array.from({ length: 1_000 }, () => items.update(1, { $inc: { n: 1 } })));
      if (round % 10 === 0) await engine.checkpoint();
      largest = Math.max(largest, bytesOf(image));
    }
    expect(await items.get(1)).toEqual({ id: 1, n: 100_000, name: 'a' });
    await engine.compact(LONG);
    expect(image.log.size).toBe(0);
    expect(image.pages.size).toBe(3);
    expect(largest).toBeLessThan(16 * 1024 * 1024);
    expect(bytesOf(image)).toBeLessThan(2_000);
    expect((await engine.health()).dirtyBytes).toBeLessThan(100_000);
  });

  test('[B19] reopening 100 times without writes adds nothing', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine).create(...Array.from({ length: 500 }, (_, id) => ({ id, n: id, name: `n${id}` })));
    await engine.close();
    const pages = [...image.pages.keys()];
    const { superblock } = image;
    for (let round = 0; round < 100; round += 1) {
      const again = await open(image);
      expect(await verbsOf(again).count()).toBe(500);
      await again.close();
    }
    expect(image.log.size).toBe(0);
    expect([...image.pages.keys()]).toEqual(pages);
    expect(image.superblock).toEqual(superblock);
    expect(image.meta.size).toBeLessThan(5);
  });

  test('[B19] writes under load through many checkpoints leak no page', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    for (let round = 0; round < 40; round += 1) {
      const rows = Array.from({ length: 200 }, (_, at) => ({
        id: (at * 37 + round * 11) % 3_000,
        n: round,
        name: `n${at * round}`,
      }));
      const writes = rows.map((row) => items.put(row));
      const checkpoint = engine.checkpoint();
      // More come while the checkpoint runs.
      writes.push(items.deleteMany({ n: round - 7 }));
      await Promise.all([...writes, checkpoint]);
    }
    await items.deleteMany({});
    await engine.compact(LONG);
    await engine.compact(LONG);
    expect(await items.count()).toBe(0);
    expect(image.pages.size).toBe(0);
    expect(image.log.size).toBe(0);
  });

  test('[B19] compaction gives back the space of thin leaves, and changes no answer', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    await items.create(
      ...Array.from({ length: 8_000 }, (_, id) => ({ id, n: id % 50, name: `name ${id}`, pad: 'p'.repeat(50) })),
    );
    await engine.checkpoint();
    await items.deleteMany({ n: { $gte: 1 } });
    await engine.checkpoint();
    await engine.checkpoint();
    const before = { pages: image.pages.size, bytes: bytesOf(image), rows: await items.all() };
    const told: number[] = [];
    const result = await engine.compact({ signal: undefined, onProgress: ({ done }) => told.push(done) });
    expect(told).toEqual([1, 2, 3]);
    expect(result.pagesFreed).toBeGreaterThan(0);
    expect(image.pages.size).toBe(before.pages - result.pagesFreed);
    expect(image.pages.size, '160 rows in two leaves, and a leaf for each index').toBeLessThan(6);
    expect(await items.all()).toEqual(before.rows);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    await engine.close();
    expect(await verbsOf(await open(image)).all()).toEqual(before.rows);
  });

  test('[B19] a dropped index gives its pages back', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine).create(...Array.from({ length: 3_000 }, (_, id) => ({ id, n: id, name: `name ${id}` })));
    await engine.checkpoint();
    const before = image.pages.size;
    await engine.createIndex('items', index(['name', 'n']), LONG);
    await engine.checkpoint();
    expect(image.pages.size).toBeGreaterThan(before);
    await engine.dropIndex('items', 'name+n');
    for (let round = 0; round < 2; round += 1) await engine.checkpoint();
    expect(image.pages.size).toBe(before);
  });
});

describe('snapshots', () => {
  test('[B19] an open cursor keeps what it reads through writes, checkpoints and compaction; then it is given back', async () => {
    const image = createMemoryImage();
    const engine = await open(image, 0);
    const items = verbsOf(engine);
    const rows: readonly Row[] = Array.from({ length: 4_000 }, (_, id) => ({ id, n: id % 10, name: `name ${id}` }));
    await items.create(...rows);
    await engine.checkpoint();
    const byKey = engine.find('items', { selector: {}, sort: [['id', 1]], limit: undefined, skip: 0 });
    const byIndex = engine.find('items', {
      selector: { n: { $gte: 5 } },
      sort: [['n', -1]],
      limit: undefined,
      skip: 0,
    });
    const firsts = [await byKey.next(10), await byIndex.next(10)];
    expect((await engine.health()).openSnapshots).toBe(2);
    for (let round = 0; round < 3; round += 1) {
      await items.updateMany({}, { n: round + 100, name: 'changed' });
      await engine.checkpoint();
    }
    await items.deleteMany({ id: { $gte: 10 } });
    await engine.compact(LONG);
    const seen = [...firsts[0]!.rows, ...(await drain(byKey, 100))];
    expect(seen).toEqual(rows);
    const seenByIndex = [...firsts[1]!.rows, ...(await drain(byIndex, 100))];
    const expected = rows
      .filter(({ n }) => (n as number) >= 5)
      .sort((a, b) => (b['n'] as number) - (a['n'] as number) || (b['id'] as number) - (a['id'] as number));
    expect(seenByIndex).toEqual(expected);
    expect((await engine.health()).openSnapshots).toBe(0);
    for (let round = 0; round < 2; round += 1) await engine.checkpoint();
    expect(image.pages.size, 'ten rows and their entries').toBeLessThan(10);
  });

  test('pages kept for a cursor are given back by the next opening, when a crash closed it', async () => {
    const image = createMemoryImage();
    const engine = await open(image, 0);
    await verbsOf(engine).create(...Array.from({ length: 4_000 }, (_, id) => ({ id, n: id, name: 'x' })));
    await engine.checkpoint();
    await engine.find('items', { selector: {}, sort: [], limit: undefined, skip: 0 }).next(1);
    await verbsOf(engine).deleteMany({});
    await engine.checkpoint();
    expect(image.pages.size).toBeGreaterThan(10);
    const crashed = copyMemoryImage(image);
    const again = await open(crashed);
    await verbsOf(again).create({ id: 1 });
    await again.checkpoint();
    await again.checkpoint();
    expect(crashed.pages.size).toBe(3);
  });
});

describe('[B2] deferred', () => {
  test('[B2] is answered and visible at once, and stored within 50 ms', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const deferred = verbsOf(engine, 'items', 'deferred');
    const outcome = await engine.write(
      { type: 'create', collection: 'items', rows: [{ id: 1, n: 1 }] },
      { durability: 'deferred', signal: undefined },
    );
    expect(outcome.durability).toBe('none');
    expect(await deferred.get(1)).toEqual({ id: 1, n: 1 });
    expect(await deferred.find({ n: 1 })).toEqual([{ id: 1, n: 1 }]);
    const lost = await open(copyMemoryImage(image));
    expect(await verbsOf(lost).count(), 'not stored yet').toBe(0);
    const start = nodePlatform.now();
    while (image.log.size < 2 && nodePlatform.now() - start < 1_000)
      await new Promise((resolve) => setTimeout(resolve, 2));
    expect(nodePlatform.now() - start).toBeLessThan(50);
    expect(await verbsOf(await open(copyMemoryImage(image))).all()).toEqual([{ id: 1, n: 1 }]);
  });

  test('[B2] [B16] a crash loses a suffix of the deferred commits, and never half of one', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const deferred = verbsOf(engine, 'items', 'deferred');
    const images: MemoryImage[] = [];
    for (let round = 0; round < 200; round += 1) {
      await deferred.put({ id: 'a', n: round, name: 'x' }, { id: 'b', n: round, name: 'y' }, { id: `c${round}` });
      if (round % 7 === 0) await verbsOf(engine).put({ id: 'durable', n: round });
      if (round % 3 === 0) images.push(copyMemoryImage(image));
      if (round % 10 === 0) await emptyTurns(3);
    }
    for (const each of images) {
      const reopened = await open(each);
      const rows = await verbsOf(reopened).all();
      if (rows.length === 0) continue;
      const [a, b, ...others] = rows;
      expect(a!['n']).toBe(b!['n']);
      const rounds = others.filter(({ id }) => String(id).startsWith('c')).length;
      expect(rounds, 'a prefix of the commits').toBe((a!['n'] as number) + 1);
      expect((await reopened.verify(VERIFY)).sound).toBe(true);
    }
  });

  test('[B2] a strict or relaxed write stores the deferred ones before it', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine, 'items', 'deferred').create({ id: 1 });
    await verbsOf(engine, 'items', 'strict').create({ id: 2 });
    expect((await verbsOf(await open(copyMemoryImage(image))).all()).map(({ id }) => id)).toEqual([1, 2]);
  });

  test('[B2] closing stores them', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine, 'items', 'deferred').create({ id: 1 });
    await engine.close();
    expect(await verbsOf(await open(image)).count()).toBe(1);
  });
});
