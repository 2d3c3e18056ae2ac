/**
 * Goal: what one write sees of others, and what failures leave behind. Method: appends are held back, then stored or
 * failed, while other writes gather.
 */
import { describe, expect, test } from 'vitest';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openOnImage, openOnStorage } from '../engine/engine-fixture.ts';
import { codeOf, LONG, VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { createHeldStorage, type HeldStorage, turn } from '../engine/held-storage.ts';

const COLLECTIONS = [collection('items', [index('n')]), collection('others')];

type Story = { readonly engine: Engine; readonly storage: HeldStorage; readonly image: MemoryImage };

async function begin(cacheBytesMax = 1_000_000): Promise<Story> {
  const image = createMemoryImage();
  const storage = createHeldStorage(createMemoryStorage(image));
  const engine = await openOnStorage(storage, COLLECTIONS, { cacheBytesMax, unstable: { checkpoint: 'manual' } });
  return { engine, storage, image };
}

/** 4,000 rows on disk and nothing in memory. */
async function coldStory(): Promise<{ readonly storage: HeldStorage; readonly cold: Engine }> {
  const { engine, image } = await begin();
  const rows = Array.from({ length: 4_000 }, (_, id) => ({
    id: id * 10,
    n: (id * 7919) % 4_001,
    text: 'x'.repeat(30),
  }));
  await verbsOf(engine).create(...rows);
  await engine.checkpoint();
  await engine.close();
  const storage = createHeldStorage(createMemoryStorage(image));
  const options = { cacheBytesMax: 0, unstable: { checkpoint: 'manual' } } as const;
  return { storage, cold: await openOnStorage(storage, COLLECTIONS, options) };
}

const ids = async (engine: Engine, name = 'items'): Promise<readonly unknown[]> =>
  (await verbsOf(engine, name).all()).map(({ id }) => id);

describe('visibility', () => {
  test('[B1] nobody reads what is not stored yet', async () => {
    const { engine, storage } = await begin();
    storage.hold('log.append');
    const writing = verbsOf(engine).create({ id: 1, n: 1 });
    await turn();
    expect(await ids(engine)).toEqual([]);
    expect(await verbsOf(engine).count({ n: 1 })).toBe(0);
    await storage.release();
    await writing;
    expect(await ids(engine)).toEqual([1]);
  });

  test('[TXN-1] a deferred write is visible before it is stored, with all that came before it', async () => {
    const { engine, storage } = await begin();
    storage.hold('log.append');
    const relaxed = verbsOf(engine, 'others').create({ id: 'a' });
    await turn();
    await verbsOf(engine, 'items', 'deferred').create({ id: 1, n: 1 });
    expect(await ids(engine)).toEqual([1]);
    expect(await ids(engine, 'others')).toEqual(['a']);
    await storage.releaseOldest();
    await relaxed;
    expect(await ids(engine, 'others'), 'acknowledged, so visible').toEqual(['a']);
    await storage.release();
  });

  test('[TXN-1] a deferred write shows what its own group has gathered before it, and nothing after it', async () => {
    const { engine, storage } = await begin();
    storage.hold('log.append');
    const relaxed = verbsOf(engine, 'others').create({ id: 'a' });
    await verbsOf(engine, 'items', 'deferred').create({ id: 1, n: 1 });
    const later = verbsOf(engine, 'others').create({ id: 'b' });
    await turn();
    expect(await ids(engine, 'others')).toEqual(['a']);
    await storage.release();
    await Promise.all([relaxed, later]);
    expect(await ids(engine, 'others')).toEqual(['a', 'b']);
    expect(await ids(engine)).toEqual([1]);
  });

  test('changes are told in commit order, also when a deferred one is answered before those under way', async () => {
    const { engine, storage } = await begin();
    const told: ChangeEvent[] = [];
    engine.subscribe('items', (events) => told.push(...events));
    storage.hold('log.append');
    const first = verbsOf(engine).create({ id: 1, n: 1 });
    await turn();
    const second = verbsOf(engine).update(1, { n: 2 });
    await verbsOf(engine, 'items', 'deferred').update(1, { n: 3 });
    await storage.release();
    await Promise.all([first, second]);
    expect(told.map(({ row }) => row?.['n'])).toEqual([1, 2, 3]);
  });
});

describe('a failed append', () => {
  test('[B1] rejects its writes, and rows and indexes are as before', async () => {
    const { engine, storage } = await begin();
    await verbsOf(engine).create({ id: 1, n: 1 });
    storage.hold('log.append');
    const calls = [
      verbsOf(engine).create({ id: 2, n: 2 }),
      verbsOf(engine).update(1, { n: 9 }),
      verbsOf(engine).delete(1),
    ].map(codeOf);
    await turn();
    await storage.failOldest('storage/failed');
    expect(await Promise.all(calls)).toEqual(['storage/failed', 'storage/failed', 'storage/failed']);
    expect(await verbsOf(engine).all()).toEqual([{ id: 1, n: 1 }]);
    expect(await verbsOf(engine).count({ n: { $gte: 0 } })).toBe(1);
    await storage.release();
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[B1] [B6] writes gathered meanwhile are prepared again and succeed, in their order', async () => {
    const { engine, storage, image } = await begin();
    await verbsOf(engine).create({ id: 1, n: 1 });
    storage.hold('log.append');
    const lost = codeOf(verbsOf(engine).update(1, { n: 100 }));
    await turn();
    const gathered = [verbsOf(engine).update(1, { $inc: { n: 1 } }), verbsOf(engine).update(1, { $mul: { n: 10 } })];
    await turn();
    await storage.failOldest('storage/quota');
    await storage.release();
    expect(await lost).toBe('storage/quota');
    expect(await Promise.all(gathered)).toEqual([
      { id: 1, n: 2 },
      { id: 1, n: 20 },
    ]);
    await engine.close();
    expect(await verbsOf(await openOnImage(image, COLLECTIONS)).all()).toEqual([{ id: 1, n: 20 }]);
  });

  // Pages are let in one by one, so that the failure falls into each step of preparing and of applying.
  for (const stage of [1, 2, 3, 4, 5, 6, 7, 8]) {
    test(`[B6] a bulk insert that waits for page load ${stage} while the append before it fails is whole`, async () => {
      const { storage, cold } = await coldStory();
      storage.hold('log.append');
      const lost = codeOf(verbsOf(cold, 'others').create({ id: 'lost' }));
      await turn();
      storage.hold('pages.read');
      const rows = Array.from({ length: 64 }, (_, at) => ({ id: 100_000 + at, n: at * 60 }));
      const inserted = codeOf(verbsOf(cold).create(...rows));
      await turn();
      for (let step = 1; step < stage; step += 1) await storage.releaseAt(1);
      await storage.failOldest('storage/failed');
      await storage.release();
      expect([await lost, await inserted]).toEqual(['storage/failed', 'ok']);
      expect(await verbsOf(cold).count()).toBe(4_064);
      expect((await cold.verify(VERIFY)).sound).toBe(true);
    });

    test(`[B6] a create that waits for page load ${stage} while the append before it fails is done once`, async () => {
      const { storage, cold } = await coldStory();
      storage.hold('log.append');
      const calls = [codeOf(verbsOf(cold, 'others').create({ id: 'lost' }))];
      await turn();
      calls.push(codeOf(verbsOf(cold).create({ id: 50_000, n: 1 })));
      storage.hold('pages.read');
      calls.push(codeOf(verbsOf(cold).create({ id: 100_000, n: 2_000 })));
      calls.push(codeOf(verbsOf(cold).update(100_000, { n: -1 })));
      await turn();
      for (let step = 1; step < stage; step += 1) await storage.releaseAt(1);
      await storage.failOldest('storage/failed');
      await storage.release();
      expect(await Promise.all(calls)).toEqual(['storage/failed', 'ok', 'ok', 'ok']);
      expect(await verbsOf(cold).getMany(50_000, 100_000)).toEqual([
        { id: 50_000, n: 1 },
        { id: 100_000, n: -1 },
      ]);
      expect((await cold.verify(VERIFY)).sound).toBe(true);
    });
  }

  test('[B6] an outcome that is not known poisons the engine: all waiting calls settle, and reopening is sound', async () => {
    const { engine, storage, image } = await begin(0);
    await verbsOf(engine).create(...Array.from({ length: 2_000 }, (_, id) => ({ id, n: id })));
    await engine.checkpoint();
    await engine.close();
    void storage;
    const again = createHeldStorage(createMemoryStorage(image));
    const cold = await openOnStorage(again, COLLECTIONS, { cacheBytesMax: 0, unstable: { checkpoint: 'manual' } });
    again.hold('log.append', 'pages.read');
    const calls = [codeOf(verbsOf(cold, 'others').create({ id: 'unknown' }))];
    await turn();
    calls.push(codeOf(verbsOf(cold, 'others').create({ id: 'gathered' })));
    calls.push(codeOf(verbsOf(cold).update(1_500, { n: 0 })));
    calls.push(codeOf(verbsOf(cold).delete(3)));
    await turn();
    await again.failOldest('storage/outcome-unknown');
    await again.release();
    expect(await Promise.all(calls)).toEqual([
      'storage/outcome-unknown',
      'engine/poisoned',
      'engine/poisoned',
      'engine/poisoned',
    ]);
    expect(cold.life).toBe('poisoned');
    expect(await codeOf(verbsOf(cold).get(1))).toBe('engine/poisoned');
    await cold.close();
    expect((await (await openOnImage(image, COLLECTIONS)).verify(VERIFY)).sound).toBe(true);
  });

  test('a deferred write that cannot be stored poisons the engine, as it was answered', async () => {
    const { engine, storage, image } = await begin();
    storage.hold('log.append');
    await verbsOf(engine, 'items', 'deferred').create({ id: 1, n: 1 });
    const flushed = codeOf(verbsOf(engine).create({ id: 2, n: 2 }));
    await turn();
    await storage.failOldest('storage/quota');
    expect(await flushed).toBe('storage/quota');
    expect(engine.life).toBe('poisoned');
    await storage.release();
    await engine.close();
    expect(await ids(await openOnImage(image, COLLECTIONS))).toEqual([]);
  });
});

describe('what is not in memory', () => {
  test('[B12] a large row can be changed and read while it is being stored', async () => {
    const { engine, storage } = await begin();
    const big = 'x'.repeat(60_000);
    storage.hold('log.append');
    const created = verbsOf(engine).create({ id: 1, n: 1, big });
    await turn();
    const updated = verbsOf(engine).update(1, { n: 2 });
    await verbsOf(engine, 'items', 'deferred').create({ id: 2, n: 7, big });
    expect(await verbsOf(engine).get(2)).toEqual({ id: 2, n: 7, big });
    expect(await verbsOf(engine).find({ n: 7 })).toEqual([{ id: 2, n: 7, big }]);
    await storage.release();
    await created;
    expect(await updated).toEqual({ id: 1, n: 2, big });
    expect(await verbsOf(engine).all()).toEqual([
      { id: 1, n: 2, big },
      { id: 2, n: 7, big },
    ]);
  });

  test('[B6] changing what an index selects waits for cold pages and misses no row', async () => {
    const { cold } = await coldStory();
    expect(await verbsOf(cold).updateMany({ n: { $gte: 100, $lt: 400 } }, { n: -1 })).toBe(300);
    expect(await verbsOf(cold).deleteMany({ n: { $gte: 1_000, $lt: 1_200 } })).toBe(200);
    expect(await verbsOf(cold).count()).toBe(3_800);
    expect((await cold.verify(VERIFY)).sound).toBe(true);
  });
});

describe('a failed change', () => {
  test('a failing index build does not take back a deferred write', async () => {
    const { engine } = await begin();
    await verbsOf(engine).create({ id: 1, n: 1 }, { id: 2, n: 1 });
    const deferred = verbsOf(engine, 'items', 'deferred');
    const building = codeOf(engine.createIndex('items', index('n', { name: 'unique', unique: true }), LONG));
    for (let id = 10; id < 40; id += 1) {
      await deferred.create({ id, n: id });
      expect(await ids(engine), 'read your own writes').toContain(id);
    }
    expect(await building).toBe('index/not-unique');
    expect(engine.life).toBe('open');
    await verbsOf(engine).create({ id: 3, n: 3 });
    expect(await verbsOf(engine).count()).toBe(33);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('an index created over rows that a failed write had deleted is built', async () => {
    const { engine, storage } = await begin();
    await verbsOf(engine).create({ id: 1, n: 1, m: 5 });
    storage.hold('log.append');
    const creating = engine.createIndex('items', index('m'), LONG);
    await turn();
    const deleting = codeOf(verbsOf(engine).delete(1));
    await turn();
    await storage.releaseOldest();
    await storage.failOldest('storage/failed');
    await storage.release();
    expect(await deleting).toBe('storage/failed');
    await creating;
    expect(await verbsOf(engine).find({ m: 5 })).toEqual([{ id: 1, n: 1, m: 5 }]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });
});
