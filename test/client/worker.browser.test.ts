/** Goal: the client works on a real worker and IndexedDB, and leaves the page free. Method: a real browser. */
import { afterEach, expect, test } from 'vitest';
import { defineCollection, openStore, type Store } from '../../src/index.ts';

type Task = { id: string; title: string; rank: number; status: string; dueAt: Date };
const tasks = defineCollection<Task>({ indexes: ['status', 'rank'] });
const opened: Store[] = [];
let lastName = 0;

const worker = (): Worker => new Worker(new URL('../../worker/main.ts', import.meta.url), { type: 'module' });
async function open(name: string = `client-${performance.timeOrigin}-${++lastName}`) {
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

/** How often the page could do something else meanwhile, and the longest it could not. Only the first is a promise on
 * a machine that does other things too; the performance suite measures the second. */
async function watched(run: () => Promise<unknown>): Promise<{ readonly turns: number; readonly gapMs: number }> {
  const { port1, port2 } = new MessageChannel();
  let last = performance.now();
  let turns = 0;
  let gapMs = 0;
  port1.onmessage = () => {
    const now = performance.now();
    gapMs = Math.max(gapMs, now - last);
    last = now;
    turns++;
    port2.postMessage(0);
  };
  port2.postMessage(0);
  await run();
  port1.close();
  return { turns, gapMs };
}

test('documents survive a close and a new worker', async () => {
  const name = `reopened-${performance.timeOrigin}`;
  const first = await open(name);
  expect(first.status).toEqual({ state: 'open', reasons: [], durability: 'relaxed' });
  const created = await first.tasks.create({ title: 'One', rank: 1, status: 'open', dueAt: new Date(5) });
  await first.tasks.createMany(someTasks(3_000));
  await first.close();

  const second = await open(name);
  expect(await second.tasks.get(created.id)).toEqual(created);
  expect(await second.tasks.count({ status: 'open' })).toBe(1_001);
  const rows = await second.tasks.find({ rank: { $gte: 2_000 } }, { sort: { rank: 1 } });
  expect(rows).toEqual(someTasks(3_000).slice(2_000));
  expect((await second.verify()).sound).toBe(true);
});

test('[CALL-5] errors of the engine arrive whole', async () => {
  const store = await open();
  await store.tasks.createMany(someTasks(3));
  await expect(store.tasks.createMany(someTasks(2))).rejects.toMatchObject({
    code: 'collection/duplicate-key',
    details: { collection: 'tasks' },
  });
  await expect(store.tasks.get({} as never)).rejects.toMatchObject({
    code: 'collection/invalid-key',
    details: { collection: 'tasks' },
  });
  await expect(openStore({ name: 'x', collections: { tasks: { indexes: [''] } }, worker })).rejects.toMatchObject({
    code: 'index/invalid-definition',
  });
});

test('a worker whose script is missing is lost', async () => {
  const missing = (): Worker => new Worker('/no-such-worker.js');
  await expect(openStore({ name: 'x', collections: { tasks }, worker: missing })).rejects.toMatchObject({
    code: 'engine/lost',
  });
});

test('[T6] a worker that cannot import its own file is lost', async () => {
  // Beside the sources there is no worker.js, as in an application that has copied only the first file.
  const start = (): Worker => new Worker(new URL('../../worker/start.ts', import.meta.url), { type: 'module' });
  await expect(openStore({ name: 'x', collections: { tasks }, worker: start })).rejects.toMatchObject({
    code: 'engine/lost',
  });
});

test('[BULK-3] 100k documents in and out leave the page free', async () => {
  const store = await open();
  const rows = someTasks(100_000);
  const into = await watched(() => store.tasks.createMany(rows));
  let found: readonly Task[] = [];
  const out = await watched(async () => {
    found = await store.tasks.find({}, { sort: { rank: 1 } });
  });
  console.info(`longest gap ${into.gapMs.toFixed(1)} ms in, ${out.gapMs.toFixed(1)} ms out`);
  expect(found).toHaveLength(100_000);
  expect(found[99_999]).toEqual(rows[99_999]);
  expect(into.turns).toBeGreaterThan(25);
  expect(out.turns).toBeGreaterThan(50);
});

test('a get costs about a message each way', async () => {
  const store = await open();
  await store.tasks.createMany(someTasks(1_000));
  const median = async (run: (at: number) => Promise<unknown>): Promise<number> => {
    const times: number[] = [];
    for (let round = 0; round < 20; round++) {
      const start = performance.now();
      for (let at = 0; at < 50; at++) await run(round * 50 + at);
      times.push(((performance.now() - start) / 50) * 1_000);
    }
    return times.toSorted((a, b) => a - b)[10]!;
  };
  const get = await median((at) => store.tasks.get(`task-${String(at).padStart(7, '0')}`));
  const create = await median((at) => store.tasks.create({ title: 'x', rank: at, status: 'open', dueAt: new Date() }));
  const start = performance.now();
  await Promise.all(someTasks(1_000).map((task) => store.tasks.create({ ...task, id: `p-${task.id}` })));
  console.info(
    `get ${get.toFixed(0)} us, create ${create.toFixed(0)} us, 1,000 parallel ${(performance.now() - start).toFixed(1)} ms`,
  );
  expect(get).toBeLessThan(5_000);
});
