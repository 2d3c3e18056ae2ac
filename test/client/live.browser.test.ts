/** Goal: live queries work over a real worker and IndexedDB. Method: a real browser, and a rerun after each round. */
import { firstValueFrom, type Observable } from 'rxjs';
import { afterEach, expect, test } from 'vitest';
import { defineCollection, openStore, type Store } from '../../src/index.ts';

type Task = { id: string; title: string; rank: number; status: string; dueAt: Date };
const tasks = defineCollection<Task>({ indexes: ['status', 'rank'] });
const opened: Store[] = [];
let lastName = 0;

const worker = (): Worker => new Worker(new URL('../../worker/main.ts', import.meta.url), { type: 'module' });
async function open() {
  const name = `live-${performance.timeOrigin}-${++lastName}`;
  const store = await openStore({ name, collections: { tasks }, worker });
  opened.push(store as unknown as Store);
  return store;
}
const someTasks = (count: number): Task[] =>
  Array.from({ length: count }, (_, rank) => ({
    id: `task-${String(rank).padStart(7, '0')}`,
    title: `Title of task ${rank}`,
    rank,
    status: rank % 3 === 0 ? 'open' : 'done',
    dueAt: new Date(rank * 1_000),
  }));

afterEach(async () => {
  for (const store of opened.splice(0)) await store.destroy().catch(() => {});
});

/** Keeps the last value; `stop` ends it. */
function follow<T>(source: Observable<T>): { last: T | undefined; emissions: number; stop: () => void } {
  const seen = { last: undefined as T | undefined, emissions: 0, stop: (): void => undefined };
  const subscription = source.subscribe((value) => {
    seen.last = value;
    seen.emissions += 1;
  });
  seen.stop = () => subscription.unsubscribe();
  return seen;
}

test('[LIVE-1] rows and counts follow writes of every durability', async () => {
  const store = await open();
  await store.tasks.createMany(someTasks(5_000));
  const query = store.tasks.find({ status: 'open' }, { sort: { rank: -1 }, limit: 20 });
  const rows = follow(query.$);
  const count = follow(store.tasks.find({ status: 'open' }).count$);
  for (const [round, durability] of (['relaxed', 'deferred', 'strict', 'deferred'] as const).entries()) {
    const changes = Array.from({ length: 40 }, (_, at) => {
      const key = `task-${String(4_999 - at * (round + 1)).padStart(7, '0')}`;
      if (at % 4 === 0) return store.tasks.delete(key, { durability });
      return store.tasks.update(
        key,
        { rank: 5_000 - round * 100 - at, status: at % 2 ? 'open' : 'done' },
        { durability },
      );
    });
    await Promise.all(changes);
    const expected = await query;
    const matching = await store.tasks.count({ status: 'open' });
    await expect.poll(() => rows.last).toEqual(expected);
    await expect.poll(() => count.last).toBe(matching);
  }
  const { emissions } = rows;
  rows.stop();
  await store.tasks.updateMany({ status: 'open' }, { $inc: { rank: 1 } });
  await expect.poll(() => count.last).toBe(await store.tasks.count({ status: 'open' }));
  expect(rows.emissions).toBe(emissions);
  count.stop();
});

test('[LIVE-9] a result of 50,000 rows arrives, follows, and keeps the rows that have not changed', async () => {
  const store = await open();
  await store.tasks.createMany(someTasks(50_000));
  const rows = follow(store.tasks.find({}, { sort: { rank: 1 } }).$);
  await expect.poll(() => rows.last?.length, { timeout: 20_000 }).toBe(50_000);
  const before = rows.last!;
  await store.tasks.update('task-0025000', { title: 'New' });
  await expect.poll(() => rows.last![25_000]!.title).toBe('New');
  expect(rows.last!.filter((row, at) => row !== before[at])).toHaveLength(1);
  rows.stop();
});

test('closing completes', async () => {
  const store = await open();
  await store.tasks.createMany(someTasks(3));
  const done = firstValueFrom(store.tasks.find().$).then((first) => first.length);
  expect(await done).toBe(3);
  let isComplete = false;
  store.tasks.find().$.subscribe({
    complete: () => {
      isComplete = true;
    },
  });
  await store.close();
  expect(isComplete).toBe(true);
});
