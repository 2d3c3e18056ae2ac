/**
 * Goal: an application that defines a newer version finds its documents in it, whatever it calls first, and hears what goes
 * on. Method: stores on a real engine in this thread, over one memory image, opened under one version after the other.
 */
import { afterEach, expect, test } from 'vitest';
import { type AnyRow, defineCollection, type Migration, openStore, type Store } from '../../src/index.ts';
import { openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryImage, createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { nodePlatform } from '../engine/engine-fixture.ts';
import { createThreadWorker } from '../fakes/thread-worker.ts';
import { refusal } from './client-fixture.ts';

type Task = { id: string; title: string; rank: number; words?: number };

const opened: Store[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close().catch(() => {});
});

const other = defineCollection<{ id: string }>({});
const first = defineCollection<Task>({});
const pause = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function open(image: MemoryImage, tasks: typeof first) {
  const store = await openStore({
    name: 'test',
    collections: { tasks, other },
    storage: ['memory'],
    worker: () =>
      createThreadWorker((options) =>
        openEngineOn(createMemoryStorage(image), options, nodePlatform),
      ) as unknown as Worker,
  });
  opened.push(store as unknown as Store);
  return store;
}

const someTasks = (count: number): Task[] =>
  Array.from({ length: count }, (_, rank) => ({ id: `t${String(rank).padStart(5, '0')}`, title: `a b ${rank}`, rank }));

async function imageOf(rows: readonly Task[]): Promise<MemoryImage> {
  const image = createMemoryImage();
  const store = await open(image, first);
  await store.tasks.createMany(rows);
  await store.other.create({ id: 'o' });
  await store.close();
  return image;
}

const withWords = (row: AnyRow): object => ({ ...row, words: String(row['title']).split(' ').length });
const second = defineCollection<Task>({ version: 2, indexes: ['words'], migrations: { 2: withWords } });
/** The same, held until `go`. */
function held(): { readonly definition: typeof first; readonly go: () => void } {
  let go!: () => void;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  const migrations = { 2: async (row: AnyRow) => gate.then(() => withWords(row)) };
  return { definition: defineCollection<Task>({ version: 2, migrations }), go };
}

/** States of one collection as they were told, each once. */
function watch(store: { readonly migrations$: Store['migrations$'] }): { readonly states: string[]; last: Migration } {
  const watched = { states: [] as string[], last: undefined as unknown as Migration };
  store.migrations$.subscribe(([migration]) => {
    if (migration === undefined) return;
    if (watched.states.at(-1) !== migration.state) watched.states.push(migration.state);
    watched.last = migration;
  });
  return watched;
}

test('[MIG-2] the first call migrates, with progress, and answers from the new documents', async () => {
  const rows = someTasks(2_500);
  const store = await open(await imageOf(rows), second);
  const watched = watch(store);
  await pause(20);
  expect(watched.last).toEqual({ collection: 'tasks', from: 1, to: 2, done: 0, total: 2_500, state: 'waiting' });
  expect(watched.states).toEqual(['waiting']);
  expect(await store.tasks.get('t00007')).toEqual({ ...rows[7], words: 3 });
  expect(watched.states).toEqual(['waiting', 'running', 'done']);
  expect(watched.last).toMatchObject({ done: 2_500, total: 2_500 });
  expect(await store.tasks.count({ words: 3 })).toBe(2_500);
});

test('[MIG-2] calls of all kinds wait, in their order, while other collections answer', async () => {
  const { definition, go } = held();
  const store = await open(await imageOf(someTasks(10)), definition);
  const heard: string[] = [];
  store.tasks.subscribe(({ type, key }) => heard.push(`${type} ${key}`));
  const calls = [
    store.tasks.put({ id: 'new', title: 'x', rank: -1 }).then(() => 'put'),
    store.tasks.createMany(someTasks(3_000).slice(10)).then((keys) => keys.length),
    store.tasks.update('new', { rank: 5 }).then((row) => row?.rank),
    store.tasks.delete('t00000'),
    store.tasks
      .createIndex('rank')
      .then(() => store.tasks.indexes())
      .then((all) => all.length),
    store.tasks.migrate().then(() => 'migrated'),
  ];
  let settled = 0;
  for (const call of calls) void call.then(() => settled++);
  expect(await store.other.get('o')).toEqual({ id: 'o' });
  await store.other.create({ id: 'p' });
  await pause(20);
  expect(settled).toBe(0);
  go();
  expect(await Promise.all(calls)).toEqual(['put', 2_990, 5, true, 1, 'migrated']);
  expect(await store.tasks.find({ rank: 5 }, { sort: { id: 1 } }).then((all) => all.map(({ id }) => id))).toEqual([
    'new',
    't00005',
  ]);
  expect(await store.tasks.count()).toBe(3_000);
  // What a migration changes is no change to anybody: nobody saw the documents before.
  expect(heard.slice(0, 1)).toEqual(['create new']);
  expect(heard).toHaveLength(1 + 2_990 + 2);
  expect(await store.tasks.get('t00001')).toMatchObject({ words: 3 });
});

test('[MIG-2] joins wait for the collections that they reach into', async () => {
  const { definition, go } = held();
  const store = await open(await imageOf(someTasks(3)), definition);
  await store.other.create({ id: 't00001' });
  const lookup = { from: 'tasks', localField: 'id', foreignField: 'id', as: 'tasks' };
  const joined = store.other.aggregate([{ $match: { id: 't00001' } }, { $lookup: lookup }]);
  const included = store.other.find({ id: 't00001' }, { include: { tasks: { from: 'tasks', on: ['id', 'id'] } } });
  const rows = Promise.all([joined, included, joined.count(), included.count(), store.other.count()]);
  const explained = Promise.all([joined.explain(), included.explain()]);
  const live = new Promise((resolve, reject) => included.$.subscribe({ next: resolve, error: reject }));
  await pause(20);
  go();
  const whole = [{ id: 't00001', tasks: [{ ...someTasks(3)[1], words: 3 }] }];
  expect(await rows).toEqual([whole, whole, 1, 1, 2]);
  expect((await explained).map(({ rowsGiven }) => rowsGiven)).toEqual([1, 1]);
  expect(await live).toEqual(whole);
});

test('[MIG-2] [T6] a waiting call ends by its deadline or its signal, and the error says what it waited for', async () => {
  const { definition, go } = held();
  const store = await open(await imageOf(someTasks(10)), definition);
  const late = await refusal(store.tasks.get('t00001', { timeoutMs: 30 }));
  expect(late.code).toBe('call/timeout');
  expect(late.message).toContain('it waited for the migration of tasks');
  const stop = new AbortController();
  const stopped = [
    refusal(store.tasks.create({ id: 'never', title: '', rank: 0 }, { signal: stop.signal })),
    refusal(store.tasks.getMany(['t00001'], { signal: stop.signal })),
  ];
  await pause(20);
  stop.abort();
  for (const error of await Promise.all(stopped)) {
    expect(error.code).toBe('call/aborted');
    expect(error.message).toContain('migration of tasks');
  }
  go();
  expect(await store.tasks.count()).toBe(10);
});

test('[MIG-4] what a function throws reaches every call, and migrations$', async () => {
  const image = await imageOf(someTasks(10));
  const broken = defineCollection<Task>({
    version: 3,
    migrations: {
      2: withWords,
      3: (row) => {
        if (row['rank'] === 4) throw new RangeError('four');
        return row;
      },
    },
  });
  const store = await open(image, broken);
  const watched = watch(store);
  for (const call of [store.tasks.count(), store.tasks.put({ id: 'x', title: '', rank: 0 }), store.tasks.migrate()]) {
    const error = await refusal(call);
    expect(error.code).toBe('collection/migration-failed');
    expect(error.details).toMatchObject({ collection: 'tasks', key: 't00004', version: 3, reason: 'RangeError: four' });
  }
  expect(watched.states).toEqual(['waiting', 'running', 'failed']);
  expect(watched.last.error?.code).toBe('collection/migration-failed');
  expect(await store.other.get('o')).toEqual({ id: 'o' });
  await store.close();
  const mended = await open(image, second);
  expect(await mended.tasks.count({ words: 3 })).toBe(10);
});

test.each([
  ['nothing', () => undefined, 'not an object'],
  ['a function in a field', (row: AnyRow) => ({ ...row, run: () => 1 }), "at 'run'"],
  ['what is no function', 'no function' as never, 'not a function'],
  ['another key', (row: AnyRow) => ({ ...row, id: 'same' }), 'must not change the key'],
])('[MIG-4] %s as a result is refused', async (_name, step, text) => {
  const migrations = { 2: (row: AnyRow) => (row['rank'] === 4 ? (step(row) as object) : row) };
  const store = await open(await imageOf(someTasks(10)), defineCollection<Task>({ version: 2, migrations }));
  const error = await refusal(store.tasks.count());
  expect(error.code).toBe('collection/migration-failed');
  expect(error.message).toContain(text);
  expect(error.details['key']).toBe('t00004');
});

test('[MIG-4] [VALID-1] a Standard Schema has the last word on migrated documents', async () => {
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => {
        const { rank, ...row } = value as Task;
        if (rank === 99) return { issues: [{ message: 'too high', path: ['rank'] }] };
        return { value: { ...row, rank: rank * 2 } as Task };
      },
    },
  };
  const image = await imageOf(someTasks(10));
  const raised = defineCollection<Task>({
    version: 2,
    schema,
    migrations: { 2: (row) => (row['rank'] === 3 ? { ...row, rank: 99 } : row) },
  });
  const refused = await open(image, raised);
  const error = await refusal(refused.tasks.count());
  expect(error.message).toContain('too high');
  expect(error.details['key']).toBe('t00003');
  await refused.close();
  const store = await open(image, defineCollection<Task>({ version: 2, schema, migrations: { 2: withWords } }));
  expect((await store.tasks.find({}, { sort: { id: 1 } })).map(({ rank }) => rank)).toEqual(
    someTasks(10).map(({ rank }) => rank * 2),
  );
});

test('[MIG-1] closing stops it at once, refuses what waits, and the next opening goes on', async () => {
  const rows = someTasks(2_000);
  const image = await imageOf(rows);
  let calls = 0;
  let reached!: () => void;
  const middle = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const migrations = {
    2: async (row: AnyRow) => {
      calls += 1;
      if (calls < 1_500) return withWords(row);
      reached();
      return new Promise<object>(() => {});
    },
  };
  const store = await open(image, defineCollection<Task>({ version: 2, migrations }));
  const watched = watch(store);
  const waiting = [refusal(store.tasks.count()), refusal(store.tasks.put({ id: 'x', title: '', rank: 0 }))];
  await middle;
  // The batch before is stored meanwhile.
  await pause(50);
  const start = performance.now();
  await store.close();
  expect(performance.now() - start).toBeLessThan(5_000);
  expect((await Promise.all(waiting)).map(({ code }) => code)).toEqual(['store/closed', 'store/closed']);
  expect(watched.last).toMatchObject({ state: 'running', done: 1_000 });
  const again = await open(image, second);
  const resumed = watch(again);
  await pause(20);
  expect(resumed.last).toMatchObject({ from: 1, to: 2, done: 1_000, total: 2_000 });
  expect(await again.tasks.find({}, { sort: { id: 1 } })).toEqual(rows.map((row) => ({ ...row, words: 3 })));
});

test('[MIG-2] the page is free while slow functions run', async () => {
  const slow = (row: AnyRow): object => {
    for (const end = performance.now() + 0.2; performance.now() < end; );
    return row;
  };
  const store = await open(
    await imageOf(someTasks(1_000)),
    defineCollection<Task>({ version: 2, migrations: { 2: slow } }),
  );
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => {
    turns++;
    port2.postMessage(0);
  };
  port2.postMessage(0);
  await store.tasks.migrate();
  port1.close();
  expect(turns).toBeGreaterThan(10);
});

test('[INPUT-1] [MIG-4] wrong migrations are refused by name, and nothing is opened', async () => {
  const image = await imageOf(someTasks(3));
  const wrong: readonly (readonly [unknown, string, unknown?])[] = [
    [{ 3: withWords }, 'migrations.3 is not a version from 2 to 2'],
    [{ 1: withWords }, 'migrations.1 is not a version'],
    [{ two: withWords }, 'migrations.two is not a version'],
  ];
  for (const [migrations, text] of wrong) {
    const error = await refusal(open(image, { version: 2, migrations } as never));
    expect(error.code).toBe('collection/invalid-definition');
    expect(error.message).toContain(text);
  }
  const missing = await refusal(open(image, defineCollection<Task>({ version: 2 })));
  expect(missing.code).toBe('collection/missing-migration');
  expect(missing.details).toEqual({ collection: 'tasks', stored: 1, defined: 2, missing: 2 });
  await (await open(image, second)).tasks.migrate();
  for (const store of opened.splice(0)) await store.close();
  const old = await refusal(open(image, first));
  expect([old.code, old.hint]).toEqual(['store/newer-version', expect.stringContaining('Reload the page')]);
});
