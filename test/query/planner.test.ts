/**
 * Goal: the planner takes the way that costs least, says which and why, and refuses what is too much. Method: a collection
 * whose values are spread in known ways, and what explain() tells of questions to it.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { codeOf, drain, type Verbs, verbsOf } from '../engine/engine-verbs.ts';

const ROWS = 6_000;

let engine: Engine;
let items: Verbs;

beforeAll(async () => {
  engine = await openOnImage(createMemoryImage(), [
    collection('items', [
      index('status'),
      index('owner'),
      index(['status', 'rank']),
      index('tags', { multi: true }),
      index('rare', { sparse: true }),
      index('rank', { name: 'open rank', where: { status: 's0' } }),
      index('code', { unique: true }),
    ]),
  ]);
  items = verbsOf(engine);
  const rows = Array.from({ length: ROWS }, (_, id): Row => {
    const rare = id % 1_000 === 0 ? { rare: id } : {};
    return {
      id,
      status: `s${id % 4}`,
      owner: `u${(id * 7) % 300}`,
      rank: (id * 31) % 977,
      tags: [`t${id % 10}`, `v${id % 50}`],
      code: `c${id}`,
      note: id % 3,
      ...rare,
    };
  });
  await items.create(...rows);
});

describe('choice', () => {
  test('of two indexes, the one with fewer entries', async () => {
    const plan = await items.explain({ status: 's1', owner: 'u7' });
    expect(plan).toMatchObject({ access: 'index', index: 'owner', entriesRead: 20, rowsRead: 20 });
    expect(plan.candidates.length).toBeGreaterThan(3);
    expect(plan.candidates[0]!.plan).toBe(plan.plan);
  });

  test('a range that has few rows, and not one that has many', async () => {
    expect(await items.explain({ code: { $gte: 'c5990', $lt: 'c5999' } })).toMatchObject({ index: 'code' });
    expect(await items.explain({ code: { $gte: 'c' } })).toMatchObject({ access: 'scan' });
  });

  test('the order of an index under a limit, and a sort in memory of few rows', async () => {
    const sort = [['rank', 1]] as const;
    expect(await items.explain({ status: 's2' }, { sort, limit: 20 })).toMatchObject({
      index: 'status+rank',
      sortedByIndex: true,
      rowsRead: 20,
      rowsGiven: 20,
    });
    expect(await items.explain({ status: 's2', owner: 'u2' }, { sort, limit: 20 })).toMatchObject({
      sortedByIndex: false,
      rowsRead: 20,
    });
  });

  test('several values of one path, merged in the order of the next', async () => {
    const selector = { status: { $in: ['s1', 's3'] } };
    for (const direction of [1, -1] as const) {
      const sort = [['rank', direction]] as const;
      const plan = await items.explain(selector, { sort, skip: 5, limit: 20 });
      expect(plan).toMatchObject({ index: 'status+rank', sortedByIndex: true, rowsRead: 20 });
      expect(plan.plan).toContain('2 merged ranges');
      const bounded = { ...selector, rank: { $gt: 10, $lt: 900 } };
      const found = await items.find(bounded, { sort, skip: 5, limit: 20 });
      const all = await items.find({ $nor: [{ status: 's0' }, { status: 's2' }], rank: bounded.rank }, { sort });
      expect(found).toEqual(all.slice(5, 25));
    }
    expect(await items.explain(selector, { limit: 3 })).toMatchObject({ access: 'scan', rowsRead: 6 });
    expect(await items.explain({ owner: { $in: ['u7', 'u8', 'u9'] } }, { limit: 3 })).toMatchObject({ rowsRead: 3 });
  });

  test('without a sort rows come by key, through an index too', async () => {
    expect(await items.explain({ owner: 'u7' }, { limit: 5 })).toMatchObject({ index: 'owner', rowsRead: 5 });
    const found = await items.find({ owner: { $in: ['u7', 'u14'] } });
    expect(found.map(({ id }) => id)).toEqual(found.map(({ id }) => id).toSorted((a, b) => Number(a) - Number(b)));
  });

  test('keys, when the key is asked for', async () => {
    expect(await items.explain({ id: { $in: [5, 9, 'x'] }, status: 's1' })).toMatchObject({
      access: 'key',
      rowsRead: 2,
    });
    expect(await items.explain({ id: { $gt: 5_990 } })).toMatchObject({ access: 'key', rowsRead: 9 });
  });

  test('one way for each branch of $or', async () => {
    const plan = await items.explain({ $or: [{ owner: 'u7' }, { rare: { $gt: 3_000 } }, { id: 11 }] });
    expect(plan).toMatchObject({ access: 'union', indexes: ['owner', 'rare'], rowsRead: 23, rowsGiven: 23 });
    expect((await items.explain({ $or: [{ owner: 'u7' }, { note: 1 }] })).access).toBe('scan');
  });

  test('two indexes at once, when few rows are in both', async () => {
    const plan = await items.explain({ tags: { $all: ['t3', 'v13'] }, note: 1 });
    expect(plan.rowsGiven).toBe(40);
    expect(plan.rowsRead).toBe(120);
    const both = await items.explain({ status: 's1', tags: 't3', note: 1 });
    expect(both.rowsGiven).toBe(100);
    expect(both.rowsRead).toBeLessThanOrEqual(300);
    expect(both.access).toBe('intersection');
  });

  test('a partial index where the question implies its condition', async () => {
    expect((await items.explain({ status: 's0', rank: { $lt: 3 } })).entriesRead).toBeLessThan(20);
    expect((await items.explain({ status: { $in: ['s0'] }, rank: 7 })).access).toBe('index');
    expect((await items.explain({ status: { $in: ['s0', 's1'] } }, { sort: [['rank', 1]], limit: 5 })).index).not.toBe(
      'open rank',
    );
  });

  test('a pattern with a fixed beginning reads a range', async () => {
    const plan = await items.explain({ code: /^c599\d$/ });
    expect(plan).toMatchObject({ index: 'code', rowsGiven: 10 });
    expect(plan.entriesRead).toBeLessThan(20);
  });
});

describe('advice', () => {
  test('which index would help', async () => {
    expect((await items.explain({ note: 1 })).hint).toContain("'note'");
    expect((await items.explain({ note: 1, code: { $gt: 'c' } }, { sort: [['rank', 1]] })).hint).toContain(
      "['note', 'rank']",
    );
    expect((await items.explain({ owner: 'u7' })).hint).toBeUndefined();
    expect((await items.explain({})).hint).toBeUndefined();
  });

  test('what it cost', async () => {
    const plan = await items.explain({ note: 1 }, { sort: [['rank', -1]], limit: 3 });
    expect(plan).toMatchObject({ rowsRead: ROWS, rowsGiven: 3, sortedByIndex: false, pagesRead: 0 });
    expect(plan.plan).toBe('all rows in the order of keys, filter by one condition, sort in memory');
    expect(plan.timeMs).toBeGreaterThan(0);
  });
});

describe('bound on rows read without an index', () => {
  test('too many are refused, with advice', async () => {
    expect(await codeOf(items.find({ note: 1 }, { scanRowsMax: 5_000 }))).toBe('query/too-many-rows');
    await expect(items.find({ note: 1 }, { scanRowsMax: 5_000 })).rejects.toMatchObject({
      details: { rows: ROWS, limit: 5_000 },
      hint: expect.stringContaining("'note'"),
    });
    expect(await codeOf(items.find({ note: 1 }, { scanRowsMax: ROWS }))).toBe('ok');
    expect(await codeOf(items.find({ owner: 'u7', note: 1 }, { scanRowsMax: 10 }))).toBe('ok');
    expect(await codeOf(items.find({}, { scanRowsMax: 10, limit: 10 }))).toBe('ok');
    expect(await codeOf(items.find({}, { scanRowsMax: 10, limit: 11 }))).toBe('query/too-many-rows');
  });

  test('the store has one for all questions, which a question may raise', async () => {
    const bounded = await openOnImage(createMemoryImage(), [collection('items')], { scanRowsMax: 2 });
    const few = verbsOf(bounded);
    await few.create({ id: 1 }, { id: 2 }, { id: 3 });
    expect(await codeOf(few.find({ n: 1 }))).toBe('query/too-many-rows');
    expect(await codeOf(few.count({ n: 1 }))).toBe('query/too-many-rows');
    expect(await codeOf(few.page({}, 5))).toBe('query/too-many-rows');
    expect(await few.count()).toBe(3);
    expect(await codeOf(few.find({ n: 1 }, { scanRowsMax: 3 }))).toBe('ok');
    expect(await codeOf(few.explain({ n: 1 }))).toBe('ok');
  });

  test('what is joined without an index is bounded alike, live as well', async () => {
    const indexes = [index('ref')];
    const collections = [collection('items'), collection('plain'), collection('indexed', indexes)];
    const bounded = await openOnImage(createMemoryImage(), collections, { scanRowsMax: 5 });
    const rows = Array.from({ length: 6 }, (_, id) => ({ id, ref: id }));
    await verbsOf(bounded).create({ id: 1 }, { id: 2 });
    for (const name of ['plain', 'indexed']) await verbsOf(bounded, name).create(...rows);
    const find = (from: string, more: Partial<FindSpec> = {}): FindSpec => {
      const include = { of: { from, on: ['id', 'ref'] } };
      return { selector: {}, sort: [], limit: undefined, skip: 0, include, ...more };
    };
    const asked = (spec: FindSpec): Promise<string> => codeOf(drain(bounded.find('items', spec), 10));
    const lookedUp = (from: string): Promise<string> => {
      const stage = { $lookup: { from, localField: 'id', foreignField: 'ref', as: 'of' } };
      return codeOf(drain(bounded.aggregate('items', [stage]), 10));
    };
    const watched = (spec: FindSpec): Promise<string> =>
      new Promise((resolve) => {
        const listener = {
          onChange: () => resolve('ok'),
          onError: (error: unknown) => resolve((error as StoreError).code),
        };
        bounded.live({ collection: 'items', find: spec, kind: 'rows' }, listener);
      });
    for (const ask of [asked, watched]) {
      expect(await ask(find('plain'))).toBe('query/too-many-rows');
      expect(await ask(find('plain', { scanRowsMax: 6 }))).toBe('ok');
      expect(await ask(find('indexed'))).toBe('ok');
    }
    expect([await lookedUp('plain'), await lookedUp('indexed')]).toEqual(['query/too-many-rows', 'ok']);
    // Six of six by their index: reading all is cheaper, and nothing that an index would help.
    const all = {
      selector: {},
      sort: [],
      limit: undefined,
      skip: 0,
      include: { of: { from: 'indexed', on: ['refs', 'ref'] } },
    };
    await verbsOf(bounded).put({ id: 3, refs: [0, 1, 2, 3, 4, 5] });
    expect(await asked(all as FindSpec)).toBe('ok');
    await bounded.close();
  });
});

describe('covered questions', () => {
  test('keys alone are read from the index', async () => {
    const project = { id: 1 };
    const plan = await items.explain({ owner: 'u7' }, { project });
    expect(plan).toMatchObject({ index: 'owner', entriesRead: 20, rowsRead: 0, rowsGiven: 20 });
    const whole = await items.find({ owner: 'u7' });
    expect(await items.find({ owner: 'u7' }, { project })).toEqual(whole.map(({ id }) => ({ id })));
    expect(await items.explain({ owner: 'u7', note: 1 }, { project })).toMatchObject({ rowsRead: 20 });
    expect(await items.explain({ owner: 'u7' }, { project, sort: [['rank', 1]] })).toMatchObject({ rowsRead: 20 });
    const page = await items.page({ owner: 'u7' }, 15, { project, sort: [['id', -1]] });
    const next = await items.page({ owner: 'u7' }, 15, { project, sort: [['id', -1]], after: page.next });
    expect([...page.rows, ...next.rows]).toEqual(whole.map(({ id }) => ({ id })).toReversed());
  });
});

describe('counts', () => {
  test('are read off the trees where an index answers everything', async () => {
    expect(await items.count({ status: 's1' })).toBe(ROWS / 4);
    expect(await items.count({ rank: { $gte: 0 } })).toBe(ROWS);
    expect(await items.count({ tags: { $in: ['t1', 'v1'] } })).toBe(600);
    expect(await items.count({ $or: [{ owner: 'u7' }, { rare: { $exists: true } }] })).toBe(26);
  });
});
