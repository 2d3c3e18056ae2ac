/**
 * Goal: whole questions have the answers that MongoDB gives, whatever the indexes. Method: engines with random rows of
 * three kinds, one without indexes and one with a random set of them, are asked random questions (selector, sort, skip,
 * limit, projection); both must answer as the oracles do, in the same order. mingo judges, sorts and projects where it is
 * not known to differ (worker/query/SELECTORS.md), the plain oracle everywhere.
 *
 * CASES=20000 runs as many questions; without it a smaller number.
 */
import { Query } from 'mingo';
import { describe, expect, test } from 'vitest';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import type { FindSpec, SortOrder } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import type { Plan } from '../../worker/query/index.ts';
import { collection, createMemoryImage, openOnImage } from '../engine/engine-fixture.ts';
import { drain, verbsOf } from '../engine/engine-verbs.ts';
import { mayDeviate } from '../oracle/mingo-deviations.ts';
import { isPlain } from '../oracle/plain-order.ts';
import { projected } from '../oracle/plain-projection.ts';
import { inOrder, matches, seenAt } from '../oracle/plain-selector.ts';
import { type DocumentKind, KINDS, RandomQuery } from './random-query.ts';

const CASES = Number(process.env['CASES'] ?? 2_400);
const QUESTIONS_PER_STORE = 40;
const SEEDS = [9_100, 9_200] as const;

type Tally = {
  questions: number;
  rows: number;
  byMingo: number;
  sortedByMingo: number;
  projectedByMingo: number;
  ways: Record<string, number>;
};

for (const kind of KINDS) {
  describe(`${kind} rows`, () => {
    for (const seed of SEEDS) {
      const questions = Math.ceil(CASES / KINDS.length / SEEDS.length);
      test(`[QRY-2] seed ${seed}: ${questions} questions agree with the oracles`, { timeout: 900_000 }, async () => {
        const random = new RandomQuery(seed + KINDS.indexOf(kind));
        const tally: Tally = { questions: 0, rows: 0, byMingo: 0, sortedByMingo: 0, projectedByMingo: 0, ways: {} };
        while (tally.questions < questions) await askStore(random, kind, seed, tally);
        expect(Object.keys(tally.ways)).toEqual(expect.arrayContaining(['rows', 'entries', 'keys']));
        if (kind === 'flat') expect(tally.ways['merge']).toBeGreaterThan(3);
        expect(tally.byMingo / tally.rows).toBeGreaterThan(0.5);
        expect(tally.sortedByMingo / tally.questions).toBeGreaterThan(kind === 'flat' ? 0.8 : 0.1);
        expect(tally.projectedByMingo / tally.questions).toBeGreaterThan(kind === 'flat' ? 0.4 : 0.1);
      });
    }
  });
}

async function askStore(random: RandomQuery, kind: DocumentKind, seed: number, tally: Tally): Promise<void> {
  const rows = random.rows(kind, random.pick([0, 5, 30, 60]));
  const indexes = random.indexes(kind);
  const engines = await Promise.all(
    [[], indexes].map((each) => openOnImage(createMemoryImage(), [collection('items', each)])),
  );
  for (const engine of engines) if (rows.length > 0) await verbsOf(engine).create(...rows);
  for (let at = 0; at < QUESTIONS_PER_STORE; at += 1) {
    const { selector, sort } = random.question(kind, rows);
    const find: FindSpec = {
      selector,
      sort,
      skip: random.pick([0, 0, 1, 4]),
      limit: random.pick([undefined, undefined, 0, 1, 5, 20]),
      project: random.projection(kind),
    };
    tally.questions += 1;
    const text = `seed ${seed}, question ${tally.questions}: ${show({ ...find, indexes: indexes.map(({ name }) => name), rows })}`;
    const expected = answerOf(rows, find, tally);
    for (const engine of engines) {
      const chunk = random.pick([1, 7, 1_000]);
      const answer = await drain(engine.find('items', find), chunk);
      if (!deepEqual(answer, expected))
        expect.fail(`${text}\nanswers ${show(answer)}\nnot ${show(expected)}\nby ${show(await planOf(engine, find))}`);
      await askAllWays(engine, find, expected, chunk, tally, text);
      const count = await engine.count('items', selector);
      const matching = rows.filter((row) => matches(row, selector)).length;
      if (count !== matching) expect.fail(`${text}\ncounts ${count}, not ${matching}`);
    }
  }
  await Promise.all(engines.map((engine) => engine.close()));
}

/** Every way that was priced, not the cheapest only. */
async function askAllWays(
  engine: Engine,
  find: FindSpec,
  expected: readonly Row[],
  chunk: number,
  tally: Tally,
  text: string,
): Promise<void> {
  for (let at = 0, ways = 1; at < ways; at += 1) {
    let way: Plan | undefined;
    const choose = (plans: readonly Plan[]): Plan => {
      ways = plans.length;
      way = plans[at]!;
      return way;
    };
    const asked = { ...find, choose };
    const answer = await drain(engine.find('items', asked), chunk);
    tally.ways[way!.source.type] = (tally.ways[way!.source.type] ?? 0) + 1;
    if (!deepEqual(answer, expected))
      expect.fail(`${text}\nanswers ${show(answer)}\nnot ${show(expected)}\nby way ${at}: ${show(way!.source)}`);
  }
}

const planOf = async (engine: Engine, find: FindSpec): Promise<string> => (await engine.explain('items', find)).plan;

/** Judged, sorted and projected by mingo as far as it is known to be right, and by the plain oracle. */
function answerOf(rows: readonly Row[], find: FindSpec, tally: Tally): readonly Row[] {
  const { selector, sort, skip, limit } = find;
  const project = find.project as Readonly<Record<string, 0 | 1>> | undefined;
  const mingo = new Query(selector as never, { idKey: 'id' });
  const found = rows.filter((row) => {
    tally.rows += 1;
    if (mayDeviate(row, selector)) return matches(row, selector);
    tally.byMingo += 1;
    return mingo.test(row as never);
  });
  const plain = inOrder(found, sort);
  const isSortable = canSort(found, sort);
  const sorted = isSortable ? sortByMingo(found, sort) : plain;
  if (isSortable) tally.sortedByMingo += 1;
  const page = sorted.slice(skip, limit === undefined ? undefined : skip + limit);
  if (project === undefined || !canProject(page, project)) return page.map((row) => projected(row, project));
  tally.projectedByMingo += 1;
  return projectByMingo(page, project);
}

/** Key order that mingo understands: numbers before strings, as the last path. */
function sortByMingo(rows: readonly Row[], sort: SortOrder): readonly Row[] {
  const last = sort.at(-1)?.[1] ?? 1;
  const paths = sort.some(([path]) => path === 'id') ? sort : [...sort, ['id', last] as const];
  return new Query({}, { idKey: 'id' })
    .find([...rows] as never)
    .sort(Object.fromEntries(paths))
    .all() as readonly Row[];
}

/** mingo sorts by the lowest of several values in both directions, and objects and binary in its own way. */
function canSort(rows: readonly Row[], sort: SortOrder): boolean {
  const paths = sort.map(([path]) => path);
  // A repeated path is one path to mingo.
  if (new Set(paths).size < paths.length) return false;
  return rows.every((row) =>
    paths.every((path) => {
      const seen = seenAt(row, path.split('.'));
      return seen.length === 1 && seen.every(isScalar) && !throughArray(row, path.split('.'));
    }),
  );
}

const isScalar = (value: unknown): boolean =>
  !Array.isArray(value) && !isPlain(value) && !ArrayBuffer.isView(value) && !Number.isNaN(value);

/** Of binary, mingo reads bytes by number. */
function throughArray(row: Row, segments: readonly string[]): boolean {
  let value: unknown = row;
  for (const segment of segments) {
    if (Array.isArray(value) || ArrayBuffer.isView(value)) return true;
    value = isPlain(value) ? value[segment] : undefined;
  }
  return false;
}

/** mingo makes empty objects of scalars on the way of an included path, and keeps nothing apart in lists of lists. */
function canProject(rows: readonly Row[], project: Readonly<Record<string, 0 | 1>>): boolean {
  return rows.every((row) =>
    Object.keys(project).every((path) => {
      let value: unknown = row;
      const segments = path.split('.');
      for (const segment of segments.slice(0, -1)) {
        if (!isPlain(value)) return false;
        value = value[segment];
        if (value === undefined) return true;
      }
      return isPlain(value);
    }),
  );
}

function projectByMingo(rows: readonly Row[], project: Readonly<Record<string, 0 | 1>>): readonly Row[] {
  // It writes into nested objects of its input when it excludes.
  const copies = structuredClone(rows);
  return new Query({}, { idKey: 'id' }).find([...copies] as never, project).all() as readonly Row[];
}

const show = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    each instanceof RegExp ? String(each) : typeof each === 'number' && !Number.isFinite(each) ? String(each) : each,
  ).slice(0, 6_000);
