/**
 * Goal: deleting many rows gives the same as deleting them one by one, whatever is in memory, and half of it is never
 * seen. Method: seeded random rows beside a plain filter; appends that are held back or failed meanwhile.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type { ChangeEvent, WriteRequest } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openOnImage, openOnStorage } from '../engine/engine-fixture.ts';
import { codeOf, VERIFY, verbsOf } from '../engine/engine-verbs.ts';
import { createHeldStorage, turn } from '../engine/held-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const COLLECTIONS = [collection('items', [index('n'), index(['group', 'n']), index('tags', { multi: true })])];
const MANUAL = { unstable: { checkpoint: 'manual' } } as const;

const itemsOf = (seed: number, count: number): Row[] => {
  const random = createSeededRandom(seed);
  const below = (end: number): number => Math.floor(random() * end);
  return Array.from({ length: count }, (_, at) => ({
    id: at % 3 === 0 ? at : `k${at}`,
    n: below(1_000),
    group: 'abcd'[below(4)],
    ...(below(2) === 0 && { tags: Array.from({ length: below(4) }, () => below(21)) }),
  }));
};

/** Rows on disk; nothing in memory when `cacheBytesMax` is 0. */
async function storyOf(
  rows: readonly Row[],
  cacheBytesMax: number,
): Promise<{
  readonly engine: Engine;
  readonly image: MemoryImage;
  readonly storage: ReturnType<typeof createHeldStorage>;
}> {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS, MANUAL);
  await verbsOf(first).put(...rows);
  await first.checkpoint();
  await first.close();
  const storage = createHeldStorage(createMemoryStorage(image));
  return { engine: await openOnStorage(storage, COLLECTIONS, { cacheBytesMax, ...MANUAL }), image, storage };
}

const idsOf = (rows: readonly Row[]): string[] => rows.map(({ id }) => JSON.stringify(id)).sort();

const byId = (rows: readonly Row[]): readonly Row[] =>
  rows.toSorted((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1));

const QUESTIONS: readonly { readonly selector: Selector; readonly holds: (row: Row) => boolean }[] = [
  { selector: {}, holds: () => true },
  { selector: { group: { $in: ['a', 'b', 'c'] } }, holds: ({ group }) => group !== 'd' },
  { selector: { n: { $lt: 300 } }, holds: ({ n }) => (n as number) < 300 },
  { selector: { group: 'b', n: { $gte: 100 } }, holds: ({ group, n }) => group === 'b' && (n as number) >= 100 },
  { selector: { tags: { $gte: 5 } }, holds: ({ tags }) => ((tags ?? []) as number[]).some((tag) => tag >= 5) },
  { selector: { n: { $mod: [2, 1] } }, holds: ({ n }) => (n as number) % 2 === 1 },
];

describe('[B1] many rows', () => {
  test.each(QUESTIONS)(
    '$selector: as a plain filter, warm and cold, and again after replay',
    async ({ selector, holds }) => {
      for (const [seed, cacheBytesMax] of [
        [1, 0],
        [2, 32_000_000],
      ] as const) {
        const rows = itemsOf(seed, 6_000);
        const { engine, image } = await storyOf(rows, cacheBytesMax);
        const told: ChangeEvent[] = [];
        engine.subscribe('items', (events) => told.push(...events));
        const gone = rows.filter(holds);
        const left = idsOf(rows.filter((row) => !holds(row)));
        expect(gone.length).toBeGreaterThan(256);
        expect(await verbsOf(engine).deleteMany(selector), `seed ${seed}`).toBe(gone.length);
        expect(idsOf(await verbsOf(engine).all()), `seed ${seed}`).toEqual(left);
        expect(told.every(({ type, row }) => type === 'delete' && row === undefined)).toBe(true);
        expect(byId(told.map(({ before }) => before!)), `seed ${seed}`).toEqual(byId(gone));
        expect((await engine.verify(VERIFY)).sound).toBe(true);
        // The log has not been taken up: what is opened now has replayed it.
        const replayed = await openOnImage(image, COLLECTIONS, { cacheBytesMax, ...MANUAL });
        expect(idsOf(await verbsOf(replayed).all()), `seed ${seed}, replayed`).toEqual(left);
        expect((await replayed.verify(VERIFY)).sound).toBe(true);
      }
    },
  );

  test('[B1] nobody sees half of it, and writes that come meanwhile follow it', async () => {
    const rows = itemsOf(3, 5_000);
    const { engine } = await storyOf(rows, 0);
    let isDone = false;
    const deleting = verbsOf(engine).deleteMany({ n: { $gte: 0 } });
    const writing = verbsOf(engine).create({ id: 'new', n: 5 });
    const counts = new Set<number>();
    const counting = (async () => {
      while (!isDone) {
        counts.add(await verbsOf(engine).count());
        await turn();
      }
    })();
    expect(await deleting).toBe(5_000);
    await writing;
    isDone = true;
    await counting;
    expect([...counts].filter((count) => count !== 5_000 && count > 1)).toEqual([]);
    expect(await verbsOf(engine).all()).toEqual([{ id: 'new', n: 5 }]);
  });

  test('[B1] it is done again when the write before it fails meanwhile', async () => {
    for (let turns = 0; turns < 12; turns += 1) {
      const { engine, storage } = await storyOf(itemsOf(4, 3_000), turns % 2 === 0 ? 0 : 32_000_000);
      storage.hold('log.append');
      const failing = codeOf(verbsOf(engine).create({ id: 'x', n: 1 }));
      await turn();
      const deleting = verbsOf(engine).deleteMany({ n: { $lt: 500 } });
      for (let left = turns; left > 0; left -= 1) await turn();
      await storage.failOldest('storage/failed');
      await storage.release();
      expect(await failing).toBe('storage/failed');
      const gone = (await deleting) as number;
      expect(await verbsOf(engine).count()).toBe(3_000 - gone);
      expect(await verbsOf(engine).count({ n: { $lt: 500 } })).toBe(0);
      expect((await engine.verify(VERIFY)).sound).toBe(true);
    }
  });

  test('[B1] cancelled on the way, nothing of it is done', async () => {
    const outcomes: string[] = [];
    for (let turns = 0; turns < 16; turns += 1) {
      const { engine } = await storyOf(itemsOf(5, 3_000), 0);
      const controller = new AbortController();
      const request: WriteRequest = { type: 'deleteMany', collection: 'items', selector: {} };
      const deleting = codeOf(engine.write(request, { durability: undefined, signal: controller.signal }));
      const writing = verbsOf(engine).create({ id: 'new', n: 5 });
      for (let left = turns; left > 0; left -= 1) await turn();
      controller.abort();
      const outcome = await deleting;
      await writing;
      outcomes.push(outcome);
      expect(await verbsOf(engine).count()).toBe(outcome === 'ok' ? 1 : 3_001);
      expect((await engine.verify(VERIFY)).sound).toBe(true);
    }
    // Before it began, and on the way; later it is too late.
    expect(outcomes.filter((outcome) => outcome === 'call/aborted').length).toBeGreaterThan(2);
    expect(outcomes.at(-1)).toBe('ok');
  });

  test('[B12] rows with large values free their space', async () => {
    const image = createMemoryImage();
    const engine = await openOnImage(image, COLLECTIONS, { cacheBytesMax: 0, ...MANUAL });
    const big = 'x'.repeat(60_000);
    const rows = Array.from({ length: 300 }, (_, id) => ({ id, n: id, ...(id % 2 === 0 && { big }) }));
    await verbsOf(engine).create(...rows);
    await engine.checkpoint();
    expect(image.blobs.size).toBe(150);
    expect(await verbsOf(engine).deleteMany({ n: { $gte: 10 } })).toBe(290);
    await engine.checkpoint();
    await engine.checkpoint();
    expect(image.blobs.size).toBe(5);
    expect(await verbsOf(engine).all()).toEqual(rows.slice(0, 10));
  });
});
