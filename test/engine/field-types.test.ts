/**
 * Goal: what does not fit the type of its field is refused at the write, by name, whichever call it comes from, and nothing
 * of that call is stored. Method: each call with a value of each wrong kind; what fits, next to it; and what other devices
 * have written, which is taken.
 */
import { expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { EngineApi, WriteRequest } from '../../src/protocol/engine-api.ts';
import { FITS } from '../../src/protocol/field-fit.ts';
import type { FieldType } from '../../src/protocol/field-types.ts';
import { collection, createMemoryImage, openOnImage } from './engine-fixture.ts';

const FIELDS = { text: 'text', list: 'list', counter: 'counter', set: 'set', map: 'map' } as const;
const SPEC = collection('tasks', [], { fields: FIELDS });
const GOOD: Row = {
  id: 'good',
  text: 'x',
  list: [1],
  counter: -0.5,
  set: [null, 'a', new Date(0)],
  map: { a: { b: 1 } },
};
const WRONG: Readonly<Record<FieldType, readonly unknown[]>> = {
  text: [1, null, ['a'], 'half \ud800'],
  list: ['a', { 0: 'a' }, null],
  counter: ['x', Number.NaN, Number.POSITIVE_INFINITY, null],
  set: ['a', [{ a: 1 }], [[1]], ['\udc00']],
  map: [[], 'x', null, new Date(0), { a: { '\ud800': 1 } }],
};
const CASES = Object.entries(WRONG).flatMap(([type, values]) =>
  values.map((value) => [type as FieldType, value] as const),
);

const open = (spec: CollectionSpec = SPEC): Promise<EngineApi> => openOnImage(createMemoryImage(), [spec]);
const options = { durability: undefined, signal: undefined };
const rowsOf = async (engine: EngineApi): Promise<readonly Row[]> => {
  const cursor = engine.find('tasks', { selector: {}, sort: [], limit: undefined, skip: 0 });
  const { rows } = await cursor.next(10_000);
  cursor.close();
  return rows;
};

const writes = (bad: Row, field: string): readonly WriteRequest[] => [
  { type: 'create', collection: 'tasks', rows: [bad] },
  { type: 'create', collection: 'tasks', rows: [GOOD, bad].map((row, at) => ({ ...row, id: `new ${at}` })) },
  { type: 'put', collection: 'tasks', rows: [bad] },
  { type: 'put', collection: 'tasks', rows: [bad, ...many(100)] },
  { type: 'update', collection: 'tasks', key: 'there', changes: { [field]: bad[field] } },
  { type: 'updateMany', collection: 'tasks', selector: {}, changes: { $set: { [field]: bad[field] } } },
];
const many = (count: number): readonly Row[] =>
  Array.from({ length: count }, (_, at) => ({ ...GOOD, id: `many ${at}` }));

test.each(CASES)('[FIT-1] %s cannot hold %j: each call refuses it, and stores nothing', async (type, value) => {
  const engine = await open();
  const there = { ...GOOD, id: 'there' };
  await engine.write({ type: 'put', collection: 'tasks', rows: [there] }, options);
  const bad = { ...GOOD, id: 'bad', [type]: value };
  for (const request of writes(bad, type)) {
    const refused = await Promise.resolve()
      .then(() => engine.write(request, options))
      .catch((error) => error);
    expect(refused, request.type).toMatchObject({
      code: 'collection/unfit-value',
      details: { collection: 'tasks', field: type, type, fits: FITS[type] },
    });
    expect(refused.message).toContain(JSON.stringify(type));
    expect(await rowsOf(engine), request.type).toEqual([there]);
  }
  await engine.close();
});

test.each(CASES)('[FIT-1] a transaction that gives %s %j is told so, and can go on', async (type, value) => {
  const engine = await open();
  const tx = engine.begin({ readOnly: false, durability: undefined, timeoutMs: 10_000, locks: [] });
  await tx.write({ type: 'put', collection: 'tasks', rows: [GOOD] }, options);
  const refused = await Promise.resolve()
    .then(() => tx.write({ type: 'put', collection: 'tasks', rows: [{ id: 'bad', [type]: value }] }, options))
    .catch((error) => error);
  expect(refused).toMatchObject({ code: 'collection/unfit-value', details: { key: 'bad', field: type } });
  await tx.commit();
  expect(await rowsOf(engine)).toEqual([GOOD]);
  await engine.close();
});

test('[FIT-1] of many rows each wrong one is named; what fits is stored, a field that is not there too', async () => {
  const engine = await open();
  const rows = many(200).map((row, at) => (at % 90 === 1 ? { ...row, counter: 'x' } : row));
  const refused = await Promise.resolve()
    .then(() => engine.write({ type: 'create', collection: 'tasks', rows }, options))
    .catch((error) => error);
  expect(refused.code).toBe('collection/unfit-value');
  expect((refused.details.rows as { key: string }[]).map(({ key }) => key).toSorted()).toEqual([
    'many 1',
    'many 181',
    'many 91',
  ]);
  await engine.write({ type: 'create', collection: 'tasks', rows: [...many(200), { id: 'none' }] }, options);
  expect(await rowsOf(engine)).toHaveLength(201);
  await engine.close();
});

test('[FIT-1] a JSON Schema is asked besides', async () => {
  const jsonSchema = { type: 'object', properties: { counter: { maximum: 5 } } };
  const engine = await open({ ...SPEC, jsonSchema });
  const put = (counter: unknown): Promise<unknown> =>
    Promise.resolve()
      .then(() => engine.write({ type: 'put', collection: 'tasks', rows: [{ id: 'a', counter }] }, options))
      .then(
        () => 'stored',
        ({ code }) => code,
      );
  expect([await put(6), await put('x'), await put(5)]).toEqual([
    'collection/invalid-document',
    'collection/unfit-value',
    'stored',
  ]);
  await engine.close();
});

test('[FIT-2] what other devices have written under a name that has a type now is taken as it is', async () => {
  const engine = await open();
  const old = { id: 'old', counter: 'not yet a number' };
  const tx = engine.begin({ readOnly: false, durability: undefined, timeoutMs: 10_000, locks: [], isRemote: true });
  await tx.write({ type: 'put', collection: 'tasks', rows: [old] }, options);
  await tx.commit();
  expect(await rowsOf(engine)).toEqual([old]);
  await engine.close();
});
