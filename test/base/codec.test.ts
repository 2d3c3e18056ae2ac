/**
 * Goal: rows come back from bytes exactly as they went in, and what cannot is refused by name.
 * Method: cases by kind, and random rows from a seed, compared by a description that shows types, signs and key order.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assertRow, assertValue, decodeRows, encodeRows, estimateRowBytes } from '../../src/base/codec/index.ts';
import { ROW_DEPTH_MAX } from '../../src/base/limits.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';

function roundTrip(rows: readonly Row[]): Row[] {
  return decodeRows(encodeRows(rows));
}

/** Everything a reader can see of a value, as text. `undefined` properties are absent, elements of arrays never are. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (Array.isArray(value)) return `[${Array.from(value, shown).join()}]`;
  if (ArrayBuffer.isView(value)) {
    const type = Object.prototype.toString.call(value);
    return `${type}(${new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join()})`;
  }
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${new Uint8Array(value).join()})`;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${shown(field)}`).join()}}`;
}

function expectExact(rows: readonly Row[]): void {
  const back = roundTrip(rows);
  expect(back.map(shown)).toEqual(rows.map(shown));
  for (const row of back) expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
}

describe('round trips', () => {
  test('no rows, and rows without fields', () => {
    expectExact([]);
    expectExact([{}, {}, {}]);
    expectExact(Array.from({ length: 1_000 }, () => ({})));
  });

  test('values of every kind', () => {
    expectExact([
      {
        n: null,
        t: true,
        f: false,
        i: 1,
        z: -0,
        x: Number.NaN,
        inf: [Infinity, -Infinity],
        d: new Date(12),
        bad: new Date(Number.NaN),
      },
      {
        s: '\ud800 lone \udc00',
        '': 'empty',
        o: { b: 1, a: [1, 'x', [null, {}]] },
        p: 12.75,
        q: 0.1,
        r: 1 / 3,
        big: 2 ** 53 - 1,
        low: -(2 ** 53),
      },
      { hole: Object.assign(new Array<unknown>(2), { 1: 1 }), undef: [undefined], gone: undefined, none: [] },
    ]);
  });

  test('binary of every type, with its offset, length and kind', () => {
    const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]).buffer;
    const types = [
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
      Float32Array,
      Float64Array,
      BigInt64Array,
      BigUint64Array,
    ];
    expectExact(
      types.map((Type, id) => ({
        id,
        whole: new Type(buffer.slice(0, 16)),
        part: new Type(buffer, 8, 1),
        none: new Type(0),
      })),
    );
    expectExact([{ buffer, view: new DataView(buffer, 3, 5), mixed: [buffer, new Uint8Array(2), null, 'x'] }]);
    const [back] = roundTrip([{ u: new Uint8Array(buffer, 4, 2) }]);
    expect((back!['u'] as Uint8Array).buffer.byteLength).toBe(2);
    expect(shown(roundTrip([{ node: Buffer.from([1, 2]) }])[0])).toBe('{"node":[object Uint8Array](1,2)}');
  });

  test('objects without a prototype come back plain', () => {
    expectExact([
      Object.assign(Object.create(null) as Row, { a: 1, o: Object.assign(Object.create(null) as Row, { b: 2 }) }),
    ]);
  });

  test("the order of keys is each row's own", () => {
    expectExact([
      { a: 1, b: 2, c: 3 },
      { c: 1, a: 2 },
      { b: 1, a: 2, c: 3, d: 4 },
      { 2: 'x', 1: 'y', z: 0 },
      { z: 1, 1: 'y' },
      { a: 9, b: 9, c: 9 },
    ]);
  });

  test('numbers at every width and scale, alone and among others', () => {
    const numbers = [
      0,
      1,
      -1,
      2,
      3,
      4,
      15,
      16,
      255,
      256,
      65_535,
      65_536,
      2 ** 24,
      2 ** 32,
      2 ** 40,
      2 ** 48 - 1,
      2 ** 48,
      2 ** 53 - 1,
      -(2 ** 53 - 1),
      2 ** 60,
      1e300,
      5e-324,
    ];
    const decimals = [
      0.1,
      12.5,
      99.99,
      -0.001,
      1.234567,
      1e-7,
      123_456_789.12,
      0.1 + 0.2,
      -1.5,
      2_251_799_813_685_248.5,
    ];
    for (const number of [...numbers, ...decimals]) {
      expectExact([{ number }]);
      expectExact([{ number }, { number: 0 }]);
      expectExact([{ number }, { number: -number }, { number: 0.5 }]);
    }
    expectExact(numbers.map((number) => ({ number })));
    expectExact(decimals.map((number) => ({ number })));
  });

  test('counts around the bound of free cells', () => {
    for (const count of [255, 256, 257, 1_000]) {
      const rows = Array.from({ length: count }, () => ({
        same: 1,
        none: null,
        yes: true,
        text: 'x',
        o: { p: 2 },
        list: [],
        d: new Date(1),
      }));
      expectExact(rows);
      expectExact([
        { list: rows, nulls: rows.map(() => null), empties: rows.map(() => []), objects: rows.map(() => ({})) },
      ]);
    }
  });

  test.each([255, 256, 257, 3_000])('%i elements of arrays that are all different strings', (count) => {
    const words = Array.from({ length: count }, (_, index) => `word ${index}`);
    expectExact([{ words }]);
    expectExact(words.map((word) => ({ words: [word] })));
    expectExact([{ words, numbers: words.map((_, index) => index), nested: [words] }]);
  });

  test('many columns, many shapes, long text', () => {
    expectExact(
      Array.from({ length: 50 }, (_, i) =>
        Object.fromEntries(Array.from({ length: 40 }, (_, j) => [`f${(i * 7 + j * j) % 400}`, j])),
      ),
    );
    expectExact([
      { long: 'x'.repeat(200_000), wide: '\u4e2d'.repeat(50_000) },
      { long: '', wide: 'y' },
    ]);
  });

  test('random rows', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('', 'a', '\ud800', '\udfff\ud800', '\u2028"\\'),
    );
    const { value } = fc.letrec((tie) => ({
      leaf: fc.oneof(
        fc.constantFrom<unknown>(null, undefined, true, false, -0, 0),
        text,
        fc.integer({ min: -200, max: 200 }),
        fc.double(),
        fc.integer().map((n) => n / 100),
        fc.date({ noInvalidDate: false }),
        fc.uint8Array({ maxLength: 4 }),
        fc.float32Array({ maxLength: 2 }),
      ),
      value: fc.oneof(
        { maxDepth: 4, depthSize: 'medium' },
        { arbitrary: tie('leaf'), weight: 4 },
        { arbitrary: fc.array(tie('value'), { maxLength: 4 }), weight: 1 },
        { arbitrary: fc.dictionary(fc.constantFrom('a', 'b', 'c', '1', ''), tie('value'), { maxKeys: 4 }), weight: 1 },
      ),
    }));
    const name = fc.oneof({ arbitrary: fc.constantFrom('a', 'b', 'c', 'd', '0', ''), weight: 9 }, text);
    const row = fc.dictionary(name, value, { maxKeys: 8 });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 8 }), (rows) => expectExact(rows as Row[])),
      { seed: 20_250_004, numRuns: 400 },
    );
  });

  test('a getter that encodes rows itself disturbs nothing', () => {
    const inner: Uint8Array[] = [];
    const row = {
      a: 'outer',
      get b() {
        inner.push(encodeRows([{ b: 'inner' }]));
        return 'b';
      },
    };
    expect(roundTrip([row, row])).toEqual([
      { a: 'outer', b: 'b' },
      { a: 'outer', b: 'b' },
    ]);
    expect(decodeRows(inner[0]!)).toEqual([{ b: 'inner' }]);
  });
});

type Refusal = { readonly code: string; readonly details: Readonly<Record<string, unknown>> };

function refusalOf(action: () => unknown): Refusal | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof StoreError) return { code: error.code, details: error.details };
    throw error;
  }
  return undefined;
}

/** Objects within objects: as many levels as asked. */
function nested(levels: number): Row {
  let value: Row = { end: 1 };
  for (let level = 1; level < levels; level++) value = { in: value };
  return value;
}

describe('refusals', () => {
  class Point {
    readonly x = 1;
  }
  const cycle: Record<string, unknown> = { a: 1 };
  cycle['self'] = { list: [cycle] };
  const doubling: unknown[] = [];
  doubling.push(doubling, doubling);

  test.each([
    ['function', () => 1, 'function'],
    ['symbol', Symbol('s'), 'symbol'],
    ['bigint', 1n, 'bigint'],
    ['Map', new Map(), 'Map'],
    ['Set', new Set(), 'Set'],
    ['RegExp', /x/, 'RegExp'],
    ['class instance', new Point(), 'Point'],
    ['error', new TypeError('x'), 'TypeError'],
    ['promise', Promise.resolve(), 'Promise'],
    ['boxed number', Object(1), 'Number'],
    ['cycle', cycle, 'cycle'],
    ['cycle that doubles', doubling, 'cycle'],
  ])('a %s, wherever it is', (_, bad, found) => {
    for (const [row, path] of [
      [{ id: 1, bad }, 'bad'],
      [{ id: 1, o: { list: [0, { bad }] } }, 'o.list.1.bad'],
      [{ id: 1, list: ['x', bad] }, 'list.1'],
    ] as const) {
      const refusal = refusalOf(() => encodeRows([{ id: 0 }, { id: 1 }, row]));
      expect(refusal).toMatchObject({ code: 'row/unsupported-value', details: { row: 2, found } });
      expect(String(refusal!.details['path']).startsWith(path)).toBe(true);
      expect(refusalOf(() => assertRow(row, 2))).toEqual(refusal);
      expect(refusalOf(() => assertValue(bad, 'f'))).toMatchObject({
        code: 'row/unsupported-value',
        details: { found },
      });
    }
  });

  test('[S5] keys that name a prototype, at any depth', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const bad = JSON.parse(`{"${name}":{"polluted":1}}`) as Row;
      for (const [row, path] of [
        [bad, name],
        [{ a: bad }, `a.${name}`],
        [{ a: [[bad]] }, `a.0.0.${name}`],
        [JSON.parse(`{"a":1,"${name}":null}`) as Row, name],
      ] as const) {
        expect(refusalOf(() => encodeRows([{ a: 1 }, row]))).toEqual({
          code: 'row/forbidden-key',
          details: { row: 1, path, found: name },
        });
      }
      const gone = Object.defineProperty({}, name, { value: undefined, enumerable: true });
      expect(refusalOf(() => encodeRows([gone]))?.code).toBe('row/forbidden-key');
    }
    expect(({} as Row)['polluted']).toBeUndefined();
  });

  test('rows that are not plain objects', () => {
    for (const row of [null, undefined, 1, 'x', [], new Date(), new Uint8Array(1), new Point(), new Map()]) {
      expect(refusalOf(() => encodeRows([{}, row as unknown as Row]))).toMatchObject({
        code: 'row/not-an-object',
        details: { row: 1, path: '' },
      });
    }
  });

  test('more levels than the limit, and no fewer', () => {
    expectExact([nested(ROW_DEPTH_MAX)]);
    expect(refusalOf(() => encodeRows([nested(ROW_DEPTH_MAX + 1)]))?.code).toBe('row/too-deep');
    let list: unknown = [];
    for (let level = 2; level < ROW_DEPTH_MAX; level++) list = [list];
    expectExact([{ list }]);
    expect(refusalOf(() => encodeRows([{ list: [list] }]))?.code).toBe('row/too-deep');
    expect(refusalOf(() => assertValue(list, 'f'))).toBeUndefined();
    expect(refusalOf(() => assertValue([list], 'f'))?.code).toBe('row/too-deep');
  });

  test('values that multiply without a cycle', () => {
    let bomb: unknown = 'x'.repeat(100);
    for (let level = 0; level < 40; level++) bomb = [bomb, bomb];
    expect(refusalOf(() => encodeRows([{ bomb }]))?.code).toBe('row/too-large');
  });
});

describe('damaged bytes', () => {
  const rows: Row[] = Array.from({ length: 12 }, (_, i) => ({
    id: `key-${i}`,
    n: i * 1_000,
    f: i / 3,
    ok: i % 2 === 0,
    at: new Date(1e12 + i),
    tags: ['x', 'y'].slice(i % 3),
    o: { city: `c${i % 2}`, deep: [{ b: new Uint8Array([i]) }] },
    mixed: [null, i, `${i}`, true][i % 4],
    ...(i % 3 === 0 ? { extra: i } : {}),
  }));
  const sound = encodeRows(rows);

  /** Rows, or `codec/damaged`: nothing else may come of any bytes. */
  function outcome(bytes: Uint8Array): 'rows' | 'damaged' {
    const refusal = refusalOf(() => decodeRows(bytes));
    if (refusal === undefined) return 'rows';
    expect(refusal.code).toBe('codec/damaged');
    return 'damaged';
  }

  test('every truncation is noticed', () => {
    for (let length = 0; length < sound.length; length++) expect(outcome(sound.subarray(0, length))).toBe('damaged');
  });

  test('every byte with every bit flipped, and random bytes, end in rows or in the error', () => {
    for (let i = 0; i < sound.length; i++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = sound.slice();
        bytes[i]! ^= 1 << bit;
        outcome(bytes);
      }
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        outcome(Uint8Array.of(1, ...bytes));
        // With a text of no strings, random bytes come further.
        outcome(Uint8Array.of(1, ...bytes, 0x5b, 0x5d, 2));
      }),
      { seed: 20_250_005, numRuns: 4_000 },
    );
  });

  test('counts that the bytes cannot hold are not believed', () => {
    const empty = [0x5b, 0x5d, 2];
    const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    for (const body of [
      [...huge, 0, 1, 0, 0],
      [1, ...huge, 1],
      [1, 0, ...huge],
      [0xe8, 0x07, 0, 1, 0, 0],
      Array.from({ length: 400 }, () => 0xff),
    ]) {
      expect(outcome(Uint8Array.of(1, ...body, ...empty))).toBe('damaged');
    }
  });

  test('[S5] a crafted name never reaches a prototype', () => {
    for (const name of ['__proto__', 'constructor', 'prototype']) {
      const stand = 'x'.repeat(name.length);
      const bytes = encodeRows([{ [stand]: { polluted: 1 } }]);
      const at = Buffer.from(bytes).indexOf(stand);
      bytes.set(new TextEncoder().encode(name), at);
      expect(outcome(bytes)).toBe('damaged');
    }
    expect(({} as Row)['polluted']).toBeUndefined();
  });
});

test('the estimate is near the bytes that a row adds to a page', () => {
  const rows = Array.from({ length: 200 }, (_, i) => ({
    id: `0189-${i}-abcdefgh`,
    title: `Task number ${i}`,
    n: i * 3,
    at: new Date(1e12 + i * 1e6),
    tags: ['a', 'b'],
    o: { x: i },
  }));
  const estimated = rows.reduce((sum, row) => sum + estimateRowBytes(row), 0);
  expect(estimated / encodeRows(rows).length).toBeGreaterThan(0.8);
  expect(estimated / encodeRows(rows).length).toBeLessThan(1.7);
});
