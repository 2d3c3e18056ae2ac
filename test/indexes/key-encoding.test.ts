/**
 * Goal: comparing encoded keys as strings is comparing values, and keys come back.
 * Method: random values, sorted by their encoding and judged by a comparator that knows nothing of it.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Key } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import {
  COMPONENT_END,
  decodePrimaryKey,
  encodeComponent,
  encodeIndexKey,
  encodePrimaryKey,
  foldCase,
  INDEX_KEY_LENGTH_MAX,
  PRIMARY_KEY_LENGTH_MAX,
  primaryKeyOfIndexKey,
  upperBound,
} from '../../worker/indexes/key-encoding.ts';

const SEED = 20_250_001;
const fixed = { seed: SEED, numRuns: 2_000 };

const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);

/** The order, from its definition. */
function rank(value: unknown): number {
  if (value === null || value === undefined) return 1;
  if (typeof value === 'number') return 2;
  if (typeof value === 'string') return 3;
  if (typeof value === 'boolean') return 7;
  if (value instanceof Date) return 8;
  if (Array.isArray(value)) return 5;
  return value instanceof Uint8Array ? 6 : 4;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return compare(Number.isNaN(a) ? 0 : 1, Number.isNaN(b) ? 0 : 1);
  return compare(a, b);
}

function firstDifference(differences: readonly number[]): number {
  return differences.find((difference) => difference !== 0) ?? 0;
}

function compareValues(a: unknown, b: unknown): number {
  if (rank(a) !== rank(b)) return compare(rank(a), rank(b));
  if (typeof a === 'number') return compareNumbers(a, b as number);
  if (typeof a === 'string') return compare(a, b as string);
  if (typeof a === 'boolean') return compare(Number(a), Number(b));
  if (a instanceof Date) return compareNumbers(a.getTime(), (b as Date).getTime());
  if (a instanceof Uint8Array) {
    const other = b as Uint8Array;
    return firstDifference([
      compare(a.length, other.length),
      ...Array.from(a, (byte, i) => compare(byte, other[i] ?? 0)),
    ]);
  }
  if (Array.isArray(a)) {
    const other = b as unknown[];
    const shared = Math.min(a.length, other.length);
    return firstDifference([
      ...a.slice(0, shared).map((each, i) => compareValues(each, other[i])),
      compare(a.length, other.length),
    ]);
  }
  if (typeof a === 'object' && a !== null) {
    const left = Object.entries(a);
    const right = Object.entries(b as object);
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      const [name, value] = left[i]!;
      const [otherName, otherValue] = right[i]!;
      const difference = firstDifference([
        compare(rank(value), rank(otherValue)),
        compare(name, otherName),
        compareValues(value, otherValue),
      ]);
      if (difference !== 0) return difference;
    }
    return compare(left.length, right.length);
  }
  return 0;
}

const text = fc.oneof(
  fc.string({
    unit: fc.constantFrom('\0', '\u0001', '\b', '\t', '\n', '0', '9', 'a', 'b', '\ud800', '\uffff'),
    maxLength: 5,
  }),
  fc.string({ maxLength: 12 }),
);
const numeric = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  fc.integer(),
  fc.double(),
  fc.maxSafeInteger(),
  fc.constantFrom(
    0,
    -0,
    Number.NaN,
    Infinity,
    -Infinity,
    Number.MIN_VALUE,
    -Number.MIN_VALUE,
    Number.MAX_VALUE,
    0.1,
    -0.1,
  ),
);
const { value: anyValue } = fc.letrec((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(null, undefined, true, false),
    numeric,
    text,
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 3 }),
  ),
  value: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 3 }),
    fc
      .array(
        fc.tuple(
          fc.constantFrom('a', 'b', 'a\b', '\t'),
          tie('leaf').map((leaf) => leaf ?? null),
        ),
        { maxLength: 3 },
      )
      .map(Object.fromEntries),
  ),
}));

test('the order of encoded components is the order of values', () => {
  fc.assert(
    fc.property(anyValue, anyValue, (a, b) => compare(encodeComponent(a), encodeComponent(b)) === compareValues(a, b)),
    { ...fixed, numRuns: 20_000 },
  );
});

test('numbers of all sizes sort by value', () => {
  fc.assert(
    fc.property(fc.array(numeric, { maxLength: 60 }), (numbers) => {
      const sorted = [...numbers].sort((a, b) => compare(encodeComponent(a), encodeComponent(b)));
      expect(sorted.map((each) => each + 0)).toEqual([...numbers].sort(compareNumbers).map((each) => each + 0));
    }),
    fixed,
  );
});

test('compound keys sort component by component, then by primary key', () => {
  const entry = fc.tuple(anyValue, anyValue, fc.oneof(text, fc.integer()));
  fc.assert(
    fc.property(entry, entry, (a, b) => {
      const [left, right] = [a, b].map(([one, two, key]) =>
        encodeIndexKey([encodeComponent(one), encodeComponent(two)], encodePrimaryKey(key as Key)),
      );
      const expected = firstDifference([
        compareValues(a[0], b[0]),
        compareValues(a[1], b[1]),
        compareValues(a[2], b[2]),
      ]);
      expect(compare(left!, right!)).toBe(expected);
    }),
    { ...fixed, numRuns: 10_000 },
  );
});

test('no component holds its own end', () => {
  fc.assert(
    fc.property(anyValue, (value) => !encodeComponent(value).includes(COMPONENT_END)),
    fixed,
  );
});

test('primary keys sort numbers before strings, and come back', () => {
  const key = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.maxSafeInteger());
  fc.assert(
    fc.property(key, key, (a, b) => {
      const [left, right] = [encodePrimaryKey(a), encodePrimaryKey(b)];
      expect(compare(left, right)).toBe(compareValues(a, b));
      expect(decodePrimaryKey(left)).toBe(typeof a === 'number' ? a + 0 : a);
    }),
    { ...fixed, numRuns: 10_000 },
  );
});

test('the primary key is found in an index key', () => {
  fc.assert(
    fc.property(fc.array(anyValue, { maxLength: 3 }), fc.oneof(text, fc.integer()), (values, key) => {
      const indexKey = encodeIndexKey(values.map(encodeComponent), encodePrimaryKey(key));
      expect(decodePrimaryKey(primaryKeyOfIndexKey(indexKey, values.length))).toBe(key);
    }),
    fixed,
  );
});

test('an ordinary string key is its own encoding, and integers are short', () => {
  expect(encodePrimaryKey('01890a5d-ac96-7b1e')).toBe('01890a5d-ac96-7b1e');
  expect([0, 1, -1, 5, 100, -100, 4096, 1_000_000].map((each) => encodeComponent(each).length)).toEqual([
    2, 3, 3, 4, 4, 4, 3, 6,
  ]);
});

test('the upper bound of a prefix is above all that starts with it, and nothing else lies between', () => {
  fc.assert(
    fc.property(text, text, (prefix, rest) => {
      const bound = upperBound(prefix);
      if (bound === undefined) return /^\uffff*$/.test(prefix);
      const inside = prefix + rest < bound;
      // The bound less its last step is still a prefix: so the bound is the smallest.
      const below = bound.slice(0, -1) + String.fromCharCode(bound.charCodeAt(bound.length - 1) - 1);
      return inside && prefix.startsWith(below);
    }),
    fixed,
  );
  expect(upperBound('')).toBeUndefined();
});

test('case folding joins what has one upper case', () => {
  expect(foldCase('MASSE')).toBe(foldCase('ma\u00dfe'));
  expect(foldCase('\u03c3')).toBe(foldCase('\u03c2'));
  expect(foldCase(['A', 1, null])).toEqual(['a', 1, null]);
});

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return error instanceof StoreError ? error.code : String(error);
  }
  return 'none';
}

test('bad keys are refused by name', () => {
  const bad: unknown[] = [
    Number.NaN,
    Infinity,
    null,
    undefined,
    true,
    {},
    new Date(),
    'x'.repeat(PRIMARY_KEY_LENGTH_MAX + 1),
  ];
  for (const key of bad) expect(codeOf(() => encodePrimaryKey(key as Key))).toBe('collection/invalid-key');
  expect(codeOf(() => encodePrimaryKey('x'.repeat(PRIMARY_KEY_LENGTH_MAX)))).toBe('none');
  expect(codeOf(() => encodeIndexKey(['3'.repeat(INDEX_KEY_LENGTH_MAX)], 'k', 'title'))).toBe('index/key-too-long');
  expect(codeOf(() => encodeComponent(() => 1))).toBe('index/unsupported-value');
});
