/** Goal: indexes are built beside writes, and what is half built is never believed. Method: builds interrupted in every way. */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { CollectionSpec, IndexSpec } from '../../src/protocol/definition.ts';
import type { Progress } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { copyMemoryImage, createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { collection, createMemoryImage, index, openOnImage, openOnStorage } from './engine-fixture.ts';
import { codeOf, LONG, VERIFY, verbsOf } from './engine-verbs.ts';
import { turn } from './held-storage.ts';

const COUNT = 5_000;
const rows = (count = COUNT): readonly Row[] =>
  Array.from({ length: count }, (_, id) => ({ id, n: id % 97, tags: [id % 5, `t${id % 7}`], name: `Name ${id}` }));

async function filled(image: MemoryImage = createMemoryImage(), specs: readonly IndexSpec[] = []): Promise<Engine> {
  const engine = await openOnImage(image, [collection('items', specs)], { cacheBytesMax: 100_000 });
  await verbsOf(engine).create(...rows());
  return engine;
}

const stateOf = (engine: Engine, name: string): string | undefined =>
  engine.indexes('items').find((each) => each.name === name)?.state;

async function whenReady(engine: Engine, name: string): Promise<void> {
  for (let turns = 0; turns < 10_000 && stateOf(engine, name) !== 'ready'; turns += 1) await turn();
  expect(stateOf(engine, name)).toBe('ready');
}

describe('[B17] building', () => {
  test('[B17] goes on beside writes, tells its progress, and ends equal to a scan', async () => {
    const engine = await filled();
    const items = verbsOf(engine);
    const random = createSeededRandom(5);
    const progress: Progress[] = [];
    const building = Promise.all([
      engine.createIndex('items', index('n'), { signal: undefined, onProgress: (each) => progress.push(each) }),
      engine.createIndex('items', index('tags', { multi: true }), LONG),
      engine.createIndex('items', index('name', { unique: true, caseInsensitive: true }), LONG),
    ]);
    let isBuilding = true;
    void building.finally(() => {
      isBuilding = false;
    });
    let writes = 0;
    for (; isBuilding; writes += 1) {
      const id = Math.floor(random() * COUNT);
      await items.update(id, { n: -1, tags: [`new ${writes}`] });
      await items.put({ id: COUNT + writes, n: -1, tags: [], name: `More ${writes}` });
      await items.delete(Math.floor(random() * COUNT));
      await turn();
      const scanned = (await items.all()).filter(({ n }) => n === -1 || n === 5).length;
      expect(await items.count({ n: { $in: [-1, 5] } }), 'queries do without it meanwhile').toBe(scanned);
    }
    await building;
    expect(writes).toBeGreaterThan(2);
    expect(progress.length).toBeGreaterThan(3);
    expect(progress.every(({ done, total }, at) => done <= total && done >= (progress[at - 1]?.done ?? 0))).toBe(true);
    const report = await engine.verify(VERIFY);
    expect(report.sound).toBe(true);
    expect(report.collections[0]?.indexes.map((each) => each.index)).toEqual(['n', 'tags', 'name']);
    const explained = await engine.explain('items', { selector: { n: -1 }, sort: [], limit: undefined, skip: 0 });
    expect(explained).toMatchObject({ index: 'n', access: 'index' });
  });

  test('can be cancelled, leaves nothing, and can begin again', async () => {
    const engine = await filled();
    const cancel = new AbortController();
    const building = engine.createIndex('items', index('n'), {
      signal: cancel.signal,
      onProgress: ({ done }) => done > 1_500 && cancel.abort(),
    });
    expect(await codeOf(building)).toBe('call/aborted');
    expect(engine.indexes('items')).toEqual([]);
    await engine.createIndex('items', index('n'), LONG);
    expect(await verbsOf(engine).count({ n: 3 })).toBe(rows().filter(({ n }) => n === 3).length);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('of a unique index over equal values is refused by both keys, and leaves nothing', async () => {
    const engine = await filled();
    const error = await engine.createIndex('items', index('n', { unique: true }), LONG).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: 'index/not-unique',
      details: { collection: 'items', index: 'n', keys: [0, 97] },
    });
    expect(engine.indexes('items')).toEqual([]);
    expect(await codeOf(verbsOf(engine).create({ id: 'x', n: 1 }))).toBe('ok');
  });

  test('[B16] begins again after a crash in the middle', async () => {
    const image = createMemoryImage();
    const engine = await filled(image);
    let crashed: MemoryImage | undefined;
    await engine.createIndex('items', index('n'), {
      signal: undefined,
      onProgress: ({ done }) => {
        if (done > 2_000) crashed ??= copyMemoryImage(image);
      },
    });
    const reopened = await openOnImage(crashed!, [collection('items')]);
    await verbsOf(reopened).update(1, { n: 1_000 });
    await whenReady(reopened, 'n');
    expect((await verbsOf(reopened).find({ n: 1_000 })).map(({ id }) => id)).toEqual([1]);
    expect((await reopened.verify(VERIFY)).sound).toBe(true);
  });

  test('two builds of one name are one too many', async () => {
    const engine = await filled();
    const first = codeOf(engine.createIndex('items', index('n'), LONG));
    const second = codeOf(engine.createIndex('items', index('n', { unique: true }), LONG));
    expect([await first, await second]).toEqual(['ok', 'index/exists']);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('an index that is dropped while it is built is gone, and its build says so', async () => {
    const engine = await filled();
    let dropping: Promise<void> | undefined;
    const building = codeOf(
      engine.createIndex('items', index('n'), {
        signal: undefined,
        onProgress: () => {
          dropping ??= engine.dropIndex('items', 'n');
        },
      }),
    );
    expect(await building).toBe('index/unknown');
    await dropping;
    expect(engine.indexes('items')).toEqual([]);
    await engine.createIndex('items', index('n'), LONG);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('names that are taken or unknown are refused', async () => {
    const engine = await filled(createMemoryImage(), [index('n')]);
    expect(await codeOf(engine.createIndex('items', index('n'), LONG))).toBe('index/exists');
    expect(await codeOf(engine.dropIndex('items', 'm'))).toBe('index/unknown');
  });
});

describe('catalogue changes between openings', () => {
  const reopen = async (image: MemoryImage, spec: CollectionSpec): Promise<Engine> => openOnImage(image, [spec]);

  test('a new index is built, a changed one is built anew, one no longer defined is dropped', async () => {
    const image = createMemoryImage();
    await (await filled(image, [index('n'), index('name')])).close();
    const changed = index('n', { where: { name: 'Name 5' } });
    const engine = await reopen(image, collection('items', [changed, index('tags', { multi: true })]));
    expect(
      engine
        .indexes('items')
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['n', 'tags']);
    await whenReady(engine, 'n');
    await whenReady(engine, 'tags');
    expect(engine.indexes('items').find(({ name }) => name === 'n')).toMatchObject({
      entries: 1,
      where: { name: 'Name 5' },
    });
    expect(await verbsOf(engine).count({ tags: 't3' })).toBe(
      rows().filter(({ id }) => (id as number) % 7 === 3).length,
    );
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    await engine.checkpoint();
    await engine.close();
    const again = await reopen(image, collection('items', [changed, index('tags', { multi: true })]));
    expect(stateOf(again, 'n')).toBe('ready');
  });

  test('an index made by createIndex stays, whatever is defined', async () => {
    const image = createMemoryImage();
    const engine = await filled(image, [index('n')]);
    await engine.createIndex('items', index('name'), LONG);
    await engine.close();
    const again = await reopen(image, collection('items', []));
    expect(again.indexes('items').map(({ name }) => name)).toEqual(['name']);
  });

  test('a collection that is no longer defined keeps its rows', async () => {
    const image = createMemoryImage();
    await (await filled(image)).close();
    const without = await openOnImage(image, [collection('other')]);
    await verbsOf(without, 'other').create({ id: 1 });
    await without.close();
    expect(await verbsOf(await reopen(image, collection('items'))).count()).toBe(COUNT);
  });

  test('a changed key, a newer version and a damaged superblock are refused, and nothing is destroyed', async () => {
    const image = createMemoryImage();
    const engine = await openOnImage(image, [collection('items', [], { version: 2 })]);
    await verbsOf(engine).create(...rows(10));
    await engine.close();
    const kept = copyMemoryImage(image);
    const bytesOf = ({ log, pages, superblock, blobs }: MemoryImage): unknown => [
      [...log.values()],
      [...pages],
      superblock,
      [...blobs],
    ];
    expect(await codeOf(reopen(image, collection('items', [], { version: 2, key: 'name' })))).toBe(
      'collection/key-changed',
    );
    expect(await codeOf(reopen(image, collection('items', [], { version: 1 })))).toBe('store/newer-version');
    expect(bytesOf(image)).toEqual(bytesOf(kept));
    const { superblock } = image;
    for (let at = 0; at < superblock!.bytes.length; at += 1) {
      const damaged = copyMemoryImage(image);
      const bytes = superblock!.bytes.slice();
      bytes[at]! ^= 0x10;
      damaged.superblock = { generation: superblock!.generation, bytes };
      const before = bytesOf(damaged);
      expect(await codeOf(reopen(damaged, collection('items', [], { version: 2 }))), `byte ${at}`).toBe(
        'store/damaged',
      );
      expect(bytesOf(damaged)).toEqual(before);
    }
    expect(await verbsOf(await reopen(image, collection('items', [], { version: 2 }))).count()).toBe(10);
  });

  test('[B8] definitions that change again and again across crashes leave sound indexes', async () => {
    const random = createSeededRandom(11);
    let image = createMemoryImage();
    await (await filled(image)).close();
    const all = [index('n'), index('name'), index('tags', { multi: true }), index(['n', 'name'])];
    for (let round = 0; round < 12; round += 1) {
      const specs = all.filter(() => random() < 0.6);
      const crash = { write: 1 + Math.floor(random() * 6), fate: 'lost', afterwards: 'reject' } as const;
      const storage = createFaultyStorage(createMemoryStorage(image), random() < 0.6 ? { crash } : {});
      const engine = await openOnStorage(storage, [collection('items', specs)]).catch(() => undefined);
      if (engine !== undefined) {
        await codeOf(verbsOf(engine).update(round, { n: `round ${round}` }));
        for (let turns = 0; turns < random() * 20; turns += 1) await turn();
        if (random() < 0.5) await codeOf(engine.close());
      }
      image = copyMemoryImage(image);
    }
    const engine = await openOnImage(image, [collection('items', all)]);
    for (const { name } of all) await whenReady(engine, name);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });
});
