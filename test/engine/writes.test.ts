/** Goal: a call is done whole or refused by name, and leaves nothing behind. Method: wrong rows among right ones, on each path. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { Engine } from '../../worker/engine/index.ts';
import type { MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openOnImage } from './engine-fixture.ts';
import { codeOf, VERIFY, type Verbs, verbsOf } from './engine-verbs.ts';

const COLLECTIONS = [
  collection('items', [
    index('n'),
    index('email', { unique: true, sparse: true, caseInsensitive: true }),
    index('codes', { unique: true, multi: true }),
    index(['a', 'b'], { unique: true, sparse: true }),
  ]),
];

let image: MemoryImage;
let engine: Engine;
let items: Verbs;

beforeEach(async () => {
  image = createMemoryImage();
  engine = await openOnImage(image, COLLECTIONS);
  items = verbsOf(engine);
});

/** What a call left behind agrees with its indexes, in memory and on disk. */
afterEach(async () => {
  expect((await engine.verify(VERIFY)).sound).toBe(true);
  const before = await items.all();
  await engine.close();
  const reopened = await openOnImage(image, COLLECTIONS);
  expect(await verbsOf(reopened).all()).toEqual(before);
  expect((await reopened.verify(VERIFY)).sound).toBe(true);
});

const errorOf = (call: Promise<unknown>): Promise<StoreError> =>
  call.then(
    () => expect.unreachable('It is refused.'),
    (error) => error,
  );

describe('createMany', () => {
  test('is all or nothing, and names each row whose key is taken', async () => {
    await items.create({ id: 3 }, { id: 5 });
    const error = await errorOf(items.create({ id: 1 }, { id: 3 }, { id: 4 }, { id: 5 }, { id: 4 }));
    expect(error.code).toBe('collection/duplicate-key');
    const wrong = error.details['rows'] as readonly { row: number; key: unknown; code: string }[];
    expect(wrong.map(({ row, key, code }) => [row, key, code]).sort()).toEqual([
      [1, 3, 'collection/duplicate-key'],
      [3, 5, 'collection/duplicate-key'],
      [4, 4, 'collection/duplicate-key'],
    ]);
    expect(await items.count()).toBe(2);
  });

  test('names each row whose unique value is taken, by a stored row or by one of the call', async () => {
    await items.create({ id: 'old', email: 'a@x', codes: [1] });
    const rows = [
      { id: 'r0', email: 'A@X' },
      { id: 'r1', email: 'b@x' },
      { id: 'r2', codes: [7, 1] },
      { id: 'r3', email: 'B@x' },
      { id: 'r4', codes: [8] },
      { id: 'r5', codes: [9, 8] },
    ];
    const error = await errorOf(items.create(...rows));
    expect(error.code).toBe('collection/duplicate-value');
    const wrong = error.details['rows'] as readonly { row: number; key: unknown; code: string }[];
    expect(wrong.map(({ row, key }) => [row, key])).toEqual([
      [0, 'r0'],
      [2, 'r2'],
      [3, 'r3'],
      [5, 'r5'],
    ]);
    expect(await items.count()).toBe(1);
    expect(await items.count({ email: 'b@x' })).toBe(0);
  });

  test('names at most 20 rows', async () => {
    await items.create({ id: 'old', email: 'a@x' });
    const error = await errorOf(items.create(...Array.from({ length: 50 }, (_, id) => ({ id, email: 'a@x' }))));
    expect((error.details['rows'] as readonly unknown[]).length).toBe(20);
  });

  test('in bulk, with wrong ones at the end, leaves nothing', async () => {
    const rows: Row[] = Array.from({ length: 500 }, (_, id) => ({ id, n: id }));
    rows.push({ id: 250, n: 0 });
    expect(await codeOf(items.create(...rows))).toBe('collection/duplicate-key');
    rows.pop();
    rows.push({ id: 501, codes: [1] }, { id: 502, codes: [1] });
    expect(await codeOf(items.create(...rows))).toBe('collection/duplicate-value');
    expect(await items.count()).toBe(0);
    expect(await items.count({ n: { $gte: 0 } })).toBe(0);
  });

  test('keys that are none are refused by row', async () => {
    const wrong = [
      { id: Number.NaN },
      { id: null },
      {},
      { id: 'x'.repeat(2_000) },
      { id: new Date() },
    ] as unknown as Row[];
    for (const row of wrong) expect(await codeOf(items.create(row))).toBe('collection/invalid-key');
    const error = await errorOf(items.create({ id: 1 }, ...wrong));
    expect((error.details['rows'] as readonly { row: number }[]).map(({ row }) => row)).toEqual([1, 2, 3, 4, 5]);
    expect(await items.count()).toBe(0);
  });

  test('an index key that is too long is refused by index, whichever call brings it', async () => {
    await items.create({ id: 1, n: 1 });
    const long = 'x'.repeat(3_000);
    const calls = [items.create({ id: 2, n: long }), items.put({ id: 1, n: long }), items.update(1, { n: long })];
    calls.push(items.updateMany({}, { n: long }), items.create({ id: 3 }, { id: 4, n: long }));
    calls.push(items.replace({ before: { id: 1, n: 1 }, after: { id: 1, n: long } }));
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'index/key-too-long'));
    expect(await items.all()).toEqual([{ id: 1, n: 1 }]);
  });
});

describe('unique indexes', () => {
  test('a call may exchange values, as it is judged by how it leaves them', async () => {
    await items.create({ id: 1, email: 'a' }, { id: 2, email: 'b' });
    expect(await codeOf(items.put({ id: 1, email: 'b' }, { id: 2, email: 'A' }))).toBe('ok');
    expect(await codeOf(items.put({ id: 1, email: 'x' }, { id: 2, email: 'X' }))).toBe('collection/duplicate-value');
    expect(await items.all()).toEqual([
      { id: 1, email: 'b' },
      { id: 2, email: 'A' },
    ]);
  });

  test('one change for several rows is refused whole', async () => {
    await items.create({ id: 1 }, { id: 2 }, { id: 3, email: 'z' });
    expect(await codeOf(items.updateMany({ id: { $in: [1, 2] } }, { email: 'same' }))).toBe(
      'collection/duplicate-value',
    );
    expect(await codeOf(items.update(1, { email: 'Z' }))).toBe('collection/duplicate-value');
    expect(await codeOf(items.update(3, { email: 'Z' }))).toBe('ok');
    expect(await items.count({ email: { $gte: '' } })).toBe(1);
  });

  test('several paths are unique together, and missing ones count as null', async () => {
    expect(await codeOf(items.create({ id: 1, a: 1, b: 1 }, { id: 2, a: 1, b: 2 }, { id: 3, a: 1 }))).toBe('ok');
    expect(await codeOf(items.create({ id: 4, a: 1, b: 2 }))).toBe('collection/duplicate-value');
    expect(await codeOf(items.create({ id: 4, a: 1, b: null }))).toBe('collection/duplicate-value');
    // Rows that have neither are not in a sparse index.
    expect(await codeOf(items.create({ id: 4 }, { id: 5 }))).toBe('ok');
  });

  test('calls that were made at once are judged in their order', async () => {
    const calls = [items.create({ id: 1, email: 'a' }), items.create({ id: 2, email: 'A' }), items.delete(1)];
    calls.push(items.create({ id: 3, email: 'a' }), items.create({ id: 1 }), items.create({ id: 1 }));
    expect(await Promise.all(calls.map(codeOf))).toEqual([
      'ok',
      'collection/duplicate-value',
      'ok',
      'ok',
      'ok',
      'collection/duplicate-key',
    ]);
  });
});

describe('replace', () => {
  test('does nothing when a row has changed, and refuses a row named twice', async () => {
    await items.create({ id: 1, n: 1 }, { id: 2, n: 2 });
    const good = { before: { id: 2, n: 2 }, after: { id: 2, n: 3 } };
    expect(await items.replace(good, { before: { id: 1, n: 9 }, after: { id: 1, n: 10 } })).toBe(false);
    expect(await codeOf(items.replace(good, { ...good, after: { id: 2, n: 4 } }))).toBe('collection/duplicate-key');
    expect(await codeOf(items.replace({ before: { id: 2, n: 2 }, after: { id: 7, n: 3 } }))).toBe('update/changes-key');
    expect(await items.all()).toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 2 },
    ]);
    expect(await items.replace(good)).toBe(true);
    expect(await items.get(2)).toEqual({ id: 2, n: 3 });
  });
});

describe('[S5] names of prototypes', () => {
  const own = (name: string, value: unknown): Row =>
    Object.defineProperty({}, name, { value, enumerable: true }) as Row;
  const NAMES = ['__proto__', 'constructor', 'prototype'];
  const pollution = { polluted: 'yes' };

  const mustBeClean = (): void => {
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(([] as unknown as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  };

  for (const name of NAMES) {
    test(`[S5] ${name} is refused in rows and paths on every way to write`, async () => {
      await items.create({ id: 1, n: 1, o: { x: 1 }, list: [{ x: 1 }] });
      const before = await items.all();
      const inner = own(name, pollution);
      const row = { id: 2, o: inner };
      const calls: Record<string, () => Promise<unknown>> = {
        'create deep': () => items.create(row),
        'create in an array': () => items.create({ id: 2, list: [inner] }),
        createMany: () => items.create({ id: 8 }, row),
        put: () => items.put(row),
        'update field': () => items.update(1, { o: inner }),
        'update top': () => items.update(1, inner),
        updateMany: () => items.updateMany({}, { o: inner }),
        replace: () => items.replace({ before: before[0]!, after: { ...before[0]!, o: inner } }),
        selector: () => items.deleteMany(inner),
        'deep selector': () => items.deleteMany({ [`o.${name}`]: 1 }),
        'selector of updateMany': () => items.updateMany({ [`${name}.polluted`]: 1 }, { n: 2 }),
      };
      for (const operator of [
        '$set',
        '$unset',
        '$inc',
        '$mul',
        '$min',
        '$max',
        '$push',
        '$pull',
        '$addToSet',
        '$pop',
        '$rename',
      ]) {
        for (const path of [name, `${name}.polluted`, `o.${name}`, `o.${name}.polluted`, `list.0.${name}.polluted`]) {
          calls[`${operator} ${path}`] = () =>
            items.update(1, { [operator]: own(path, operator === '$rename' ? 'y' : 1) });
        }
      }
      calls['$rename to'] = () => items.update(1, { $rename: { n: `o.${name}` } });
      calls['$set value'] = () => items.update(1, { $set: { 'o.y': inner } });
      calls['$push value'] = () => items.update(1, { $push: { list: inner } });
      calls['$addToSet value'] = () => items.update(1, { $addToSet: { list: { $each: [inner] } } });
      for (const [call, run] of Object.entries(calls)) {
        const code = await codeOf(run());
        expect(code, call).toMatch(/forbidden/);
        mustBeClean();
      }
      expect(await items.all()).toEqual(before);
    });

    test(`[S5] ${name} is no key of a collection, and as a value it is text`, async () => {
      await items.create({ id: name, n: name });
      expect(await items.get(name)).toEqual({ id: name, n: name });
      expect(await items.find({ n: name })).toEqual([{ id: name, n: name }]);
      await engine.checkpoint();
      mustBeClean();
      expect(await items.delete(name)).toBe(true);
    });
  }
});
