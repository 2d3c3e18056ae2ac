/** Goal: whatever is wrong with a pipeline is refused by name, with the path to it. Method: one wrong pipeline a line. */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../../src/base/row.ts';
import type { StoreError } from '../../../src/base/store-error.ts';
import { collection, createMemoryImage, openOnImage } from '../../engine/engine-fixture.ts';
import { verbsOf } from '../../engine/engine-verbs.ts';

const ROW = { id: 1, n: 5, s: 'text', list: [1, 2], o: { x: 1 } };

async function refusalOf(pipeline: unknown): Promise<unknown> {
  const engine = await openOnImage(createMemoryImage(), [collection('a'), collection('b')]);
  await verbsOf(engine, 'a').create(ROW);
  let cursor: ReturnType<typeof engine.aggregate> | undefined;
  try {
    cursor = engine.aggregate('a', pipeline as readonly unknown[]);
    return await cursor.next(10);
  } catch (error) {
    const { code, details, message } = error as StoreError;
    expect(message).not.toContain('undefined');
    return [code, details['path'] ?? details['collection']];
  } finally {
    cursor?.close();
    expect((await engine.health()).openSnapshots, 'a refused pipeline leaves no snapshot').toBe(0);
    await engine.close();
  }
}

const nested = (levels: number): unknown => (levels === 0 ? 1 : { $abs: nested(levels - 1) });
const stages = (count: number): unknown => Array.from({ length: count }, () => ({ $limit: 1 }));
const group = (fields: Row): unknown => [{ $group: { _id: null, ...fields } }];
const project = (x: unknown): unknown => [{ $project: { x } }];

const CASES: Readonly<Record<string, readonly (readonly [pipeline: unknown, code: string, path: string])[]>> = {
  'what is no pipeline': [
    [{ $match: {} }, 'invalid-pipeline', ''],
    ['$match', 'invalid-pipeline', ''],
    [[5], 'invalid-pipeline', '[0]'],
    [[{}], 'invalid-pipeline', '[0]'],
    [[{ $match: {} }, { $limit: 1, $skip: 1 }], 'invalid-pipeline', '[1]'],
    [[{ $out: 'x' }], 'unknown-operator', '[0]'],
    [[{ toString: 1 }], 'unknown-operator', '[0]'],
    [stages(101), 'too-large', ''],
  ],
  stages: [
    [[{ $match: 5 }], 'wrong-operand', '[0].$match'],
    [[{ $match: { n: { $near: 1 } } }], 'unknown-operator', '[0].$match.n'],
    [[{ $limit: 1 }, { $match: { n: { $in: 5 } } }], 'wrong-operand', '[1].$match.n'],
    [[{ $match: { $expr: { $gt: [1] } } }], 'wrong-operand', '[0].$match.$expr.$gt'],
    [[{ $limit: 0 }], 'wrong-operand', '[0].$limit'],
    [[{ $limit: 1.5 }], 'wrong-operand', '[0].$limit'],
    [[{ $skip: -1 }], 'wrong-operand', '[0].$skip'],
    [[{ $skip: '1' }], 'wrong-operand', '[0].$skip'],
    [[{ $count: '$n' }], 'wrong-operand', '[0].$count'],
    [[{ $count: 'a.b' }], 'wrong-operand', '[0].$count'],
    [[{ $count: '__proto__' }], 'forbidden-path', '[0].$count'],
    [[{ $sort: {} }], 'wrong-operand', '[0].$sort'],
    [[{ $sort: { n: 'up' } }], 'wrong-operand', '[0].$sort.n'],
    [[{ $group: { n: { $sum: 1 } } }], 'wrong-operand', '[0].$group'],
    [group({ n: 5 }), 'invalid-pipeline', '[0].$group.n'],
    [group({ n: { $sum: 1, $avg: 1 } }), 'invalid-pipeline', '[0].$group.n'],
    [group({ n: { $total: 1 } }), 'unknown-operator', '[0].$group.n'],
    [group({ n: { $sum: { $nope: 1 } } }), 'unknown-operator', '[0].$group.n.$sum'],
    [group({ n: { $count: 1 } }), 'wrong-operand', '[0].$group.n.$count'],
    [group({ 'a.b': { $sum: 1 } }), 'wrong-operand', '[0].$group.a.b'],
    [group({ constructor: { $sum: 1 } }), 'forbidden-path', '[0].$group.constructor'],
    [[{ $project: {} }], 'wrong-operand', '[0].$project'],
    [[{ $project: { n: 1, s: 0 } }], 'invalid-pipeline', '[0].$project'],
    [[{ $project: { o: 1, 'o.x': 1 } }], 'invalid-pipeline', '[0].$project.o.x'],
    [[{ $project: { 'o..x': 1 } }], 'wrong-operand', '[0].$project'],
    [[{ $addFields: { n: { $add: 'a', $abs: 1 } } }], 'invalid-pipeline', '[0].$addFields.n'],
    [[{ $unset: 5 }], 'wrong-operand', '[0].$unset'],
    [[{ $unwind: 'list' }], 'wrong-operand', '[0].$unwind'],
    [[{ $unwind: { path: '$list', keep: true } }], 'wrong-operand', '[0].$unwind'],
    [[{ $replaceRoot: { newRoot: '$n' } }], 'wrong-operand', '[0].$replaceRoot'],
    [[{ $lookup: { from: 'b' } }], 'wrong-operand', '[0].$lookup'],
    [[{ $lookup: { from: 'b', as: 'x', localField: 'n' } }], 'wrong-operand', '[0].$lookup'],
    [[{ $lookup: { from: 'b', as: 'x' } }], 'wrong-operand', '[0].$lookup'],
    [
      [{ $lookup: { from: 'b', as: 'x', pipeline: [{ $limit: 1 }, { $nope: 1 }] } }],
      'unknown-operator',
      '[0].$lookup.pipeline[1]',
    ],
    [[{ $lookup: { from: 'b', as: 'x', let: { Big: 1 }, pipeline: [] } }], 'wrong-operand', '[0].$lookup.let'],
    [[{ $facet: { x: { $limit: 1 } } }], 'invalid-pipeline', '[0].$facet.x'],
    [[{ $facet: { x: [{ $limit: 'a' }] } }], 'wrong-operand', '[0].$facet.x[0].$limit'],
    [[{ $bucket: { groupBy: '$n', boundaries: [1] } }], 'wrong-operand', '[0].$bucket'],
    [[{ $bucket: { groupBy: '$n', boundaries: [1, 'a'] } }], 'wrong-operand', '[0].$bucket.boundaries[1]'],
    [[{ $bucket: { groupBy: '$n', boundaries: [2, 1] } }], 'wrong-operand', '[0].$bucket.boundaries[1]'],
    [[{ $bucket: { groupBy: '$n', boundaries: [0, 9], default: 5 } }], 'wrong-operand', '[0].$bucket.default'],
    [[{ $bucket: { groupBy: '$n', boundaries: [0, 1] } }], 'wrong-operand', '[0].$bucket.groupBy'],
    [[{ $sortByCount: 'n' }], 'wrong-operand', '[0].$sortByCount'],
  ],
  expressions: [
    [project({ $nope: 1 }), 'unknown-operator', '[0].$project.x'],
    [project({ $toString: 1, y: 2 }), 'invalid-pipeline', '[0].$project.x'],
    [project({ $add: [1, { $subtract: [1] }] }), 'wrong-operand', '[0].$project.x.$add[1].$subtract'],
    [project('$$nope'), 'unknown-operator', '[0].$project.x'],
    [project('$'), 'wrong-operand', '[0].$project.x'],
    [project('$a..b'), 'wrong-operand', '[0].$project.x'],
    [project('$__proto__.x'), 'forbidden-path', '[0].$project.x'],
    [project({ $cond: [1, 2] }), 'wrong-operand', '[0].$project.x.$cond'],
    [project({ $cond: { if: 1, or: 2 } }), 'wrong-operand', '[0].$project.x.$cond'],
    [project({ $switch: { branches: [] } }), 'wrong-operand', '[0].$project.x.$switch'],
    [project({ $map: { input: '$list' } }), 'wrong-operand', '[0].$project.x.$map'],
    [project({ $let: { vars: null, in: 1 } }), 'wrong-operand', '[0].$project.x.$let.vars'],
    [project({ $map: { input: '$list', as: 'one', in: '$$this' } }), 'unknown-operator', '[0].$project.x.$map.in'],
    [project(nested(60)), 'too-large', `[0].$project.x${'.$abs'.repeat(50)}`],
    [project(Array.from({ length: 20_001 }, () => 1)), 'too-large', '[0].$project.x[19998]'],
  ],
  'values that a row shows': [
    [project({ $add: ['$s', 1] }), 'wrong-operand', '[0].$project.x.$add'],
    [project({ $divide: ['$n', 0] }), 'wrong-operand', '[0].$project.x.$divide'],
    [project({ $size: '$none' }), 'wrong-operand', '[0].$project.x.$size'],
    [project({ $concat: ['$n'] }), 'wrong-operand', '[0].$project.x.$concat'],
    [project({ $toInt: '$s' }), 'wrong-operand', '[0].$project.x.$toInt'],
    [project({ $toInt: 3e9 }), 'wrong-operand', '[0].$project.x.$toInt'],
    [project({ $year: '$n' }), 'wrong-operand', '[0].$project.x.$year'],
    [project({ $range: [0, 1e7] }), 'too-large', '[0].$project.x.$range'],
    // biome-ignore lint/suspicious/noThenProperty: the operator's name for it.
    [project({ $switch: { branches: [{ case: false, then: 1 }] } }), 'wrong-operand', '[0].$project.x.$switch'],
    [
      project({ $dateToString: { date: { $toDate: 0 }, format: '%q' } }),
      'wrong-operand',
      '[0].$project.x.$dateToString',
    ],
    [project({ $hour: { date: { $toDate: 0 }, timezone: 'Europe/Ulm' } }), 'wrong-operand', '[0].$project.x.$hour'],
    [group({ x: { $mergeObjects: '$n' } }), 'wrong-operand', '[0].$group.x.$mergeObjects'],
  ],
};

for (const [title, cases] of Object.entries(CASES)) {
  describe(`refused: ${title}`, () => {
    test.each(cases)('%j', async (pipeline, code, path) => {
      expect(await refusalOf(pipeline)).toEqual([`query/${code}`, path]);
    });
  });
}

test('[S5] a name of a prototype that data makes is refused when it is met', async () => {
  expect(await refusalOf(project({ $arrayToObject: [[['__proto__', 1]]] }))).toEqual([
    'row/forbidden-key',
    '[0].$project.x.$arrayToObject.__proto__',
  ]);
});

test('an unknown collection is named', async () => {
  expect(await refusalOf([{ $lookup: { from: 'c', as: 'x', localField: 'n', foreignField: 'n' } }])).toEqual([
    'store/unknown-collection',
    'c',
  ]);
});
