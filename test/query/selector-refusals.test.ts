/** Goal: a wrong selector is refused by name, with the path to the wrong part, at any depth. Method: one case for each rule. */
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { parseSelector } from '../../worker/query/index.ts';

function refusalOf(selector: unknown): readonly [code: string, path: unknown] {
  try {
    parseSelector(selector as Readonly<Record<string, unknown>>);
    return ['ok', undefined];
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError);
    return [(error as StoreError).code, (error as StoreError).details['path']];
  }
}

const nested = (levels: number): unknown => (levels === 0 ? { a: 1 } : { $and: [nested(levels - 1)] });
const denied = (levels: number): unknown => (levels === 0 ? { $gt: 1 } : { $not: denied(levels - 1) });

const UNKNOWN: readonly (readonly [selector: unknown, path: string])[] = [
  [{ $where: 'x' }, '$where'],
  [{ $expr: {} }, '$expr'],
  [{ $eq: 1 }, '$eq'],
  [{ a: { $near: 1 } }, 'a'],
  [{ a: { $gt: 1, b: 2 } }, 'a'],
  [{ a: { $and: [] } }, 'a'],
  [{ $or: [{ b: 1 }, { 'a.b': { $foo: 1 } }] }, '$or.1.a.b'],
  [{ $nor: [{ $and: [{ $foo: 1 }] }] }, '$nor.0.$and.0.$foo'],
  [{ a: { $not: { $foo: 1 } } }, 'a.$not'],
  [{ a: { $elemMatch: { $foo: 1 } } }, 'a.$elemMatch'],
  [{ a: { $elemMatch: { b: { $foo: 1 } } } }, 'a.$elemMatch.b'],
  [{ a: { $all: [{ $elemMatch: { b: 1 }, $gt: 1 }] } }, 'a.$all.0.$gt'],
  [{ a: { b: { $gt: 1 } } }, 'a.b.$gt'],
  [{ a: [{ $gt: 1 }] }, 'a.0.$gt'],
  [{ a: { $in: [1, { $gt: 1 }] } }, 'a.$in.1.$gt'],
];

const WRONG: readonly (readonly [selector: unknown, path: string])[] = [
  [5, ''],
  [[], ''],
  [new Date(0), ''],
  [{ $or: {} }, '$or'],
  [{ $and: [] }, '$and'],
  [{ $nor: [{ a: 1 }, 5] }, '$nor.1'],
  [{ a: { $gt: undefined } }, 'a'],
  [{ a: { $eq: /x/ } }, 'a'],
  [{ a: new Map() }, 'a'],
  [{ a: () => 1 }, 'a'],
  [{ a: 5n }, 'a'],
  [{ a: { $in: 5 } }, 'a'],
  [{ a: { $in: [1, undefined] } }, 'a.$in.1'],
  [{ a: { $nin: new Array(10_001).fill(0) } }, 'a'],
  [{ a: { $exists: 'yes' } }, 'a'],
  [{ a: { $type: 'objectId' } }, 'a'],
  [{ a: { $type: [] } }, 'a'],
  [{ a: { $regex: 5 } }, 'a'],
  [{ a: { $regex: '(' } }, 'a'],
  [{ a: { $regex: 'a', $options: 5 } }, 'a'],
  [{ a: { $regex: 'a', $options: 'x' } }, 'a'],
  [{ a: { $options: 'i' } }, 'a'],
  [{ a: { $mod: [0, 1] } }, 'a'],
  [{ a: { $mod: [2] } }, 'a'],
  [{ a: { $mod: ['2', 1] } }, 'a'],
  [{ a: { $all: 'x' } }, 'a'],
  [{ a: { $size: 1.5 } }, 'a'],
  [{ a: { $size: -1 } }, 'a'],
  [{ a: { $elemMatch: 5 } }, 'a.$elemMatch'],
  [{ a: { $not: 5 } }, 'a.$not'],
  [{ a: { $not: {} } }, 'a.$not'],
];

describe('refusals', () => {
  test('unknown operators, with their place', () => {
    for (const [selector, path] of UNKNOWN)
      expect(refusalOf(selector), JSON.stringify(selector)).toEqual(['query/unknown-operator', path]);
  });

  test('wrong operands, with their place', () => {
    for (const [selector, path] of WRONG) expect(refusalOf(selector), path).toEqual(['query/wrong-operand', path]);
  });

  test('an operator that stands at the wrong level is told where it belongs', () => {
    expect(() => parseSelector({ $gt: 1 })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('path: { $gt') }),
    );
    expect(() => parseSelector({ a: { $or: [] } })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('stands beside paths') }),
    );
  });

  test('[S7] patterns that would need backtracking', () => {
    expect(refusalOf({ a: /(x)\1/ })).toEqual(['query/unsupported-pattern', 'a']);
    expect(refusalOf({ a: { $in: ['b', /(?=x)/] } })).toEqual(['query/unsupported-pattern', 'a.$in.1']);
    expect(refusalOf({ a: { $not: { $regex: '(?!x)' } } })).toEqual(['query/unsupported-pattern', 'a.$not']);
  });

  test('[S5] paths that name a prototype, at any depth', () => {
    for (const selector of [
      { '__proto__.a': 1 },
      { $or: [{ 'a.constructor': 1 }] },
      { a: { $elemMatch: { 'b.prototype': 1 } } },
    ])
      expect(refusalOf(selector)[0]).toBe('query/forbidden-path');
  });

  test('too deep and too many', () => {
    expect(refusalOf(nested(32))[0]).toBe('ok');
    expect(refusalOf(nested(33))[0]).toBe('query/selector-too-large');
    expect(refusalOf({ a: denied(33) })[0]).toBe('query/selector-too-large');
    expect(refusalOf(nested(100_000 / 10))[0]).toBe('query/selector-too-large');
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, at) => [`f${at}`, at]));
    expect(refusalOf(many)[0]).toBe('query/selector-too-large');
    expect(refusalOf({ $or: Array.from({ length: 1_001 }, () => ({})) })[0]).toBe('query/selector-too-large');
  });

  test('what is undefined is not there, and an empty selector is right', () => {
    expect(refusalOf({ a: undefined })[0]).toBe('ok');
    expect(refusalOf({})[0]).toBe('ok');
    expect(refusalOf({ a: { $eq: { $odd: 1 } } })[0]).toBe('ok');
  });
});
