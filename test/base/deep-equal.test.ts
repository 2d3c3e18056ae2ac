/** Goal: equal means that no reader of a row could tell the values apart, but for the order of keys. */
import { expect, test } from 'vitest';
import { deepEqual, identical } from '../../src/base/deep-equal.ts';

test.each([
  [1, 1, true],
  [Number.NaN, Number.NaN, true],
  [0, -0, false],
  ['a', 'a', true],
  [null, undefined, false],
  [1, '1', false],
  [new Date(5), new Date(5), true],
  [new Date(5), new Date(6), false],
  [new Date(Number.NaN), new Date(Number.NaN), true],
  [new Date(5), 5, false],
  [new Uint8Array([1, 2]), new Uint8Array([1, 2]), true],
  [new Uint8Array([1, 2]), new Uint8Array([1, 3]), false],
  [new Uint8Array([1]), new Int8Array([1]), false],
  [new Uint8Array([1]), new Uint8Array([1]).buffer, false],
  [new Uint8Array([1]).buffer, new Uint8Array([1]).buffer, true],
  [new DataView(new ArrayBuffer(2)), new DataView(new ArrayBuffer(2)), true],
  [[1, [2]], [1, [2]], true],
  [[1], [1, 2], false],
  [[], {}, false],
  [{}, [], false],
  [{}, new Date(0), false],
  [{ a: 1, b: { c: 2 } }, { b: { c: 2 }, a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, true],
  [{ a: 1, b: undefined }, { a: 1 }, true],
  [{ a: undefined, b: 1 }, { a: 1, b: undefined }, false],
  [{ a: 1 }, { a: 1, b: 2 }, false],
  [{ toString: 1 }, {}, false],
  [Object.assign(Object.create(null), { a: 1 }), { a: 1 }, true],
])('%o and %o: %s', (a, b, expected) => {
  expect(deepEqual(a, b)).toBe(expected);
  expect(deepEqual(b, a)).toBe(expected);
});

test('identical values also have their keys in one order', () => {
  expect(identical({ a: 1, b: [{ c: 1, d: 2 }] }, { a: 1, b: [{ c: 1, d: 2 }] })).toBe(true);
  expect(identical({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(false);
  expect(identical([{ c: 1, d: 2 }], [{ d: 2, c: 1 }])).toBe(false);
});
