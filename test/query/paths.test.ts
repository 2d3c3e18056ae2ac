/** Goal: paths read own values only, and no path names a prototype. */
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { getPath, parsePath } from '../../worker/query/paths.ts';

const row = { a: { b: [{ c: 1 }, 'x'] }, '': { '': 2 }, d: new Date(0), u: new Uint8Array([7]), s: 'text' };

test('a path steps through objects and, by number, through arrays', () => {
  expect(getPath(row, 'a.b.0.c')).toBe(1);
  expect(getPath(row, 'a.b.1')).toBe('x');
  expect(getPath(row, '.')).toBe(2);
  expect(getPath(row, 'd')).toBe(row.d);
});

test('what is not there is undefined, whatever the prototype has', () => {
  for (const path of [
    'a.b.2',
    'a.b.00',
    'a.b.-1',
    'a.b.length',
    'a.toString',
    'hasOwnProperty',
    's.length',
    's.0',
    'd.getTime',
    'u.0',
    'a.x.y',
  ]) {
    expect(getPath(row, path)).toBeUndefined();
  }
});

test('[S5] paths that name a prototype are refused', () => {
  for (const path of ['__proto__', 'a.__proto__.b', 'constructor.prototype', 'a.prototype']) {
    expect(() => parsePath(path)).toThrow(StoreError);
    expect(() => getPath(row, path)).toThrow(/names a prototype/);
  }
});
