/**
 * Goal: what a page asks reaches the engine and comes back right: patterns, projections, pages, bounds, and refusals with
 * their places. Method: a store whose engine, on memory storage, runs behind real ports in this thread.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defineCollection, openStore, type Store } from '../../src/index.ts';
import { openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryStorage } from '../../worker/storage/index.ts';
import { createMemoryImage, nodePlatform } from '../engine/engine-fixture.ts';
import { createThreadWorker } from '../fakes/thread-worker.ts';
import { facts, refusal, someTasks } from './client-fixture.ts';

type Task = { id: string; title: string; rank: number; inner?: { a: number; b?: string } };
const collections = { tasks: defineCollection<Task>({ indexes: ['rank'] }) };

let store: Store<typeof collections>;

beforeEach(async () => {
  const open = createThreadWorker((options) =>
    openEngineOn(createMemoryStorage(createMemoryImage()), options, nodePlatform),
  );
  store = await openStore({
    name: 'test',
    collections,
    storage: ['memory'],
    scanRowsMax: 1_000,
    worker: () => open as unknown as Worker,
  });
  await store.tasks.createMany(someTasks(500).map((task) => ({ ...task, inner: { a: task.rank % 7, b: 'x' } })));
});

afterEach(() => store.close());

test('patterns travel, and are matched', async () => {
  expect(await store.tasks.count({ title: /^title 1\d$/i })).toBe(10);
  expect(await store.tasks.count({ title: { $in: [/7$/, 'Title 1'] } })).toBe(51);
  expect(
    await store.tasks
      .find({ title: /(\d)\1\1/ })
      .first()
      .then(
        () => 'ok',
        ({ code }) => code,
      ),
  ).toBe('query/unsupported-pattern');
});

test('projections are made before rows travel', async () => {
  const [row] = await store.tasks.find({ rank: 8 }, { project: { title: 1, 'inner.a': 1 } });
  expect(row).toEqual({ id: 'task-0000008', title: 'Title 8', inner: { a: 1 } });
  expect(await store.tasks.findOne({ rank: 8 }, { project: { inner: 0, id: 0 } })).toEqual({
    title: 'Title 8',
    rank: 8,
  });
});

test('[QRY-3] pages are walked by their cursors', async () => {
  const ranks: number[] = [];
  let after: string | undefined;
  do {
    const page = await store.tasks.find({ 'inner.a': 3 }, { sort: { rank: -1 }, after }).page(20);
    ranks.push(...page.rows.map(({ rank }) => rank));
    after = page.next;
  } while (after !== undefined);
  const expected = Array.from({ length: 500 }, (_, rank) => rank).filter((rank) => rank % 7 === 3);
  expect(ranks).toEqual(expected.toReversed());
  const last = await store.tasks.find({}, { sort: { rank: 1 } }).page(1_000);
  expect(last.rows).toHaveLength(500);
  const second = await store.tasks.find({}, { sort: { rank: 1 }, after: last.rows[249], limit: 3 });
  expect(second.map(({ rank }) => rank)).toEqual([250, 251, 252]);
  expect(await store.tasks.find({}, { sort: { rank: 1 }, after: last.rows[249] }).count()).toBe(250);
});

test('wrong options are refused with their place', async () => {
  const codeOf = async (query: PromiseLike<unknown>): Promise<unknown> => facts(await refusal(query));
  expect(await codeOf(store.tasks.find({}).page(0))).toMatchObject({ code: 'query/invalid-option', option: 'size' });
  expect(await codeOf(store.tasks.find({}).page(1_001))).toMatchObject({ code: 'query/invalid-option' });
  expect(await codeOf(store.tasks.find({}, { after: 'x' }))).toMatchObject({
    code: 'query/invalid-cursor',
    path: 'after',
  });
  expect(await codeOf(store.tasks.find({}, { scanRowsMax: -1 }))).toMatchObject({ option: 'scanRowsMax' });
  expect(await codeOf(store.tasks.find({ $or: [{ rank: 1 }, { title: { $foo: 1 } as never }] }))).toMatchObject({
    code: 'query/unknown-operator',
    path: '$or.1.title',
  });
  expect(await codeOf(store.tasks.find({}, { project: { rank: 1, title: 0 } }))).toMatchObject({
    code: 'query/invalid-projection',
    path: 'title',
  });
});

test("the bound on rows read without an index is the store's, unless a query has its own", async () => {
  await store.tasks.createMany(someTasks(600, 500));
  expect(await refusal(store.tasks.find({ title: 'Title 3' }))).toMatchObject({ code: 'query/too-many-rows' });
  expect(await store.tasks.find({ title: 'Title 3' }, { scanRowsMax: 5_000 })).toHaveLength(1);
  expect(await store.tasks.find({ rank: 3 })).toHaveLength(1);
  expect((await store.tasks.find({ title: 'Title 3' }).explain()).hint).toContain("'title'");
});
