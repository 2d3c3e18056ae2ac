/** Goal: borders of finding rows that random tests seldom meet. Method: an engine with few rows, by key, index and scan. */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { codeOf, verbsOf } from '../engine/engine-verbs.ts';

async function storeOf(rows: readonly Row[], ...paths: readonly string[]): Promise<Engine> {
  const engine = await openOnImage(createMemoryImage(), [
    collection(
      'items',
      paths.map((path) => index(path)),
    ),
  ]);
  await verbsOf(engine).create(...rows);
  return engine;
}

const idsOf = (rows: readonly Row[]): readonly unknown[] => rows.map(({ id }) => id);

describe('primary keys', () => {
  const KEYS = [-1, 0, 7, '', '\u0000', '\t', 'a', 'a\u0000', 'b', '\ud800', '\uffff'];

  test('every key is found by itself, in a list and by ranges', async () => {
    const items = verbsOf(await storeOf(KEYS.map((id) => ({ id }))));
    for (const id of KEYS) {
      expect(await items.get(id)).toEqual({ id });
      expect(idsOf(await items.find({ id })), JSON.stringify(id)).toEqual([id]);
      expect(await items.count({ id })).toBe(1);
      expect(idsOf(await items.find({ id: { $gte: id, $lte: id } }))).toEqual([id]);
    }
    expect(idsOf(await items.find({ id: { $in: KEYS } }, { sort: [['id', 1]] }))).toEqual(KEYS);
    expect(idsOf(await items.find({ id: { $in: KEYS } }, { sort: [['id', -1]] }))).toEqual(KEYS.toReversed());
    expect(idsOf(await items.find({ id: { $lte: '' } }))).toEqual(['']);
    expect(idsOf(await items.find({ id: { $gt: '' } }))).toEqual(KEYS.slice(4));
    expect(idsOf(await items.find({ id: { $gte: 0 } }))).toEqual([0, 7]);
    expect(await items.count({ id: { $lt: '' } })).toBe(0);
  });
});

describe('paths', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const rows = [
    { id: 1, v: bytes },
    { id: 2, v: bytes.buffer.slice(0, 3) },
    { id: 3, v: new Date(0) },
    { id: 4, v: { length: 3, byteLength: 3 } },
    { id: 5, v: 'abc' },
  ];

  for (const path of ['v.length', 'v.byteLength']) {
    test(`[S5] ${path} sees fields of objects only, with and without an index`, async () => {
      for (const engine of [await storeOf(rows), await storeOf(rows, path)]) {
        const items = verbsOf(engine);
        expect(idsOf(await items.find({ [path]: 3 }))).toEqual([4]);
        expect(await items.distinct(path)).toEqual([3]);
        expect(idsOf(await items.find({}, { sort: [[path, 1]] }))).toEqual([1, 2, 3, 5, 4]);
        expect(await items.count({ [path]: null })).toBe(4);
      }
    });
  }

  for (const path of ['__proto__', 'constructor', 'v.__proto__', 'v.constructor.name', 'prototype']) {
    test(`[S5] ${path} is refused in selectors, sorts and distinct`, async () => {
      const items = verbsOf(await storeOf(rows));
      expect(await codeOf(items.find({ [path]: 1 }))).toBe('query/forbidden-path');
      expect(await codeOf(items.count({ [path]: 1 }))).toBe('query/forbidden-path');
      expect(await codeOf(items.find({}, { sort: [[path, 1]] }))).toBe('query/forbidden-path');
      expect(await codeOf(items.distinct(path))).toBe('query/forbidden-path');
    });
  }

  test('[S5] names that objects inherit are fields like any other', async () => {
    const items = verbsOf(await storeOf([{ id: 1, toString: 5 }, { id: 2 }], 'toString'));
    expect(idsOf(await items.find({ toString: 5 }))).toEqual([1]);
    expect(idsOf(await items.find({ toString: null }))).toEqual([2]);
    expect(await items.distinct('toString')).toEqual([5]);
    expect(await items.distinct('hasOwnProperty')).toEqual([]);
  });
});
