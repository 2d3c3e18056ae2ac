/**
 * Goal: rows are judged as JSON Schema says, quickly or not, and problems have a path and a rule.
 * Method: cases; and random rows for which the quick check must never accept what the full validator refuses.
 */
import { type Schema, Validator } from '@cfworker/json-schema';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { createValidator } from '../../worker/engine/json-schema.ts';
import { acceptorOf } from '../../worker/engine/json-schema-accept.ts';

const TASK = {
  type: 'object',
  required: ['id', 'title'],
  additionalProperties: false,
  properties: {
    id: { type: 'string' },
    title: { type: 'string', minLength: 1, maxLength: 5 },
    status: { enum: ['open', 'done', null] },
    priority: { type: 'integer', minimum: 0, maximum: 5 },
    done: { type: 'boolean' },
    code: { type: 'string', pattern: '^[a-z]+$' },
    dueAt: { type: 'string', format: 'date-time' },
    tags: { type: 'array', items: { type: 'string' }, maxItems: 2 },
    place: { type: 'object', required: ['city'], properties: { city: { type: ['string', 'null'] } } },
    weight: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { allOf: [{ type: 'null' }] }] },
  },
};
const validate = createValidator(TASK);
const places = (row: Record<string, unknown>): string[] => validate(row).map(({ path, rule }) => `${path}: ${rule}`);

describe('problems', () => {
  test('a valid row has none', () => {
    expect(
      places({ id: 'a', title: 'b', status: null, priority: 5, tags: ['x'], place: { city: null }, weight: 0.5 }),
    ).toEqual([]);
  });

  test('each names its path and rule', () => {
    expect(places({ title: '' })).toEqual(['id: required', 'title: minLength']);
    expect(places({ id: 'a', title: 'abcdef', priority: 4.5 })).toEqual(['title: maxLength', 'priority: type']);
    expect(places({ id: 'a', title: 'b', other: 1 })).toEqual(['other: additionalProperties']);
    expect(places({ id: 'a', title: 'b', tags: ['x', 1, 'y'], place: {} })).toEqual([
      'tags: maxItems',
      'tags.1: type',
      'place.city: required',
    ]);
  });

  test('alternatives are one problem', () => {
    const either = createValidator({
      properties: { a: { anyOf: [{ type: 'string' }, { type: 'number', minimum: 3 }] } },
    });
    expect(either({ a: 4 })).toEqual([]);
    expect(either({ a: 1 }).map(({ path, rule }) => `${path}: ${rule}`)).toEqual(['a: anyOf']);
  });

  test('names with slashes and spaces keep their text', () => {
    expect(createValidator({ properties: { 'a/b c~': { type: 'string' } } })({ 'a/b c~': 1 })[0]?.path).toBe('a/b c~');
  });
});

describe('values that JSON has not', () => {
  test('dates count as their ISO string, binary as an object, undefined as absent', () => {
    expect(places({ id: 'a', title: 'b', dueAt: new Date(0), status: undefined })).toEqual([]);
    expect(places({ id: 'a', title: 'b', dueAt: new Date(Number.NaN) })).toEqual(['dueAt: type']);
    expect(places({ id: 'a', title: undefined })).toEqual(['title: required']);
    expect(createValidator({ properties: { b: { type: 'object' } } })({ b: new Uint8Array(2) })).toEqual([]);
    expect(createValidator({ properties: { b: { type: 'string' } } })({ b: new ArrayBuffer(2) })).toHaveLength(1);
    expect(places({ id: 'a', title: new Date(0) })).toEqual(['title: maxLength']);
  });
});

function refusal(schema: unknown): string {
  try {
    createValidator(schema as Record<string, unknown>);
  } catch (error) {
    return error instanceof StoreError ? `${error.code} ${String(error.details['at'])}` : String(error);
  }
  return 'none';
}

test('a wrong schema is refused when it is given', () => {
  expect(refusal({ type: 'strin' })).toBe('collection/invalid-schema #/type');
  expect(refusal({ properties: { a: { minLength: -1 } } })).toBe('collection/invalid-schema #/properties/a/minLength');
  expect(refusal({ properties: { a: { pattern: '(' } } })).toBe('collection/invalid-schema #/properties/a');
  expect(refusal({ properties: { a: { $ref: '#/$defs/none' } } })).toBe('collection/invalid-schema #/properties/a');
  expect(refusal({ $dynamicRef: '#x' })).toBe('collection/invalid-schema #/$dynamicRef');
  expect(refusal({ required: 'id' })).toBe('collection/invalid-schema #/required');
  expect(refusal({ enum: [() => 1] })).toBe('collection/invalid-schema #');
  expect(refusal(null)).toBe('collection/invalid-schema #');
  expect(refusal({ type: 'object', $defs: { a: { type: 'string' } }, properties: { x: { $ref: '#/$defs/a' } } })).toBe(
    'none',
  );
});

test('the schema given stays as it was', () => {
  const schema = Object.freeze({ type: 'object', properties: Object.freeze({ a: Object.freeze({ type: 'string' }) }) });
  expect(createValidator(schema)({ a: 1 })).toHaveLength(1);
});

test('the quick check never accepts what the full validator refuses, and accepts most of what it accepts', () => {
  const accepts = acceptorOf(TASK)!;
  const full = new Validator(structuredClone(TASK) as Schema, '2020-12', true);
  const text = fc.string({ unit: fc.constantFrom('a', 'B', '\u{1f600}', ' '), maxLength: 6 });
  const any = fc.oneof(
    text,
    fc.integer({ min: -1, max: 7 }),
    fc.double(),
    fc.constantFrom(null, true, 'open', '2020-01-01T00:00:00Z'),
  );
  // Mostly the right type, so that a good part of the rows is valid.
  const often = (right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof({ arbitrary: right, weight: 30 }, { arbitrary: any, weight: 1 });
  const row = fc.record(
    {
      id: often(text),
      title: often(text),
      status: often(fc.constantFrom('open', 'done', null)),
      priority: often(fc.integer({ min: 0, max: 5 })),
      done: often(fc.boolean()),
      code: often(fc.constantFrom('a', 'bc')),
      dueAt: often(fc.constantFrom('2020-01-01T00:00:00Z', '2020-13-01T00:00:00Z')),
      tags: often(fc.array(text, { maxLength: 3 })),
      place: often(fc.record({ city: often(text), more: any }, { requiredKeys: ['city'] })),
      weight: often(fc.double({ min: 0.1, noNaN: true })),
      other: any,
    },
    { requiredKeys: ['id', 'title'] },
  );
  let valid = 0;
  fc.assert(
    fc.property(row, (each) => {
      const judged = full.validate(each).valid;
      if (judged) valid++;
      expect(accepts(each)).toBe(judged);
    }),
    { seed: 20_250_002, numRuns: 5_000 },
  );
  expect(valid).toBeGreaterThan(100);
});
