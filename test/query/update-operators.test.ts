/**
 * Goal: each update operator does what MongoDB's does, changes nothing else, and refuses by name what makes no sense.
 * Method: cases by operator. The comparison with an oracle is in update-oracle.property.test.ts.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { Changes } from '../../src/protocol/engine-api.ts';
import { applyChanges } from '../../worker/query/update-operators.ts';

const ROW: Row = deepFreeze({
  id: 'k',
  n: 1,
  s: 'x',
  list: [3, 1, 2],
  docs: [{ a: 1 }, { a: 2, b: 1 }],
  o: { p: { q: 1 } },
  z: null,
});

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const part of Object.values(Object.freeze(value))) deepFreeze(part);
  return value;
}

/** The fields that differ from ROW. */
function changed(changes: Changes): Record<string, unknown> {
  const after = applyChanges(ROW, changes, 'id');
  const names = new Set([...Object.keys(ROW), ...Object.keys(after)]);
  return Object.fromEntries([...names].filter((name) => after[name] !== ROW[name]).map((name) => [name, after[name]]));
}

function refusal(changes: unknown, row: Row = ROW): string {
  try {
    applyChanges(row, changes as Changes, 'id');
  } catch (error) {
    if (error instanceof StoreError)
      return `${error.code} ${[error.details['operator'], error.details['path']].join(' ')}`.trim();
    throw error;
  }
  return 'none';
}

describe('plain fields', () => {
  test('replace, add and remove', () => {
    expect(changed({ n: 2, s: undefined, fresh: { a: 1 } })).toEqual({ n: 2, s: undefined, fresh: { a: 1 } });
    expect(Object.keys(applyChanges(ROW, { s: undefined, fresh: 1 }, 'id'))).toEqual([
      'id',
      'n',
      'list',
      'docs',
      'o',
      'z',
      'fresh',
    ]);
  });

  test('that change nothing answer the same row', () => {
    for (const changes of [{}, { n: 1 }, { o: { p: { q: 1 } } }, { none: undefined }, { ...ROW }]) {
      expect(applyChanges(ROW, changes, 'id')).toBe(ROW);
    }
  });

  test('see -0, NaN and the order of keys', () => {
    expect(Object.is(applyChanges({ id: 1, n: 0 }, { n: -0 }, 'id')['n'], -0)).toBe(true);
    const nan = { id: 1, n: Number.NaN };
    expect(applyChanges(nan, { n: Number.NaN }, 'id')).toBe(nan);
    expect(Object.keys(applyChanges({ id: 1, o: { a: 1, b: 2 } }, { o: { b: 2, a: 1 } }, 'id')['o'] as object)).toEqual(
      ['b', 'a'],
    );
  });

  test('leave out undefined inside values', () => {
    expect(applyChanges(ROW, { n: { a: undefined, b: [undefined, 1] } }, 'id')['n']).toStrictEqual({ b: [null, 1] });
  });
});

describe('operators', () => {
  test('$set and $unset', () => {
    expect(changed({ $set: { 'o.p.r': 2, 'new.deep.er': 1 } })).toEqual({
      o: { p: { q: 1, r: 2 } },
      new: { deep: { er: 1 } },
    });
    expect(changed({ $set: { 'list.1': 9, 'docs.1.a': 5 } })).toEqual({
      list: [3, 9, 2],
      docs: [{ a: 1 }, { a: 5, b: 1 }],
    });
    expect(changed({ $set: { 'list.5': 9 } })).toEqual({ list: [3, 1, 2, null, null, 9] });
    expect(changed({ $unset: { 'o.p.q': '', s: '', 'no.such': '', 'list.0': '' } })).toEqual({
      o: { p: {} },
      s: undefined,
      list: [null, 1, 2],
    });
  });

  test('$inc and $mul', () => {
    expect(changed({ $inc: { n: 2, 'o.count': -1 } })).toEqual({ n: 3, o: { p: { q: 1 }, count: -1 } });
    expect(changed({ $mul: { n: 2.5, none: 3 } })).toEqual({ n: 2.5, none: 0 });
  });

  test('$min and $max go by the order of all types', () => {
    expect(changed({ $min: { n: 0, s: 5, fresh: 1 }, $max: { 'o.p.q': 'text' } })).toEqual({
      n: 0,
      s: 5,
      fresh: 1,
      o: { p: { q: 'text' } },
    });
    expect(changed({ $min: { z: 1 }, $max: { n: 1 } })).toEqual({});
  });

  test('$push with its modifiers', () => {
    expect(changed({ $push: { list: 4, fresh: 'a' } })).toEqual({ list: [3, 1, 2, 4], fresh: ['a'] });
    expect(changed({ $push: { list: { $each: [9, 8], $position: 1 } } })).toEqual({ list: [3, 9, 8, 1, 2] });
    expect(changed({ $push: { list: { $each: [9], $position: -1 } } })).toEqual({ list: [3, 1, 9, 2] });
    expect(changed({ $push: { list: { $each: [0], $sort: 1, $slice: -2 } } })).toEqual({ list: [2, 3] });
    expect(changed({ $push: { docs: { $each: [{ a: 0 }], $sort: { b: -1, a: 1 } } } })).toEqual({
      docs: [{ a: 2, b: 1 }, { a: 0 }, { a: 1 }],
    });
    expect(changed({ $push: { list: { $each: [], $slice: 0 } } })).toEqual({ list: [] });
    expect(changed({ $push: { list: { $each: [] } } })).toEqual({});
  });

  test('$pull takes values, comparisons and fields', () => {
    expect(changed({ $pull: { list: 1 } })).toEqual({ list: [3, 2] });
    expect(changed({ $pull: { list: { $gte: 2 } } })).toEqual({ list: [1] });
    expect(changed({ $pull: { list: { $in: [1, 2, 'x'] } } })).toEqual({ list: [3] });
    expect(changed({ $pull: { docs: { a: { $gt: 1 } } } })).toEqual({ docs: [{ a: 1 }] });
    expect(changed({ $pull: { docs: { a: 1, b: 1 }, none: 1 } })).toEqual({});
  });

  test('$addToSet and $pop', () => {
    expect(changed({ $addToSet: { list: 3 } })).toEqual({});
    expect(changed({ $addToSet: { list: { $each: [3, 4, 4] }, docs: { a: 1 } } })).toEqual({ list: [3, 1, 2, 4] });
    expect(changed({ $pop: { list: 1, docs: -1, none: 1 } })).toEqual({ list: [3, 1], docs: [{ a: 2, b: 1 }] });
  });

  test('$rename moves a field, also over another', () => {
    expect(changed({ $rename: { n: 'o.n', none: 'x' } })).toEqual({ n: undefined, o: { p: { q: 1 }, n: 1 } });
    expect(changed({ $rename: { 'o.p': 's' } })).toEqual({ o: {}, s: { q: 1 } });
  });

  test('share what they do not touch', () => {
    const after = applyChanges(ROW, { $set: { 'o.p.q': 2 } }, 'id');
    expect(after['list']).toBe(ROW['list']);
    expect(applyChanges(ROW, { $set: { 'o.p.q': 1 }, $max: { n: 0 }, $unset: { none: '' } }, 'id')).toBe(ROW);
  });
});

describe('refusals', () => {
  test.each([
    [[], 'update/invalid-changes'],
    [null, 'update/invalid-changes'],
    [{ $set: { n: 1 }, n: 2 }, 'update/mixed-operators $set n'],
    [{ $bit: { n: 1 } }, 'update/unknown-operator $bit'],
    [{ $toString: { n: 1 } }, 'update/unknown-operator $toString'],
    [{ $set: 1 }, 'update/invalid-operand $set'],
    [{ $set: { a: 1 }, $inc: { 'a.b': 1 } }, 'update/conflicting-paths $inc a.b'],
    [{ $set: { 'a.b': 1 }, $unset: { a: '' } }, 'update/conflicting-paths $set a.b'],
    [{ $rename: { n: 'm' }, $set: { m: 1 } }, 'update/conflicting-paths $set m'],
    [{ $rename: { n: 'n' } }, 'update/conflicting-paths $rename n'],
    [{ $set: { a: 1, 'a-b': 1, 'a.c': 1 } }, 'update/conflicting-paths $set a.c'],
    [{ $inc: { s: 1 } }, 'update/wrong-type $inc s'],
    [{ $inc: { z: 1 } }, 'update/wrong-type $inc z'],
    [{ $inc: { n: '1' } }, 'update/invalid-operand $inc n'],
    [{ $push: { n: 1 } }, 'update/wrong-type $push n'],
    [{ $push: { list: { $each: 1 } } }, 'update/invalid-operand $push list'],
    [{ $push: { list: { $slice: 1 } } }, 'update/invalid-operand $push list'],
    [{ $push: { list: { $each: [], $foo: 1 } } }, 'update/unknown-operator $push list'],
    [{ $push: { list: { $each: [], $sort: 2 } } }, 'update/invalid-operand $push list'],
    [{ $push: { list: { $each: [], $position: 0.5 } } }, 'update/invalid-operand $push list'],
    [{ $pull: { s: 1 } }, 'update/wrong-type $pull s'],
    [{ $pull: { list: { $regex: 'a' } } }, 'update/unknown-operator $pull list'],
    [{ $addToSet: { s: 1 } }, 'update/wrong-type $addToSet s'],
    [{ $pop: { list: 2 } }, 'update/invalid-operand $pop list'],
    [{ $set: { 's.x': 1 } }, 'update/not-a-container $set s.x'],
    [{ $set: { 'z.x': 1 } }, 'update/not-a-container $set z.x'],
    [{ $set: { 'list.x': 1 } }, 'update/not-a-container $set list.x'],
    [{ $set: { 'list.99999999': 1 } }, 'update/array-gap $set list.99999999'],
    [{ $set: { 'docs.$.a': 1 } }, 'update/invalid-path $set docs.$.a'],
    [{ $set: { '': 1 } }, 'update/invalid-path $set'],
    [{ $rename: { n: 1 } }, 'update/invalid-operand $rename n'],
    [{ $rename: { 'docs.0': 'x' } }, 'update/wrong-type $rename docs.0'],
    [{ 'o.p': 1 }, 'update/dotted-field  o.p'],
    [{ $set: { n: () => 1 } }, 'row/unsupported-value  n'],
  ])('%j: %s', (changes, expected) => {
    expect(refusal(changes)).toBe(expected);
  });

  test('the primary key stays', () => {
    expect(refusal({ id: 'other' })).toBe('update/primary-key  id');
    expect(refusal({ id: undefined })).toBe('update/primary-key  id');
    expect(refusal({ $unset: { id: '' } })).toBe('update/primary-key $unset id');
    expect(refusal({ $rename: { n: 'id' } })).toBe('update/primary-key $rename id');
    expect(refusal({ $inc: { id: 1 } }, { id: 1 })).toBe('update/primary-key $inc id');
    expect(refusal({ $set: { id: 'k', n: 1 } })).toBe('none');
  });

  test('a field whose name has a dot can be replaced where it is', () => {
    expect(applyChanges({ id: 1, 'a.b': 1 }, { 'a.b': 2 }, 'id')).toEqual({ id: 1, 'a.b': 2 });
  });

  test('[S5] no change reaches a prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const own = JSON.parse(`{"${name}":{"polluted":true}}`) as Changes;
      expect(refusal(own)).toMatch(/^row\/forbidden-key/);
      for (const operator of ['$set', '$unset', '$inc', '$push', '$min']) {
        expect(refusal({ [operator]: own })).toMatch(/^query\/forbidden-path/);
        expect(refusal({ [operator]: { [`o.${name}.x`]: 1 } })).toMatch(/^query\/forbidden-path/);
      }
      expect(refusal({ $set: { n: own } })).toMatch(/^row\/forbidden-key/);
      expect(refusal({ $push: { list: { a: own } } })).toMatch(/^row\/forbidden-key/);
      expect(refusal({ $rename: { n: `${name}.x` } })).toMatch(/^query\/forbidden-path/);
      expect(refusal({ $push: { docs: { $each: [], $sort: { [`${name}.x`]: 1 } } } })).toMatch(
        /^query\/forbidden-path/,
      );
      expect(refusal({ $pull: { docs: { [`${name}.x`]: 1 } } })).toMatch(/^query\/forbidden-path/);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
