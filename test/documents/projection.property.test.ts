/**
 * Goal: a row that is adopted from a projection is the row that its document has. Method: random rows through a document,
 * the relay's own folding, and back; damaged bytes, which must give nothing or a row, and never hang.
 */

import fc from 'fast-check';
import * as encoding from 'lib0/encoding';
import { expect, test } from 'vitest';
import { foldRow } from '../../server/documents/index.ts';
import { deepEqual } from '../../src/base/deep-equal.ts';
import { RowDocument, rowOfProjection } from '../../worker/documents/index.ts';

const name = { collection: 'rows', key: 'k' };
const scalar = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, 63, 64, -64, 2 ** 31, 2 ** 53, -(2 ** 40), 0.5, 1e300),
  fc.string({ unit: 'grapheme' }),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 5 }),
  fc.float32Array({ maxLength: 3 }),
);
const field = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
  fc.constantFrom('$x', '$deleted', '$:a', '$date'),
);
const isSafe = (names: readonly string[]): boolean =>
  names.every((each) => !['__proto__', 'constructor', 'prototype'].includes(each));
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(field, tie('any'), { maxKeys: 3 }),
  ),
})).any;
const row = fc.dictionary(field, value, { maxKeys: 6 }).filter((each) => isSafe(namesIn(each)));

function namesIn(object: unknown): string[] {
  if (typeof object !== 'object' || object === null || ArrayBuffer.isView(object) || object instanceof Date) return [];
  if (Array.isArray(object)) return object.flatMap(namesIn);
  return Object.entries(object).flatMap(([each, inner]) => [each, ...namesIn(inner)]);
}

test('[DOC-1] a row of plain fields is the same from its projection as from its state', () => {
  fc.assert(
    fc.property(row, (given) => {
      const document = new RowDocument({ name, types: {}, clientId: 7 });
      document.put({ id: 'k', ...given });
      const { projection } = foldRow(undefined, [document.state]);
      const adopted = rowOfProjection(projection!, {});
      expect(deepEqual(adopted, document.row)).toBe(true);
      document.put(undefined);
      expect(rowOfProjection(foldRow(undefined, [document.state]).projection!, {})).toBe(null);
    }),
    { numRuns: 500 },
  );
});

test('[DOC-3] a projection does not tell of fields with a type', () => {
  const types = { likes: 'counter' } as const;
  const document = new RowDocument({ name, types, clientId: 7 });
  document.put({ id: 'k', likes: 3 });
  const { projection } = foldRow(undefined, [document.state]);
  expect(rowOfProjection(projection!, types)).toBeUndefined();
  expect(rowOfProjection(projection!, {})).toBeUndefined();
});

test('[DOC-6] [S5] whatever bytes come, they give a row or nothing', () => {
  const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
  const any = (data: unknown) => encoding.encode((encoder) => encoding.writeAny(encoder, data as never));
  expect(rowOfProjection(any({ a: nested(500) }), {})).toBeUndefined();
  expect(rowOfProjection(any([1]), {})).toBeUndefined();
  expect(rowOfProjection(any({}), {})).toBeUndefined();
  expect(rowOfProjection(any(JSON.parse('{"__proto__":{"x":1},"a":1}')), {})).toEqual({ a: 1 });
  // A list that says it has 2^40 elements.
  expect(rowOfProjection(Uint8Array.of(118, 1, 1, 97, 117, 128, 128, 128, 128, 128, 32), {})).toBeUndefined();
  fc.assert(
    fc.property(row, fc.nat(), fc.integer({ min: 0, max: 255 }), (given, place, byte) => {
      const bytes = any(JSON.parse(JSON.stringify({ id: 1, ...given })));
      bytes[place % bytes.length] = byte;
      const adopted = rowOfProjection(bytes, {});
      expect(adopted === undefined || typeof adopted === 'object').toBe(true);
      expect(rowOfProjection(bytes.subarray(0, place % bytes.length), {})).toBeUndefined();
    }),
    { numRuns: 1_000 },
  );
});
