/**
 * Goal: a query is data. What could be code elsewhere, or an operator that nobody allowed, is refused wherever it is
 * hidden and by whatever call takes it, before a row is read (S6). Method: names that other databases run or once let
 * through, in every place that takes a selector, under every call.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, openOnImage } from '../engine/engine-fixture.ts';
import { drain, verbsOf } from '../engine/engine-verbs.ts';

const CODE = 'function () { globalThis.smuggled = true; return true; }';
const NAMES = ['$where', '$function', '$accumulator', '$eval', '$jsonSchema', '$text', '$comment', '$foo'];

/** Each puts what is smuggled where an operator, or a selector, may stand. */
const PLACES: readonly ((smuggled: Row) => unknown)[] = [
  (smuggled) => smuggled,
  (smuggled) => ({ $and: [smuggled] }),
  (smuggled) => ({ $or: [{ n: 1 }, smuggled] }),
  // CVE-2024-53900 and CVE-2025-23061: one level below where it is looked for.
  (smuggled) => ({ $or: [{ $and: [{ $nor: [smuggled] }] }] }),
  (smuggled) => ({ name: smuggled }),
  (smuggled) => ({ name: { $not: smuggled } }),
  (smuggled) => ({ list: { $elemMatch: smuggled } }),
  (smuggled) => ({ list: { $elemMatch: { part: smuggled } } }),
  (smuggled) => ({ list: { $all: [{ $elemMatch: smuggled }] } }),
  (smuggled) => ({ name: { $in: [smuggled] } }),
  (smuggled) => ({ 'deep.path': { inner: smuggled } }),
];

const CALLS: Readonly<Record<string, (engine: Engine, selector: Selector) => Promise<unknown>>> = {
  find: (engine, selector) => verbsOf(engine).find(selector),
  count: (engine, selector) => verbsOf(engine).count(selector),
  distinct: (engine, selector) => verbsOf(engine).distinct('name', selector),
  explain: (engine, selector) => verbsOf(engine).explain(selector),
  updateMany: (engine, selector) => verbsOf(engine).updateMany(selector, { n: 99 }),
  deleteMany: (engine, selector) => verbsOf(engine).deleteMany(selector),
  'include.where': async (engine, where) =>
    drain(
      engine.find('items', {
        selector: {},
        sort: [],
        limit: 1,
        skip: 0,
        include: { x: { from: 'items', on: ['id', 'id'], where } },
      }),
      10,
    ),
  $match: async (engine, $match) => drain(engine.aggregate('items', [{ $match }]), 10),
  '$lookup.pipeline': async (engine, $match) =>
    drain(engine.aggregate('items', [{ $lookup: { from: 'items', pipeline: [{ $match }], as: 'x' } }]), 10),
};

describe('[S6] what is no query of this store', () => {
  let engine: Engine;
  const rows = [1, 2, 3].map((n) => ({
    id: n,
    n,
    name: `name ${n}`,
    list: [{ part: n }],
    deep: { path: { inner: n } },
  }));
  beforeAll(async () => {
    engine = await openOnImage(createMemoryImage(), [collection('items')]);
    await verbsOf(engine).create(...rows);
  });
  afterAll(() => engine.close());

  test.each(Object.entries(CALLS))(
    '[S6] is refused by %s, wherever it stands, and nothing is changed',
    async (_, call) => {
      for (const name of NAMES) {
        for (const place of PLACES) {
          for (const value of [CODE, { body: CODE, args: [], lang: 'js' }, () => true]) {
            const selector = place({ [name]: value });
            const error = await call(engine, selector as Selector).catch((caught: unknown) => caught);
            expect(error, `${JSON.stringify(selector)}: ${JSON.stringify(error)}`).toBeInstanceOf(StoreError);
            expect((error as StoreError).code).toMatch(/^query\//);
          }
        }
      }
      expect('smuggled' in globalThis).toBe(false);
      expect(await verbsOf(engine).all()).toEqual(rows);
      expect((await engine.health()).openSnapshots).toBe(0);
    },
  );

  test.each(Object.entries(CALLS))('[S6] %s takes nothing but an object for a selector', async (_, call) => {
    for (const selector of ['this.n > 0', ['$where', CODE], 7, true, () => true, new Map([['$where', CODE]])]) {
      const error = await call(engine, selector as unknown as Selector).catch((caught: unknown) => caught);
      expect((error as StoreError).code, String(selector)).toMatch(/^query\//);
    }
    expect(await verbsOf(engine).all()).toEqual(rows);
  });

  test('[S6] documents that came from others are data, whatever their fields are called', async () => {
    const smuggler = { id: 4, $where: CODE, list: [{ $gt: 0 }], name: { $ne: null } };
    await verbsOf(engine).create(smuggler);
    expect(await verbsOf(engine).get(4)).toEqual(smuggler);
    expect(await verbsOf(engine).find({ name: 'name 1' })).toEqual([rows[0]]);
    // What `$eq` is given is a value.
    expect(await verbsOf(engine).find({ name: { $eq: { $ne: null } } })).toEqual([smuggler]);
    const [joined] = await drain(
      engine.aggregate('items', [
        { $match: { id: 4 } },
        { $lookup: { from: 'items', localField: 'name', foreignField: 'name', as: 'same' } },
      ]),
      10,
    );
    expect(joined!['same']).toEqual([smuggler]);
    const [included] = await drain(
      engine.find('items', {
        selector: { id: 4 },
        sort: [],
        limit: undefined,
        skip: 0,
        include: { same: { from: 'items', on: ['name', 'name'] } },
      }),
      10,
    );
    expect(included!['same']).toEqual([smuggler]);
    await verbsOf(engine).delete(4);
  });
});
