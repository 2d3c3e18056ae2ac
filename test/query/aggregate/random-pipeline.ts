/**
 * Random rows and pipelines from a seed. Pipelines are made to type: a generator knows at each stage which paths hold
 * numbers, strings, arrays, so that most pipelines run to their end instead of being refused.
 */
import type { Row } from '../../../src/base/row.ts';

export type Random = () => number;
export type Kind = 'flat' | 'nested' | 'mixed';
type Stage = Readonly<Record<string, unknown>>;

/** What is known of the rows at a stage. Paths without dollar. */
type Shape = {
  /** Always numbers, strings ... */
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
  readonly flags: readonly string[];
  readonly dates: readonly string[];
  /** Numbers, null or missing. */
  readonly doubtful: readonly string[];
  /** Scalars of any type, null or missing. */
  readonly mixed: readonly string[];
  readonly textLists: readonly string[];
  readonly numberLists: readonly string[];
  /** Arrays of { k: text, v: number }. */
  readonly itemLists: readonly string[];
  readonly objects: readonly string[];
  readonly hasId: boolean;
};

const EMPTY: Shape = {
  numbers: [],
  texts: [],
  flags: [],
  dates: [],
  doubtful: [],
  mixed: [],
  textLists: [],
  numberLists: [],
  itemLists: [],
  objects: [],
  hasId: false,
};

const FLAT: Shape = {
  ...EMPTY,
  numbers: ['n', 'm', 'q'],
  texts: ['s', 't'],
  flags: ['b'],
  dates: ['d'],
  doubtful: ['maybe'],
  hasId: true,
};
const NESTED: Shape = {
  ...FLAT,
  numbers: [...FLAT.numbers, 'o.x'],
  texts: [...FLAT.texts, 'o.y.z'],
  textLists: ['tags'],
  numberLists: ['list'],
  itemLists: ['items'],
  objects: ['o'],
};
const MIXED: Shape = { ...FLAT, mixed: ['v', 'w'], doubtful: ['maybe', 'perhaps'] };

export const shapeOf = (kind: Kind): Shape => ({ flat: FLAT, nested: NESTED, mixed: MIXED })[kind];

export const pick = <T>(random: Random, choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
const upTo = (random: Random, most: number): number => Math.floor(random() * (most + 1));
const some = <T>(random: Random, choices: readonly T[]): readonly T[] => choices.filter(() => random() < 0.5);
const listOf = <T>(random: Random, most: number, make: () => T): T[] =>
  Array.from({ length: upTo(random, most) }, make);

const TEXTS = ['a', 'b', 'ab', 'Ba', 'c d', 'zebra', ' x '];
const QUARTERS = [0, 0.25, 0.5, 0.75, 1.5, 2.25, -0.5, -1.75];

export function randomRow(random: Random, kind: Kind, id: number): Row {
  const row: Record<string, unknown> = {
    id,
    n: upTo(random, 10) - 4,
    m: upTo(random, 5),
    q: pick(random, QUARTERS),
    s: pick(random, TEXTS),
    t: pick(random, TEXTS),
    b: random() < 0.5,
    d: new Date(Date.UTC(2020, upTo(random, 30), upTo(random, 27) + 1, upTo(random, 23), upTo(random, 59))),
  };
  if (random() < 0.7) row['maybe'] = random() < 0.3 ? null : upTo(random, 3);
  if (kind === 'nested') {
    row['o'] = { x: upTo(random, 4), y: { z: pick(random, TEXTS) } };
    row['tags'] = listOf(random, 3, () => pick(random, TEXTS));
    row['list'] = listOf(random, 3, () => upTo(random, 4));
    row['items'] = listOf(random, 3, () => ({ k: pick(random, TEXTS), v: upTo(random, 4) }));
  }
  if (kind === 'mixed') {
    if (random() < 0.6) row['perhaps'] = upTo(random, 3);
    for (const field of ['v', 'w']) {
      if (random() < 0.8) row[field] = pick<unknown>(random, [null, 1, 2, 'a', '1', true, false, new Date(5), 2.5]);
    }
  }
  return row;
}

/** The collection that others join. */
export function randomOther(random: Random, id: number): Row {
  const row: Record<string, unknown> = {
    id,
    name: pick(random, TEXTS),
    tags: listOf(random, 2, () => pick(random, TEXTS)),
  };
  if (random() < 0.8) row['ref'] = random() < 0.1 ? null : upTo(random, 5);
  return row;
}

/** Indexes of which a random set is tried. Multi-entry ones on arrays, as others do not serve them. */
export const INDEX_PATHS: readonly (string | readonly string[])[] = [
  'n',
  'm',
  's',
  ['s', 'n'],
  'maybe',
  'd',
  'v',
  'o.x',
];

export function randomPipeline(random: Random, kind: Kind): readonly Stage[] {
  return stages(random, shapeOf(kind), 1 + upTo(random, 4), 'outer');
}

function stages(random: Random, start: Shape, count: number, place: 'outer' | 'inner'): readonly Stage[] {
  const result: Stage[] = [];
  let shape = start;
  for (let at = 0; at < count; at++) {
    const [stage, next] = pick(random, place === 'outer' ? OUTER : INNER)(random, shape);
    if (stage === undefined) continue;
    result.push(stage);
    shape = next;
  }
  return result;
}

type Maker = (random: Random, shape: Shape) => readonly [stage: Stage | undefined, next: Shape];
const NONE = (shape: Shape) => [undefined, shape] as const;

const match: Maker = (random, shape) => {
  const conditions: (() => Record<string, unknown> | undefined)[] = [
    () =>
      field(random, shape.numbers, () => pick<unknown>(random, [upTo(random, 5), ordered(random, upTo(random, 4))])),
    () => field(random, shape.texts, () => pick<unknown>(random, [pick(random, TEXTS), { $in: some(random, TEXTS) }])),
    () => field(random, shape.flags, () => random() < 0.5),
    () => field(random, shape.doubtful, () => pick<unknown>(random, [null, 1, { $in: [null, 2] }, { $gte: 1 }])),
    () => field(random, shape.textLists, () => pick(random, TEXTS)),
    () => field(random, shape.itemLists, () => pick(random, TEXTS), '.k'),
    () => field(random, shape.dates, () => ordered(random, new Date(Date.UTC(2021, 3, 1)))),
    () => ({ $expr: flag(random, shape, 1) }),
  ];
  const chosen = [pick(random, conditions)(), pick(random, conditions)()].slice(0, 1 + upTo(random, 1));
  return [{ $match: Object.assign({}, ...chosen) }, shape];
};

const ordered = (random: Random, operand: unknown): unknown => ({
  [pick(random, ['$gt', '$gte', '$lt', '$lte'])]: operand,
});

function field(
  random: Random,
  paths: readonly string[],
  operand: () => unknown,
  suffix = '',
): Record<string, unknown> | undefined {
  return paths.length === 0 ? undefined : { [`${pick(random, paths)}${suffix}`]: operand() };
}

const sort: Maker = (random, shape) => {
  const paths = some(random, [...shape.numbers, ...shape.texts, ...shape.dates]).slice(0, 3);
  const order = [...paths, ...(shape.hasId ? ['id'] : [])];
  if (order.length === 0) return NONE(shape);
  return [{ $sort: Object.fromEntries(order.map((path) => [path, pick(random, [1, -1])])) }, shape];
};

const group: Maker = (random, shape) => {
  const values = { n: number(random, shape, 2), m: maybeNumber(random, shape), t: text(random, shape, 1) };
  const fields: Record<string, unknown> = {
    total: { $sum: values.n },
    doubt: { $sum: values.m },
    mean: { $avg: pick(random, [values.n, values.m]) },
    least: { $min: pick(random, [values.n, values.m, values.t]) },
    most: { $max: values.n },
    count: pick(random, [{ $sum: 1 }, { $count: {} }]),
    one: { $first: values.n },
    end: { $last: values.t },
    all: { $push: values.n },
    set: { $addToSet: values.t },
    spread: { $stdDevPop: { $literal: 3 } },
  };
  const kept = Object.fromEntries(some(random, Object.entries(fields)));
  const has = (name: string): readonly string[] => (Object.hasOwn(kept, name) ? [name] : []);
  return [
    { $group: { _id: key(random, shape), ...kept } },
    {
      ...EMPTY,
      numbers: [...has('total'), ...has('doubt'), ...has('count'), ...has('most'), ...has('one')],
      texts: has('end'),
      doubtful: has('mean'),
      numberLists: has('all'),
      textLists: has('set'),
    },
  ];
};

function key(random: Random, shape: Shape): unknown {
  const paths = [...shape.numbers, ...shape.texts, ...shape.flags, ...shape.doubtful, ...shape.mixed, ...shape.dates];
  return pick<() => unknown>(random, [
    () => null,
    () => (paths.length === 0 ? 1 : `$${pick(random, paths)}`),
    () => (paths.length === 0 ? 1 : `$${pick(random, paths)}`),
    () => text(random, shape, 1),
    () => number(random, shape, 1),
    () => flag(random, shape, 1),
    () => ({ a: text(random, shape, 0), b: maybeNumber(random, shape) }),
    () => (shape.dates.length === 0 ? 'x' : { $year: `$${pick(random, shape.dates)}` }),
    () => (shape.mixed.length === 0 ? true : { $type: `$${pick(random, shape.mixed)}` }),
  ])();
}

const project: Maker = (random, shape) => {
  const keep = (paths: readonly string[]): readonly string[] => some(random, paths);
  const next: Shape = {
    ...EMPTY,
    numbers: keep(shape.numbers),
    texts: keep(shape.texts),
    doubtful: keep(shape.doubtful),
    mixed: keep(shape.mixed),
    textLists: keep(shape.textLists),
    itemLists: keep(shape.itemLists),
    hasId: shape.hasId && random() < 0.8,
  };
  const included = [next.numbers, next.texts, next.doubtful, next.mixed, next.textLists, next.itemLists].flat();
  const spec = {
    ...Object.fromEntries(included.map((path) => [path, pick<unknown>(random, [1, true])])),
    // Not a bare number, which would include a field.
    p1: { $add: [number(random, shape, 2), 0] },
    p2: text(random, shape, 2),
    // The oracle knows one key's field; here both stay.
    _id: 1,
    ...(next.hasId === shape.hasId ? {} : { id: 0 }),
  };
  return [{ $project: spec }, { ...next, numbers: [...next.numbers, 'p1'], texts: [...next.texts, 'p2'] }];
};

const exclude: Maker = (random, shape) => {
  const dropped = some(random, [...shape.flags, ...shape.dates]);
  if (dropped.length === 0) return NONE(shape);
  const rest = (paths: readonly string[]): readonly string[] => paths.filter((path) => !dropped.includes(path));
  const spec = pick<Stage>(random, [
    { $project: Object.fromEntries(dropped.map((path) => [path, 0])) },
    { $unset: dropped },
  ]);
  return [spec, { ...shape, flags: rest(shape.flags), dates: rest(shape.dates) }];
};

const addFields: Maker = (random, shape) => {
  const stage = pick(random, ['$addFields', '$set']);
  const spec: Record<string, unknown> = {
    f1: number(random, shape, 2),
    f2: text(random, shape, 2),
    f3: flag(random, shape, 2),
    f4: list(random, shape),
    ...(shape.objects.includes('o') ? { 'o.w': number(random, shape, 1) } : {}),
  };
  return [
    { [stage]: spec },
    {
      ...shape,
      numbers: unique([...shape.numbers, 'f1']),
      texts: unique([...shape.texts, 'f2']),
      flags: unique([...shape.flags, 'f3']),
      numberLists: unique([...shape.numberLists, 'f4']),
    },
  ];
};

const unique = (paths: readonly string[]): readonly string[] => [...new Set(paths)];

const unwind: Maker = (random, shape) => {
  const path = pick(random, [...shape.textLists, ...shape.numberLists, ...shape.itemLists, ...shape.doubtful]);
  if (path === undefined) return NONE(shape);
  const without = (paths: readonly string[]): readonly string[] => paths.filter((each) => each !== path);
  const keepsEmpty = random() < 0.4;
  const spec = pick<unknown>(random, [`$${path}`, { path: `$${path}`, includeArrayIndex: 'at' }]);
  const next: Shape = {
    ...shape,
    textLists: without(shape.textLists),
    numberLists: without(shape.numberLists),
    itemLists: without(shape.itemLists),
    doubtful: without(shape.doubtful),
    mixed: unique([...shape.mixed, ...(shape.itemLists.includes(path) ? [`${path}.k`] : [path])]),
  };
  if (!keepsEmpty) return [{ $unwind: spec }, next];
  return [{ $unwind: { path: `$${path}`, preserveNullAndEmptyArrays: true } }, next];
};

const limit: Maker = (random, shape) => [{ $limit: 1 + upTo(random, 20) }, shape];
const skip: Maker = (random, shape) => [{ $skip: upTo(random, 5) }, shape];
const count: Maker = (_random, _shape) => [{ $count: 'count' }, { ...EMPTY, numbers: ['count'] }];

const lookup: Maker = (random, shape) => {
  const local = pick(random, [...shape.numbers, ...shape.doubtful, ...shape.texts, ...shape.textLists]);
  if (local === undefined) return NONE(shape);
  const foreignField = pick(random, shape.texts.includes(local) ? ['name', 'tags'] : ['ref', 'id', 'name']);
  const byFields = { from: 'others', localField: local, foreignField, as: 'joined' };
  const withPipeline = {
    from: 'others',
    let: { mine: `$${local}` },
    pipeline: [
      { $match: { $expr: { [pick(random, ['$eq', '$ne'])]: ['$ref', '$$mine'] } } },
      { $project: { name: 1 } },
    ],
    as: 'joined',
  };
  const isScalar = shape.numbers.includes(local);
  return [{ $lookup: isScalar && random() < 0.3 ? withPipeline : byFields }, shape];
};

const bucket: Maker = (random, shape) => {
  if (shape.numbers.length === 0) return NONE(shape);
  const spec = {
    groupBy: `$${pick(random, shape.numbers)}`,
    // Between values: mingo puts a value that equals a boundary into the bucket below.
    boundaries: [-2.1, 0.1, 1.1, 3.1],
    default: 'other',
    output: { total: { $sum: number(random, shape, 1) }, count: { $sum: 1 } },
  };
  return [{ $bucket: spec }, { ...EMPTY, numbers: ['total', 'count'] }];
};

const sortByCount: Maker = (random, shape) => [
  { $sortByCount: pick(random, [...shape.texts.map((path) => `$${path}`), { $toUpper: text(random, shape, 1) }]) },
  { ...EMPTY, numbers: ['count'], mixed: ['_id'] },
];

const facet: Maker = (random, shape) => [
  { $facet: { left: stages(random, shape, 2, 'inner'), right: stages(random, shape, 1, 'inner') } },
  EMPTY,
];

const replaceRoot: Maker = (random, shape) => {
  const root = { n: number(random, shape, 1), s: text(random, shape, 1), list: list(random, shape) };
  const stage: Stage = random() < 0.5 ? { $replaceRoot: { newRoot: root } } : { $replaceWith: root };
  return [stage, { ...EMPTY, numbers: ['n'], texts: ['s'], numberLists: ['list'] }];
};

const INNER: readonly Maker[] = [
  match,
  sort,
  group,
  project,
  addFields,
  unwind,
  limit,
  skip,
  count,
  sortByCount,
  bucket,
];
const OUTER: readonly Maker[] = [...INNER, match, sort, group, exclude, lookup, facet, replaceRoot];

/** Expressions that give a number for sure. */
function number(random: Random, shape: Shape, depth: number): unknown {
  const leaf = (): unknown =>
    pick<unknown>(random, [...shape.numbers.map((path) => `$${path}`), upTo(random, 5), { $literal: 3 }]);
  if (depth === 0) return leaf();
  const inner = (): unknown => number(random, shape, depth - 1);
  return pick<() => unknown>(random, [
    leaf,
    () => ({ $add: [inner(), inner(), 1] }),
    () => ({ $subtract: [inner(), inner()] }),
    () => ({ $multiply: [inner(), inner()] }),
    () => ({ $divide: [inner(), pick(random, [2, 4, -8])] }),
    () => ({ $mod: [inner(), pick(random, [2, 3, 5])] }),
    () => ({ [pick(random, ['$abs', '$ceil', '$floor'])]: inner() }),
    () => ({ [pick(random, ['$round', '$trunc'])]: [shape.numbers.includes('q') ? '$q' : 1, 0] }),
    () => ({ $ifNull: [maybeNumber(random, shape), 7] }),
    () => ({ $cond: [flag(random, shape, depth - 1), inner(), inner()] }),
    // biome-ignore lint/suspicious/noThenProperty: the operator's name for it.
    () => ({ $cond: { if: flag(random, shape, depth - 1), then: inner(), else: inner() } }),
    // biome-ignore lint/suspicious/noThenProperty: the operator's name for it.
    () => ({ $switch: { branches: [{ case: flag(random, shape, depth - 1), then: inner() }], default: inner() } }),
    () => ({ $strLenCP: text(random, shape, depth - 1) }),
    () => ({ $size: list(random, shape) }),
    () => ({ $cmp: [inner(), inner()] }),
    () => ({ $pow: [{ $abs: inner() }, 2] }),
    () => ({ $toInt: { $floor: inner() } }),
    () => ({ $sum: [inner(), inner()] }),
    () => ({ $max: [inner(), inner()] }),
    () => ({ $reduce: { input: list(random, shape), initialValue: 0, in: { $add: ['$$value', '$$this'] } } }),
    () => ({ $let: { vars: { one: inner() }, in: { $add: ['$$one', '$$one'] } } }),
    () => (shape.dates.length === 0 ? leaf() : { [pick(random, DATE_PARTS)]: `$${pick(random, shape.dates)}` }),
  ])();
}

const DATE_PARTS = [
  '$year',
  '$month',
  '$dayOfMonth',
  '$hour',
  '$minute',
  '$second',
  '$millisecond',
  '$dayOfWeek',
  '$dayOfYear',
];

/** A number, null or missing. */
function maybeNumber(random: Random, shape: Shape): unknown {
  const path = shape.doubtful.length === 0 ? '$none' : `$${pick(random, shape.doubtful)}`;
  return pick<unknown>(random, [path, { $add: [path, 1] }, { $abs: path }, { $multiply: [path, 2] }]);
}

function text(random: Random, shape: Shape, depth: number): unknown {
  const leaf = (): unknown => pick<unknown>(random, [...shape.texts.map((path) => `$${path}`), 'k']);
  if (depth === 0) return leaf();
  const inner = (): unknown => text(random, shape, depth - 1);
  return pick<() => unknown>(random, [
    leaf,
    () => ({ $concat: [inner(), '-', inner()] }),
    () => ({ [pick(random, ['$toLower', '$toUpper'])]: inner() }),
    () => ({ $substrCP: [inner(), upTo(random, 2), upTo(random, 3)] }),
    () => ({ $trim: { input: inner() } }),
    () => ({ $ltrim: { input: inner(), chars: 'ab' } }),
    () => ({ $toString: number(random, shape, depth - 1) }),
    () => ({ $arrayElemAt: [{ $split: [{ $concat: [inner(), ' '] }, ' '] }, 0] }),
    () => ({ $replaceOne: { input: inner(), find: 'a', replacement: 'A$&' } }),
    () => ({ $cond: [flag(random, shape, depth - 1), inner(), inner()] }),
    () => ({ $type: pick<unknown>(random, [number(random, shape, 0), ...shape.mixed.map((path) => `$${path}`)]) }),
    () =>
      shape.dates.length === 0
        ? leaf()
        : { $dateToString: { date: `$${pick(random, shape.dates)}`, format: '%Y/%m/%d %H' } },
  ])();
}

function flag(random: Random, shape: Shape, depth: number): unknown {
  const leaf = (): unknown => pick<unknown>(random, [...shape.flags.map((path) => `$${path}`), true]);
  if (depth === 0) return leaf();
  const inner = (): unknown => flag(random, shape, depth - 1);
  const comparison = pick(random, ['$eq', '$ne', '$gt', '$gte', '$lt', '$lte']);
  return pick<() => unknown>(random, [
    leaf,
    () => ({ [comparison]: [number(random, shape, depth - 1), number(random, shape, depth - 1)] }),
    () => ({ [comparison]: [text(random, shape, depth - 1), text(random, shape, depth - 1)] }),
    () => ({ $eq: [maybeNumber(random, shape), null] }),
    () => ({ [pick(random, ['$and', '$or'])]: [inner(), inner(), number(random, shape, 0)] }),
    () => ({ $not: [inner()] }),
    () => ({ $in: [number(random, shape, 0), list(random, shape)] }),
    () => ({ $isArray: [list(random, shape)] }),
    () => ({ $anyElementTrue: [{ $map: { input: list(random, shape), in: { $gt: ['$$this', 1] } } }] }),
  ])();
}

/** An array of numbers. */
function list(random: Random, shape: Shape): unknown {
  const leaf = pick<unknown>(random, [...shape.numberLists.map((path) => `$${path}`), { $literal: [1, 2] }]);
  return pick<() => unknown>(random, [
    () => leaf,
    () => ({ $filter: { input: leaf, as: 'each', cond: { $gte: ['$$each', 2] } } }),
    () => ({ $map: { input: leaf, as: 'each', in: { $multiply: ['$$each', number(random, shape, 0)] } } }),
    () => ({ $concatArrays: [leaf, [number(random, shape, 0)]] }),
    () => ({ $slice: [leaf, pick(random, [1, 2, -1])] }),
    () => ({ $reverseArray: leaf }),
    () => ({ $range: [0, upTo(random, 4)] }),
    () => ({ $setUnion: [leaf, [1, 5]] }),
    () => (shape.itemLists.length === 0 ? leaf : `$${pick(random, shape.itemLists)}.v`),
  ])();
}
