/** Goal: damage is found, named, and mended where that is possible; rows are never invented and never thrown away. Method: bytes on disk are changed. */
import { describe, expect, test } from 'vitest';
import type { IndexSpec } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { Leaf } from '../../worker/pages/node.ts';
import { decodePage, encodePage, type PageKind } from '../../worker/pages/page-format.ts';
import { copyMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openOnImage } from './engine-fixture.ts';
import { codeOf, REPAIR, VERIFY, verbsOf } from './engine-verbs.ts';

const INDEXES: readonly IndexSpec[] = [index('n'), index('tags', { multi: true })];
const COLLECTIONS = [collection('items', INDEXES)];
const COLD = { cacheBytesMax: 0, unstable: { checkpoint: 'manual' } } as const;
const COUNT = 3_000;
/** Tree ids are given in the order of definition: rows, first index, second index. */
const TREES = { rows: 1, n: 2, tags: 3 } as const;

async function imageWithPages(): Promise<MemoryImage> {
  const image = createMemoryImage();
  const engine = await openOnImage(image, COLLECTIONS, COLD);
  const rows = Array.from({ length: COUNT }, (_, id) => ({
    id,
    n: id % 100,
    tags: [id % 10, `t${id}`],
    pad: 'x'.repeat(60),
  }));
  await verbsOf(engine).create(...rows);
  await engine.checkpoint();
  await engine.close();
  expect(image.log.size).toBe(0);
  return image;
}

const fresh = await imageWithPages();
const open = (image: MemoryImage): Promise<Engine> => openOnImage(image, COLLECTIONS, COLD);

type PageOnDisk = { readonly id: number; readonly type: number; readonly tree: number };

function pagesOf(image: MemoryImage, tree: number, type: 'leaf' | 'branch'): readonly PageOnDisk[] {
  return [...image.pages]
    .map(([id, bytes]) => ({
      id,
      type: bytes[3]!,
      tree: new DataView(bytes.buffer, bytes.byteOffset).getUint32(16, true),
    }))
    .filter((page) => page.tree === tree && (type === 'branch' ? page.type === 3 : page.type < 3));
}

function damage(image: MemoryImage, page: number): void {
  const bytes = image.pages.get(page)!.slice();
  bytes[bytes.length - 3]! ^= 0x40;
  image.pages.set(page, bytes);
}

/** Changes the keys of a leaf of an index, with a checksum that is right. */
function changeKeys(image: MemoryImage, page: number, tree: number, change: (keys: string[]) => void): void {
  const kinds = new Map<number, PageKind>([[tree, { type: 'keys' }]]);
  const decoded = decodePage(page, image.pages.get(page), kinds);
  if (decoded.type !== 'node' || !decoded.node.isLeaf) throw new Error('Not a leaf.');
  const keys = [...decoded.node.keys];
  change(keys);
  image.pages.set(page, encodePage(new Leaf(0, keys, undefined, 0), page, tree));
}

test('[B17] a sound store is sound, and every page was read', async () => {
  const image = copyMemoryImage(fresh);
  const report = await (await open(image)).verify(VERIFY);
  expect(report).toMatchObject({ sound: true, damaged: [], collections: [{ collection: 'items', rows: COUNT }] });
  expect(report.collections[0]!.indexes).toEqual([
    { index: 'n', entries: COUNT, missing: 0, surplus: 0, repaired: false },
    { index: 'tags', entries: COUNT * 2, missing: 0, surplus: 0, repaired: false },
  ]);
  expect(report.pagesChecked).toBeGreaterThanOrEqual(image.pages.size);
});

describe('[B17] a wrong entry', () => {
  const story: readonly (readonly [string, (keys: string[]) => void, { missing: number; surplus: number }])[] = [
    ['changed', (keys) => keys.splice(4, 1, `${keys[4]!}~`), { missing: 1, surplus: 1 }],
    // The counts of the branch above still tell of what was there.
    ['lost', (keys) => keys.splice(4, 1), { missing: 1, surplus: 0 }],
    ['too many', (keys) => keys.splice(5, 0, `${keys[4]!}~`), { missing: 0, surplus: 1 }],
  ];
  test.each(story)('[B17] %s is found, counted, and mended', async (_name, change, wrong) => {
    const image = copyMemoryImage(fresh);
    changeKeys(image, pagesOf(image, TREES.n, 'leaf')[1]!.id, TREES.n, change);
    const engine = await open(image);
    const found = await engine.verify(VERIFY);
    expect(found.sound).toBe(false);
    expect(found.collections[0]!.indexes[0]).toMatchObject({ index: 'n', ...wrong, repaired: false });
    expect(found.collections[0]!.indexes[1]).toMatchObject({ missing: 0, surplus: 0 });
    const repaired = await engine.verify(REPAIR);
    expect(repaired.collections[0]!.indexes[0]).toMatchObject({ index: 'n', repaired: true });
    expect(repaired.collections[0]!.indexes[1]).toMatchObject({ index: 'tags', repaired: false });
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    expect(await verbsOf(engine).count({ n: 7 })).toBe(30);
    await engine.close();
    expect((await (await open(image)).verify(VERIFY)).sound, 'reopened').toBe(true);
  });

  test('[B10] an entry without a row is an error of the index, not an empty row', async () => {
    const image = copyMemoryImage(fresh);
    changeKeys(image, pagesOf(image, TREES.n, 'leaf')[0]!.id, TREES.n, (keys) => keys.splice(3, 0, `${keys[2]!}~`));
    const engine = await open(image);
    expect(await codeOf(verbsOf(engine).find({ n: { $gte: 0 } }, { sort: [['n', 1]] }))).toBe('index/damaged');
  });
});

describe('[B17] a damaged page', () => {
  for (const type of ['leaf', 'branch'] as const) {
    for (const tree of ['n', 'tags'] as const) {
      test(`[B17] a ${type} of index ${tree} is named, and the index is built anew`, async () => {
        const pages = pagesOf(fresh, TREES[tree], type);
        expect(pages.length).toBeGreaterThan(0);
        for (const { id } of [pages[0]!, pages.at(-1)!]) {
          const image = copyMemoryImage(fresh);
          damage(image, id);
          const engine = await open(image);
          const report = await engine.verify(VERIFY);
          expect(report.sound).toBe(false);
          expect(report.damaged).toEqual([{ page: id, collection: 'items', index: tree }]);
          await engine.verify(REPAIR);
          const after = await engine.verify(VERIFY);
          expect(after.sound, JSON.stringify(after)).toBe(true);
          expect(await verbsOf(engine).count()).toBe(COUNT);
          expect(await verbsOf(engine).count({ n: 7 })).toBe(30);
          expect(await verbsOf(engine).count({ tags: 7 })).toBe(300);
          await engine.close();
          expect((await (await open(image)).verify(VERIFY)).sound, 'reopened').toBe(true);
        }
      });
    }
  }

  test('[B17] [B10] a leaf of rows is named, nothing is destroyed, and other rows are still there', async () => {
    const image = copyMemoryImage(fresh);
    const pages = pagesOf(image, TREES.rows, 'leaf');
    damage(image, pages[2]!.id);
    const kept = copyMemoryImage(image);
    const engine = await open(image);
    const report = await engine.verify(REPAIR);
    expect(report.sound).toBe(false);
    expect(report.damaged).toEqual([{ page: pages[2]!.id, collection: 'items', index: undefined }]);
    expect(report.collections[0]!.indexes.some(({ repaired }) => repaired)).toBe(false);
    expect([...image.pages]).toEqual([...kept.pages]);
    const codes = await Promise.all(Array.from({ length: COUNT }, (_, id) => codeOf(verbsOf(engine).get(id))));
    const lost = codes.filter((code) => code === 'page/damaged').length;
    expect(lost).toBeGreaterThan(0);
    expect(codes.filter((code) => code === 'ok').length).toBe(COUNT - lost);
    expect(await codeOf(verbsOf(engine).all())).toBe('page/damaged');
    // What needs the page fails, and what does not goes on.
    const first = codes.indexOf('page/damaged');
    expect(await codeOf(verbsOf(engine).update(first, { n: 1 }))).toBe('page/damaged');
    expect(await codeOf(verbsOf(engine).put({ id: COUNT + 1, n: 1 }))).toBe('ok');
    expect(engine.life).toBe('open');
  });

  test('[B17] a page that is missing is named like a damaged one', async () => {
    const image = copyMemoryImage(fresh);
    const { id } = pagesOf(image, TREES.tags, 'leaf')[3]!;
    image.pages.delete(id);
    const engine = await open(image);
    expect((await engine.verify(VERIFY)).damaged).toEqual([{ page: id, collection: 'items', index: 'tags' }]);
    expect(await codeOf(verbsOf(engine).distinct('tags', { tags: { $gte: 0 } }))).toBe('page/missing');
    await engine.verify(REPAIR);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[B17] a large value that is missing is named, and its row is an error', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine).create({ id: 1, n: 1, big: 'x'.repeat(60_000) }, { id: 2, n: 2 });
    image.blobs.clear();
    expect((await engine.verify(VERIFY)).sound).toBe(false);
    expect(await codeOf(verbsOf(engine).get(1))).toBe('store/damaged');
    expect(await verbsOf(engine).get(2)).toEqual({ id: 2, n: 2 });
  });
});

test('[B17] verifying can be cancelled and tells its progress', async () => {
  const engine = await open(copyMemoryImage(fresh));
  const cancel = new AbortController();
  cancel.abort();
  expect(await codeOf(engine.verify({ ...VERIFY, signal: cancel.signal }))).toBe('call/aborted');
  const told: unknown[] = [];
  await engine.verify({ ...VERIFY, onProgress: (progress) => told.push(progress) });
  expect(told).toEqual([{ done: 1, total: 1 }]);
});

test('[B17] an index that becomes ready while the store is verified is not taken for a wrong one', async () => {
  const image = await imageWithPages();
  const engine = await openOnImage(image, [collection('items', [...INDEXES, index('late')])]);
  const reports = await Promise.all([engine.verify(REPAIR), engine.verify(REPAIR)]);
  expect(reports.flatMap(({ collections }) => collections[0]!.indexes.map(({ repaired }) => repaired))).not.toContain(
    true,
  );
  await engine.close();
});
