/**
 * Goal: borders of stages that the oracle does not know or knows otherwise, and how a pipeline runs: what is left to a
 * find, how much is read, when others get their turn. Method: an engine with few rows; answers are written out.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/row.ts';
import type { IndexSpec } from '../../../src/protocol/definition.ts';
import type { Explanation } from '../../../src/protocol/engine-api.ts';
import { ExpressionCompiler } from '../../../worker/query/aggregate/expression.ts';
import { compileGroup } from '../../../worker/query/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../../engine/engine-fixture.ts';
import { verbsOf } from '../../engine/engine-verbs.ts';

type Result = { readonly rows: readonly Row[]; readonly plan: Explanation };

async function run(
  rows: readonly Row[],
  pipeline: readonly unknown[],
  more: {
    readonly indexes?: readonly IndexSpec[];
    readonly others?: readonly Row[];
    readonly foreign?: readonly IndexSpec[];
  } = {},
): Promise<Result> {
  const { indexes = [], others = [], foreign = [] } = more;
  const engine = await openOnImage(createMemoryImage(), [collection('a', indexes), collection('b', foreign)]);
  await verbsOf(engine, 'a').create(...rows);
  if (others.length > 0) await verbsOf(engine, 'b').create(...others);
  const cursor = engine.aggregate('a', pipeline);
  const { rows: given } = await cursor.next(100_000);
  await engine.close();
  return { rows: given, plan: cursor.explain() };
}

const rowsOf = async (...given: Parameters<typeof run>): Promise<readonly Row[]> => (await run(...given)).rows;
const numbered = (count: number): readonly Row[] => Array.from({ length: count }, (_, id) => ({ id, n: id % 7 }));

describe('$group', () => {
  test('null and missing are one group, dates and objects are told apart by value', async () => {
    const rows = [
      { id: 1 },
      { id: 2, k: null },
      { id: 3, k: new Date(5) },
      { id: 4, k: new Date(5) },
      { id: 5, k: { x: 1 } },
    ];
    expect(await rowsOf(rows, [{ $group: { _id: '$k', ids: { $push: '$id' } } }])).toEqual([
      { _id: null, ids: [1, 2] },
      { _id: { x: 1 }, ids: [5] },
      { _id: new Date(5), ids: [3, 4] },
    ]);
  });

  test('a text that looks like the mark of an object is a text', async () => {
    const rows = [
      { id: 1, k: [1] },
      { id: 2, k: '\u00005' },
      { id: 3, k: '\u0000' },
    ];
    expect(await rowsOf(rows, [{ $group: { _id: '$k' } }, { $count: 'n' }])).toEqual([{ n: 3 }]);
  });

  test('a field of the key that is missing is another key than null', async () => {
    const rows = [
      { id: 1, a: 1 },
      { id: 2, a: 1, b: null },
      { id: 3, a: 1 },
    ];
    expect(await rowsOf(rows, [{ $group: { _id: { a: '$a', b: '$b' }, n: { $sum: 1 } } }])).toEqual([
      { _id: { a: 1 }, n: 2 },
      { _id: { a: 1, b: null }, n: 1 },
    ]);
  });

  test('missing values are neither pushed nor counted, and NaN is a number', async () => {
    const rows = [{ id: 1 }, { id: 2, v: null }, { id: 3, v: Number.NaN }, { id: 4, v: 'x' }];
    const fields = { all: { $push: '$v' }, set: { $addToSet: '$v' }, sum: { $sum: '$v' }, first: { $first: '$v' } };
    expect(await rowsOf(rows, [{ $group: { _id: null, ...fields } }])).toEqual([
      { _id: null, all: [null, Number.NaN, 'x'], set: [null, Number.NaN, 'x'], sum: Number.NaN, first: null },
    ]);
  });

  test('no rows make no group', async () => {
    expect(await rowsOf([], [{ $group: { _id: null, n: { $sum: 1 } } }])).toEqual([]);
    expect(await rowsOf([], [{ $count: 'n' }])).toEqual([]);
  });
});

describe('a grouping that is kept', () => {
  const opened = (spec: unknown) => compileGroup(spec, '$group', new ExpressionCompiler()).open();

  test('rows that are taken out leave what a fresh grouping of the rest gives', () => {
    const spec = { _id: '$k', sum: { $sum: '$n' }, mean: { $avg: '$n' }, n: { $count: {} }, most: { $max: '$n' } };
    const rows = Array.from({ length: 40 }, (_, id) => ({ id, k: id % 3, n: (id * 7) % 11 }));
    const left = [...rows];
    let kept = opened(spec);
    kept.add(rows);
    let exact = 0;
    while (left.length > 0) {
      const [row] = left.splice((exact * 7) % left.length, 1);
      const fresh = opened(spec);
      fresh.add(left);
      if (kept.remove(row!)) {
        expect(kept.rows()).toEqual(fresh.rows());
        exact++;
      } else kept = fresh;
    }
    expect(exact).toBeGreaterThan(rows.length / 2);
  });

  test('it says when it cannot tell: fractions, the largest value, the order of rows', () => {
    const row = { k: 1, n: 0.1, m: 5 };
    for (const accumulator of [{ $sum: '$n' }, { $avg: '$n' }, { $max: '$m' }, { $first: '$m' }, { $push: '$m' }]) {
      const kept = opened({ _id: '$k', x: accumulator });
      kept.add([row, { k: 1, n: 1, m: 2 }]);
      expect(kept.remove(row), JSON.stringify(accumulator)).toBe(false);
    }
  });

  test('an empty group goes, and comes again from nothing', () => {
    const kept = opened({ _id: '$k', x: { $sum: '$n' }, all: { $push: '$n' } });
    kept.add([{ k: 1, n: 5 }]);
    expect(kept.remove({ k: 1, n: 5 })).toBe(true);
    expect(kept.rows()).toEqual([]);
    kept.add([{ k: 1, n: 2 }]);
    expect(kept.rows()).toEqual([{ _id: 1, x: 2, all: [2] }]);
    expect(kept.remove({ k: 9, n: 1 })).toBe(false);
  });
});

describe('$bucket, $project, $addFields, $unwind, $sort', () => {
  test('a boundary belongs to the bucket above it', async () => {
    const rows = [0, 1, 2, 3].map((n) => ({ id: n, n }));
    const stage = { $bucket: { groupBy: '$n', boundaries: [0, 2, 3], default: -1, output: { ids: { $push: '$id' } } } };
    expect(await rowsOf(rows, [stage])).toEqual([
      { _id: -1, ids: [3] },
      { _id: 0, ids: [0, 1] },
      { _id: 2, ids: [2] },
    ]);
  });

  test('projections reach into arrays, and keep the key and _id', async () => {
    const rows = [{ id: 1, _id: 'x', list: [{ a: 1, b: 2 }, 5, [{ a: 3 }], { b: 4 }], o: { a: 1 }, n: 1 }];
    expect(await rowsOf(rows, [{ $project: { 'list.a': 1, 'n.a': 1 } }])).toEqual([
      { id: 1, _id: 'x', list: [{ a: 1 }, [{ a: 3 }], {}] },
    ]);
    expect(await rowsOf(rows, [{ $project: { list: { a: 0 }, id: 0, _id: 0, o: 0 } }])).toEqual([
      { list: [{ b: 2 }, 5, [{}], { b: 4 }], n: 1 },
    ]);
    expect(await rowsOf(rows, [{ $project: { id: 0, _id: 0, o: { a: '$n', c: { d: '$n' } } } }])).toEqual([
      { o: { a: 1, c: { d: 1 } } },
    ]);
  });

  test('added fields reach into arrays and objects; a missing value takes the field away', async () => {
    const rows = [{ id: 1, list: [{ a: 1 }, 5], o: { a: 1 }, gone: 1 }];
    const spec = { 'list.b': '$id', o: { c: 2 }, new: { deep: { x: '$id' } }, gone: '$none' };
    expect(await rowsOf(rows, [{ $addFields: spec }])).toEqual([
      { id: 1, list: [{ a: 1, b: 1 }, { b: 1 }], o: { a: 1, c: 2 }, new: { deep: { x: 1 } } },
    ]);
    expect(rows[0]).toEqual({ id: 1, list: [{ a: 1 }, 5], o: { a: 1 }, gone: 1 });
  });

  test('fields of arrays are arrays of fields, and digits are names', async () => {
    const rows = [{ id: 1, list: [{ a: 1 }, { b: 2 }, { a: [3] }, 4], o: { 0: 'zero' } }];
    expect(await rowsOf(rows, [{ $project: { id: 0, x: '$list.a', y: '$list.0', z: '$o.0' } }])).toEqual([
      { x: [1, [3]], y: [], z: 'zero' },
    ]);
  });

  test('$unwind takes what is no array as it is, and keeps empty ones when asked to', async () => {
    const rows = [{ id: 1, v: [] }, { id: 2, v: null }, { id: 3 }, { id: 4, v: 'x' }, { id: 5, v: [null, ['y']] }];
    expect(await rowsOf(rows, [{ $unwind: '$v' }])).toEqual([
      { id: 4, v: 'x' },
      { id: 5, v: null },
      { id: 5, v: ['y'] },
    ]);
    const keeping = { path: '$v', preserveNullAndEmptyArrays: true, includeArrayIndex: 'at.place' };
    expect((await rowsOf(rows, [{ $unwind: keeping }])).slice(0, 4)).toEqual([
      { id: 1, at: { place: null } },
      { id: 2, v: null, at: { place: null } },
      { id: 3, at: { place: null } },
      { id: 4, v: 'x', at: { place: null } },
    ]);
  });

  test('an array sorts by its least element, descending by its greatest', async () => {
    const rows = [
      { id: 1, v: [5, 1] },
      { id: 2, v: 3 },
      { id: 3, v: [] },
      { id: 4, v: [2, 9] },
    ];
    const sorted = (direction: number) => [
      { $addFields: { x: 1 } },
      { $sort: { v: direction } },
      { $project: { id: 1 } },
    ];
    expect((await rowsOf(rows, sorted(1))).map(({ id }) => id)).toEqual([3, 1, 4, 2]);
    expect((await rowsOf(rows, sorted(-1))).map(({ id }) => id)).toEqual([4, 1, 2, 3]);
  });

  test('a sort with a limit gives what the whole sort begins with', async () => {
    const rows = Array.from({ length: 9_000 }, (_, id) => ({ id, n: (id * 7_919) % 50 }));
    const whole = await rowsOf(rows, [{ $addFields: { x: 1 } }, { $sort: { n: -1 } }]);
    const top = await rowsOf(rows, [{ $addFields: { x: 1 } }, { $sort: { n: -1 } }, { $skip: 3 }, { $limit: 200 }]);
    expect(top).toEqual(whole.slice(3, 203));
  });
});

describe('$lookup', () => {
  const rows = [{ id: 1, k: 'a' }, { id: 2, k: ['a', 'b', 'a'] }, { id: 3 }, { id: 4, k: [] }, { id: 5, k: 'z' }];
  const others = [
    { id: 11, k: 'b' },
    { id: 12, k: ['a', 'a', 'b'] },
    { id: 13 },
    { id: 14, k: null },
    { id: 15, k: 'a' },
  ];
  const stage = { $lookup: { from: 'b', localField: 'k', foreignField: 'k', as: 'found' } };
  const ids = [[12, 15], [11, 12, 15], [13, 14], [], []];

  for (const [title, foreign] of [
    ['by a table', []],
    ['by an index', [index('k')]],
    ['by an index of elements', [index('k', { multi: true })]],
  ] as const) {
    test(`joins elements of arrays, and null with missing, ${title}`, async () => {
      const joined = await rowsOf(rows, [stage], { others, foreign });
      expect(joined.map(({ found }) => (found as Row[]).map(({ id }) => id))).toEqual(ids);
    });
  }

  test('by the key, and by a pipeline with variables, alone and behind the fields', async () => {
    const byKey = { from: 'b', localField: 'ref', foreignField: 'id', as: 'found' };
    const refs = [
      { id: 1, ref: 12 },
      { id: 2, ref: [15, 11, 99] },
    ];
    const found = async (lookup: object): Promise<unknown> =>
      (await rowsOf(refs, [{ $lookup: lookup }], { others })).map((row) => (row['found'] as Row[]).map(({ id }) => id));
    expect(await found(byKey)).toEqual([[12], [11, 15]]);
    expect(await found({ ...byKey, pipeline: [{ $match: { k: 'a' } }] })).toEqual([[12], [15]]);
    const pipeline = [{ $match: { $expr: { $gt: ['$id', '$$ref'] } } }, { $sort: { id: -1 } }, { $limit: 2 }];
    expect(await found({ from: 'b', let: { ref: '$ref' }, pipeline, as: 'found' })).toEqual([[15, 14], []]);
    expect(await found({ from: 'b', pipeline: [{ $limit: 1 }], as: 'found' })).toEqual([[11], [11]]);
  });

  test('many values are looked up in parts', async () => {
    const many = Array.from({ length: 2_500 }, (_, id) => ({ id, k: [id, id + 1] }));
    const joined = await rowsOf(many, [stage, { $project: { count: { $size: '$found' } } }], {
      others: many,
      foreign: [index('k', { multi: true })],
    });
    expect(joined.map(({ count }) => count)).toEqual([2, ...Array.from({ length: 2_498 }, () => 3), 2]);
  });
});

describe('how a pipeline runs', () => {
  test('what a find can do is left to it, and no more is read than is asked for', async () => {
    const rows = numbered(5_000);
    const first = await run(rows, [
      { $match: { id: { $gte: 10 } } },
      { $match: { n: 3 } },
      { $skip: 1 },
      { $limit: 2 },
    ]);
    expect(first.rows).toEqual([
      { id: 17, n: 3 },
      { id: 24, n: 3 },
    ]);
    expect(first.plan).toMatchObject({ access: 'key', stages: [] });
    expect(first.plan.rowsRead).toBeLessThan(200);
    const indexed = await run(rows, [{ $sort: { n: -1 } }, { $limit: 3 }, { $project: { n: 1 } }], {
      indexes: [index('n')],
    });
    expect(indexed.plan).toMatchObject({ index: 'n', sortedByIndex: true, rowsRead: 3 });
    const unwound = await run(rows, [{ $addFields: { v: [1, 2] } }, { $unwind: '$v' }, { $limit: 4 }]);
    expect(unwound.rows).toHaveLength(4);
    expect(unwound.plan.rowsRead).toBeLessThan(2_000);
  });

  test('what a find would do differently is not left to it', async () => {
    const rows = numbered(50);
    expect(await rowsOf(rows, [{ $limit: 10 }, { $match: { n: 6 } }])).toEqual([{ id: 6, n: 6 }]);
    expect(await rowsOf(rows, [{ $match: { $expr: { $gt: ['$id', 40] } } }, { $limit: 1 }])).toEqual([
      { id: 41, n: 6 },
    ]);
    expect(await rowsOf(rows, [{ $limit: 5 }, { $sort: { id: -1 } }, { $limit: 1 }])).toEqual([{ id: 4, n: 4 }]);
    expect(await rowsOf(rows, [{ $limit: 5 }, { $skip: 9 }])).toEqual([]);
  });

  test('other calls are answered during a long run, and all is read at one snapshot', async () => {
    const engine = await openOnImage(createMemoryImage(), [collection('a')]);
    await verbsOf(engine, 'a').create(...numbered(60_000));
    const order: string[] = [];
    const slow = {
      $project: {
        x: { $reduce: { input: { $range: [0, 40] }, initialValue: 0, in: { $add: ['$$value', '$$this'] } } },
      },
    };
    const long = engine
      .aggregate('a', [slow, { $group: { _id: null, n: { $sum: 1 } } }])
      .next(1)
      .then((answer) => {
        order.push('aggregate');
        return answer;
      });
    await verbsOf(engine, 'a').delete(59_999);
    order.push('delete');
    expect((await long).rows).toEqual([{ _id: null, n: 60_000 }]);
    expect(order).toEqual(['delete', 'aggregate']);
    expect((await engine.health()).openSnapshots).toBe(0);
    await engine.close();
  });
});
