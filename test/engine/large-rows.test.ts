/** Goal: large rows live in the blob store as long as somebody needs them, and no longer. Method: sizes around the borders, and every way to let go. */
import { describe, expect, test } from 'vitest';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { collection, createMemoryImage, index, openOnImage, openOnStorage } from './engine-fixture.ts';
import { codeOf, drain, VERIFY, verbsOf } from './engine-verbs.ts';

const COLLECTIONS = [collection('items', [index('n')])];
const MANUAL = { cacheBytesMax: 0, unstable: { checkpoint: 'manual' } } as const;
const KIB = 1024;
const big = (id: number, bytes = 100 * KIB): Row => ({ id, n: id % 3, data: new Uint8Array(bytes).fill(id) });
/** Much faster on large binary than `toEqual`. */
const mustEqual = (found: unknown, expected: unknown): void => expect(deepEqual(found, expected)).toBe(true);
const open = (image: MemoryImage) => openOnImage(image, COLLECTIONS, MANUAL);

describe('[B12] sizes', () => {
  test.each([0, 8 * KIB, 16 * KIB, 16 * KIB + 1, 48 * KIB - 1, 48 * KIB, 48 * KIB + 1, 300 * KIB, 1024 * KIB])(
    '[B12] %i bytes come back from memory, log and pages',
    async (bytes) => {
      const image = createMemoryImage();
      const engine = await open(image);
      await verbsOf(engine).create(big(1, bytes), { id: 2, text: 'x'.repeat(bytes) });
      const expected = [big(1, bytes), { id: 2, text: 'x'.repeat(bytes) }];
      mustEqual(await verbsOf(engine).all(), expected);
      await engine.close();
      const replayed = await open(image);
      mustEqual(await verbsOf(replayed).all(), expected);
      await replayed.checkpoint();
      await replayed.close();
      const paged = await open(image);
      mustEqual(await verbsOf(paged).all(), expected);
      mustEqual(await verbsOf(paged).find({ n: 1 }), [big(1, bytes)]);
      expect((await paged.verify(VERIFY)).sound).toBe(true);
      for (const page of image.pages.values()) expect(page.length).toBeLessThanOrEqual(48 * KIB);
    },
  );
});

describe('[B12] blobs are freed', () => {
  test('[B12] when a row is replaced, shrinks, or goes, after the next checkpoints', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    await items.create(big(1), big(2), big(3), big(4), big(5));
    await engine.checkpoint();
    expect(image.blobs.size).toBe(5);
    await items.put(big(1));
    await items.update(2, { data: undefined });
    await items.delete(3);
    await items.updateMany({ id: 4 }, { extra: 1 });
    await items.deleteMany({ id: 5 });
    await engine.checkpoint();
    await engine.checkpoint();
    expect(image.blobs.size).toBe(2);
    expect((await items.all()).map(({ id }) => id)).toEqual([1, 2, 4]);
    expect((await engine.verify(VERIFY)).sound).toBe(true);
  });

  test('[B12] of a row that is twice in one put, only the last is stored', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine).put(big(1), big(2), { ...big(1), last: true });
    expect(image.blobs.size).toBe(2);
    expect(await verbsOf(engine).get(1)).toMatchObject({ last: true });
  });

  test('[B12] also after a crash between checkpoint and deletion, and after replay', async () => {
    for (const write of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const image = createMemoryImage();
      const first = await open(image);
      await verbsOf(first).create(big(1), big(2), big(3));
      await first.checkpoint();
      await first.close();
      const crash = { write, fate: 'stored-unanswered', afterwards: 'reject' } as const;
      const storage = createFaultyStorage(createMemoryStorage(image), { crash });
      const crashing = await openOnStorage(storage, COLLECTIONS, MANUAL);
      for (const run of [() => verbsOf(crashing).put(big(1)), () => verbsOf(crashing).delete(2)]) await codeOf(run());
      await codeOf(crashing.checkpoint());
      await codeOf(crashing.checkpoint());
      const engine = await open(image);
      const rows = await verbsOf(engine).all();
      await engine.checkpoint();
      await engine.checkpoint();
      expect(image.blobs.size, `crash at write ${write}`).toBe(rows.length);
      expect((await engine.verify(VERIFY)).sound).toBe(true);
    }
  });

  test.each(['log.trim', 'blobs.delete'] as const)(
    '[B12] also when %s fails once after a checkpoint',
    async (operation) => {
      const image = createMemoryImage();
      const fail = {
        request: operation === 'log.trim' ? 2 : 1,
        code: 'storage/failed',
        lasts: 'once',
        only: [operation],
      } as const;
      const engine = await openOnStorage(
        createFaultyStorage(createMemoryStorage(image), { fail }),
        COLLECTIONS,
        MANUAL,
      );
      await verbsOf(engine).create(big(1), big(2));
      await engine.checkpoint();
      await verbsOf(engine).delete(1);
      expect(await codeOf(engine.checkpoint())).toBe('storage/failed');
      await verbsOf(engine).create({ id: 9 });
      await engine.checkpoint();
      expect(image.blobs.size).toBe(1);
      expect(image.log.size).toBe(0);
      expect((await engine.verify(VERIFY)).sound).toBe(true);
    },
  );
});

describe('[B12] blobs and readers', () => {
  test('[B12] a cursor reads large rows that were deleted and checkpointed away after it was opened', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    await items.create(...Array.from({ length: 6 }, (_, id) => big(id)));
    await engine.checkpoint();
    const cursor = engine.find('items', { selector: {}, sort: [['id', 1]], limit: undefined, skip: 0 });
    const first = await cursor.next(1);
    await items.deleteMany({});
    for (let round = 0; round < 3; round += 1) await engine.checkpoint();
    const rest = await drain(cursor, 2);
    mustEqual(
      [...first.rows, ...rest],
      Array.from({ length: 6 }, (_, id) => big(id)),
    );
    await engine.checkpoint();
    expect(image.blobs.size).toBe(0);
  });

  test('[B12] reading large rows by key keeps none of them in memory', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    await verbsOf(engine).create(...Array.from({ length: 5 }, (_, id) => big(id)));
    await engine.checkpoint();
    const storage = createFaultyStorage(createMemoryStorage(image));
    const reader = await openOnStorage(storage, COLLECTIONS, MANUAL);
    await verbsOf(reader).getMany(0, 1, 2, 3, 4);
    const before = storage.requests;
    await verbsOf(reader).getMany(0, 1, 2, 3, 4);
    expect(storage.requests - before, 'they are read again').toBeGreaterThanOrEqual(5);
  });

  test('[B12] reads race with replacements and checkpoints, and find the row before or after', async () => {
    const image = createMemoryImage();
    const engine = await open(image);
    const items = verbsOf(engine);
    await items.create(...Array.from({ length: 8 }, (_, id) => big(id)));
    await engine.checkpoint();
    for (let round = 0; round < 30; round += 1) {
      const reads = [items.getMany(0, 1, 2, 3, 4, 5, 6, 7), items.get(round % 8)];
      const writes = [
        items.put(big(round % 8)),
        items.put(big((round + 3) % 8)),
        engine.checkpoint(),
        engine.checkpoint(),
      ];
      const [many, one] = await Promise.all(reads);
      mustEqual(
        many,
        Array.from({ length: 8 }, (_, id) => big(id)),
      );
      mustEqual(one, big(round % 8));
      await Promise.all(writes);
    }
  });
});

test('[B7] [B12] after a damaged end of the log, new large rows do not collide with those of the dropped frames', async () => {
  const image = createMemoryImage();
  const engine = await open(image);
  await verbsOf(engine).create(big(1));
  await verbsOf(engine).create(big(2), big(3));
  await engine.close();
  const last = [...image.log.lsnsAfter(0, 1_000)].at(-1)!;
  const bytes = image.log.get(last)!.slice();
  bytes[bytes.length - 1]! ^= 1;
  image.log.set(last, bytes);
  const reopened = await open(image);
  expect((await reopened.health()).recovery).toMatchObject({ framesDropped: 1, reason: 'bad-checksum' });
  expect(await codeOf(verbsOf(reopened).create(big(4)))).toBe('ok');
  expect((await verbsOf(reopened).all()).map(({ id }) => id)).toEqual([1, 4]);
});
