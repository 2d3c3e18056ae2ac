/** Goal: live queries as an application has them. Method: a store on a memory engine in this thread, over real ports. */
import { firstValueFrom, type Observable, Subscription } from 'rxjs';
import { afterEach, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { CollectionContext } from '../../src/client/collection-context.ts';
import { type LiveRows, liveQuery } from '../../src/client/live-query.ts';
import { type Delta, defineCollection } from '../../src/index.ts';
import type { Call, LiveReply } from '../../src/protocol/messages.ts';
import { openTestStore, someTasks } from './client-fixture.ts';

type Task = { id: string; title: string; rank: number };
const tasks = defineCollection<Task>({ indexes: ['rank'] });
let opened = new Subscription();

afterEach(() => {
  opened.unsubscribe();
  opened = new Subscription();
});

/** Notes everything that an Observable says. */
function watch<T>(source: Observable<T>) {
  const seen = { values: [] as T[], error: undefined as unknown, isComplete: false, stop: (): void => undefined };
  const subscription = source.subscribe({
    next: (value) => void seen.values.push(value),
    error: (error) => {
      seen.error = error;
    },
    complete: () => {
      seen.isComplete = true;
    },
  });
  opened.add(subscription);
  seen.stop = () => subscription.unsubscribe();
  return seen;
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !condition(); turn += 1) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(condition()).toBe(true);
}

/** As the documentation of Delta says. */
function applyDelta<T>(old: readonly T[], { added, removed, moved, changed }: Delta<T>): readonly T[] {
  const gone = new Set([...removed, ...moved].map(({ from }) => from));
  const next = old.filter((_, place) => !gone.has(place));
  for (const { row, at } of [...added, ...moved].sort((a, b) => a.at - b.at)) next.splice(at, 0, row);
  for (const { row, at } of changed) next[at] = row;
  return next;
}

test('[LIVE-1] rows come at once, and again after each commit that changes them', async () => {
  const { store } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(5));
  const seen = watch(store.tasks.find({ rank: { $gte: 2 } }, { sort: { rank: -1 } }).$);
  await until(() => seen.values.length === 1);
  expect(seen.values[0]).toEqual(someTasks(3, 2).toReversed());
  await store.tasks.update('task-0000003', { title: 'New' });
  await store.tasks.update('task-0000000', { title: 'Not in it' });
  await store.tasks.put({ id: 'x', title: 'X', rank: 10 });
  await until(() => seen.values.length === 3);
  const [first, second, third] = seen.values as [Task[], Task[], Task[]];
  expect(second.map(({ title }) => title)).toEqual(['Title 4', 'New', 'Title 2']);
  expect(third.map(({ id }) => id)).toEqual(['x', 'task-0000004', 'task-0000003', 'task-0000002']);
  expect([second === first, second[0] === first[0], second[1] === first[1], second[2] === first[2]]).toEqual([
    false,
    true,
    false,
    true,
  ]);
  expect(third.slice(1)).toEqual(second);
  expect(third.slice(1).every((row, at) => row === second[at])).toBe(true);
});

test('[LIVE-1] deltas applied to the old rows give the new ones', async () => {
  const { store } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(2_500));
  const query = store.tasks.find({}, { sort: { rank: 1 } });
  const rows = watch(query.$);
  const deltas = watch(query.delta$);
  await until(() => rows.values.length === 1);
  await store.tasks.update('task-0000003', { title: 'New' });
  await store.tasks.update('task-0000004', { rank: 2_000.5 });
  await store.tasks.update('task-0002100', { rank: -1 });
  await store.tasks.delete('task-0001000');
  await store.tasks.put({ id: 'x', title: 'X', rank: 10.5 });
  await store.tasks.updateMany({ rank: { $lt: 50 } }, { $inc: { rank: 300.2 } });
  await until(() => rows.values.length === 7);
  let built: readonly Task[] = [];
  deltas.values.forEach((delta, step) => {
    built = applyDelta(built, delta);
    expect(built).toEqual(rows.values[step]);
  });
  expect(deltas.values).toHaveLength(7);
  const kinds = deltas.values.map(({ added, removed, moved, changed }) => [added, removed, moved, changed]);
  expect(kinds.slice(0, 6).map((lists) => lists.map((list) => list.length))).toEqual([
    [2_500, 0, 0, 0],
    [0, 0, 0, 1],
    [0, 0, 1, 0],
    [0, 0, 1, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
  ]);
  expect(deltas.values[1]!.changed[0]).toMatchObject({ before: { title: 'Title 3' }, row: { title: 'New' }, at: 3 });
  expect(deltas.values[2]!.moved[0]).toMatchObject({ before: { rank: 4 }, row: { rank: 2_000.5 }, from: 4, at: 2_000 });

  // Who comes late begins with everything.
  const late = watch(query.delta$);
  await until(() => late.values.length === 1);
  expect(applyDelta([], late.values[0]!)).toEqual(built);
  await store.tasks.delete('x');
  await until(() => late.values.length === 2 && rows.values.length === 8);
  expect(applyDelta(built, late.values[1]!)).toEqual(rows.values[7]);
});

test('counts follow, within skip and limit', async () => {
  const { store } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(5));
  const all = watch(store.tasks.find({ rank: { $gt: 0 } }).count$);
  const some = watch(store.tasks.find({}, { skip: 2, limit: 4 }).count$);
  await until(() => all.values.length === 1 && some.values.length === 1);
  await store.tasks.createMany(someTasks(5, 10));
  await store.tasks.update('task-0000000', { title: 'Counts no more than before' });
  await store.tasks.delete('task-0000001');
  await until(() => all.values.length === 3);
  expect(all.values).toEqual([4, 9, 8]);
  expect(some.values).toEqual([3, 4]);
});

test('[LIVE-6] [LIVE-7] subscribers of a query share it, and the last one ends it', async () => {
  const { store, engine } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(3));
  const query = store.tasks.find({ rank: { $lt: 5 } });
  expect(engine.liveQueries).toBe(0);
  const first = watch(query.$);
  await until(() => first.values.length === 1);
  const second = watch(query.$);
  const equal = watch(store.tasks.find({ rank: { $lt: 5 } }).$);
  await until(() => equal.values.length === 1);
  // The very same array: they see one subscription.
  expect(second.values[0]).toBe(first.values[0]);
  expect(engine.liveQueries).toBe(1);
  first.stop();
  second.stop();
  await store.tasks.delete('task-0000001');
  await until(() => equal.values.length === 2);
  expect(first.values).toHaveLength(1);
  equal.stop();
  await until(() => engine.liveQueries === 0);
  expect(engine.listeners).toBe(0);
  // Cold: it begins anew.
  expect(await firstValueFrom(query.$)).toHaveLength(2);
});

test('[LIVE-9] a page that is busy gets the newest rows', async () => {
  const { store } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(10));
  const seen = watch(store.tasks.find({}, { sort: { rank: 1 } }).$);
  await until(() => seen.values.length === 1);
  // All in one message: the engine commits one after the other before the page can take anything.
  await Promise.all(Array.from({ length: 500 }, (_, n) => store.tasks.update('task-0000005', { title: `Now ${n}` })));
  await until(() => seen.values.at(-1)![5]!.title === 'Now 499');
  expect(seen.values.length).toBeLessThan(10);
});

test('[LIVE-9] a large result comes in parts, and others come in between', async () => {
  const { store } = await openTestStore({ tasks });
  await store.tasks.createMany(someTasks(20_000));
  const large = watch(store.tasks.find({}, { sort: { rank: 1 } }).$);
  const small = watch(store.tasks.find({ rank: { $lt: 3 } }).$);
  await until(() => small.values.length === 1);
  expect(large.values).toHaveLength(0);
  await store.tasks.update('task-0000001', { title: 'Meanwhile' });
  await until(() => large.values.at(-1)?.[1]?.title === 'Meanwhile');
  expect(large.values.at(-1)).toEqual(await store.tasks.find({}, { sort: { rank: 1 } }));
});

test('[LIVE-10] errors arrive as errors, and closing completes', async () => {
  const { store } = await openTestStore({ tasks });
  const wrong = watch(store.tasks.find({ rank: { $near: 5 } as never }).$);
  const option = watch(store.tasks.find({}, { limt: 5 } as never).count$);
  const sound = watch(store.tasks.find().$);
  const controller = new AbortController();
  const aborted = watch(store.tasks.find({}, { signal: controller.signal }).$);
  await until(() => sound.values.length === 1 && wrong.error !== undefined && option.error !== undefined);
  expect(wrong.error).toMatchObject({ code: 'query/unknown-operator', details: { collection: 'tasks' } });
  expect(option.error).toMatchObject({ code: 'query/unknown-option' });
  controller.abort();
  await until(() => aborted.error !== undefined);
  expect(aborted.error).toMatchObject({ code: 'call/aborted' });
  await store.close();
  expect(sound.isComplete).toBe(true);
  expect(sound.error).toBeUndefined();
});

test('[LIVE-13] includes arrive, and again when what is included changes; rows that do not show it stay the same objects', async () => {
  const ranks = defineCollection<{ id: number; name: string }>()({ key: 'id' });
  const { store } = await openTestStore({ tasks, ranks });
  await store.ranks.createMany([
    { id: 0, name: 'none' },
    { id: 1, name: 'first' },
  ]);
  await store.tasks.createMany(someTasks(3));
  const query = store.tasks.find(
    {},
    { include: { as: { from: 'ranks', on: ['rank', 'id'], one: true } }, project: { title: 1 }, sort: { rank: 1 } },
  );
  const seen = watch(query.$);
  const deltas = watch(query.delta$);
  await until(() => seen.values.length === 1);
  expect(seen.values[0]!.map((row) => row.as?.name)).toEqual(['none', 'first', undefined]);
  await store.ranks.update(1, { name: 'best' });
  await store.ranks.create({ id: 2, name: 'second' });
  await until(() => seen.values.length === 3);
  const [first, second, third] = seen.values as [
    (typeof seen.values)[0],
    (typeof seen.values)[0],
    (typeof seen.values)[0],
  ];
  expect(third).toEqual([
    { id: 'task-0000000', title: 'Title 0', as: { id: 0, name: 'none' } },
    { id: 'task-0000001', title: 'Title 1', as: { id: 1, name: 'best' } },
    { id: 'task-0000002', title: 'Title 2', as: { id: 2, name: 'second' } },
  ]);
  expect([second[0] === first[0], second[1] === first[1], second[2] === first[2]]).toEqual([true, false, true]);
  expect(deltas.values.map(({ changed }) => changed.map(({ at }) => at))).toEqual([[], [1], [2]]);
});

test('[TAB-1] rows of a step that is not told to its end are forgotten with the next leader', () => {
  const pending: { promise: Promise<never>; onLive?: unknown } = { promise: new Promise(() => {}) };
  const link = { open: () => pending, cancel: () => undefined };
  const context = { link } as unknown as CollectionContext;
  const seen = watch(liveQuery<LiveRows>(context, {}, () => ['live', 1, 'tasks', {}, 'rows'] as unknown as Call));
  const onLive = pending.onLive as (step: LiveReply, rows: readonly Row[]) => void;
  onLive([1, [0], [0, 0, 0, 1]], [{ id: 'a' }]);
  onLive([1, [0, 1]], [{ id: 'cut' }, { id: 'off' }]);
  onLive([1, []], []);
  onLive([1, [0], [1, 0, 0, 1]], [{ id: 'b' }]);
  expect(seen.values.map(({ rows }) => rows)).toEqual([[{ id: 'a' }], [{ id: 'a' }, { id: 'b' }]]);
});
