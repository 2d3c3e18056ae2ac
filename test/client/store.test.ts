/** Goal: a store opens, tells its state, and ends, whatever its worker does. Method: workers of this thread that fail. */
import { afterEach, describe, expect, test } from 'vitest';
import { defineCollection, openStore, StoreError, type StoreStatus } from '../../src/index.ts';
import type { EngineControl } from '../../src/protocol/control.ts';
import { MemoryEngine } from '../fakes/memory-engine.ts';
import { createThreadWorker, ThreadWorker } from '../fakes/thread-worker.ts';
import { facts, openTestStore, refusal, someTasks } from './client-fixture.ts';

const tasks = defineCollection({});
const base = { name: 'test', collections: { tasks }, storage: ['memory'] } as const;

const workers: ThreadWorker[] = [];
afterEach(() => {
  for (const worker of workers.splice(0)) worker.terminate();
});
const workerOf =
  (control: EngineControl): (() => Worker) =>
  () => {
    const worker = new ThreadWorker(control);
    workers.push(worker);
    return worker as unknown as Worker;
  };
const memoryWorker = (
  open = async (options: ConstructorParameters<typeof MemoryEngine>[0]) => new MemoryEngine(options),
) => {
  const worker = createThreadWorker(open);
  workers.push(worker);
  return worker;
};
const never = (): Promise<never> => new Promise(() => {});

describe('opening', () => {
  test('a store has its collections, by name and as members', async () => {
    const { store } = await openTestStore({ tasks, 'other-things': defineCollection({}) });
    expect(store.collection('tasks')).toBe(store.tasks);
    expect(store.collection('other-things')).toBe(store['other-things']);
    expect(store.status).toEqual({ state: 'open', reasons: [], durability: 'none' });
    expect(facts(await refusal(Promise.resolve().then(() => store.collection('none' as 'tasks'))))).toEqual({
      code: 'collection/unknown',
      store: 'test',
      collection: 'none',
    });
    expect((await store.health()).collections.map(({ collection }) => collection)).toEqual(['tasks', 'other-things']);
    expect(await store.verify()).toMatchObject({ sound: true });
    expect(await store.compact()).toEqual({ pagesFreed: 0, bytesFreed: 0 });
  });

  test('[STATE-1] less than was asked for is degraded, with reasons', async () => {
    const worker = memoryWorker();
    const store = await openStore({
      ...base,
      storage: ['indexeddb', 'memory'],
      worker: () => worker as unknown as Worker,
    });
    expect(store.status).toEqual({
      state: 'degraded',
      reasons: ['storage/unavailable: indexeddb cannot be used.', 'storage/less-durable: writes are none.'],
      durability: 'none',
    });
    await store.close();
  });

  test('a refusal of the engine arrives whole, and leaves no worker', async () => {
    const worker = memoryWorker(() =>
      Promise.reject(new StoreError('store/newer-version', 'Newer.', { details: { version: 9 }, hint: 'Update.' })),
    );
    const error = await refusal(openStore({ ...base, worker: () => worker as unknown as Worker }));
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: 'store/newer-version', details: { version: 9 }, hint: 'Update.' });
    expect(worker.isTerminated).toBe(true);
  });

  test('a bug of the engine is an error with a code', async () => {
    const worker = memoryWorker(() => Promise.reject(new TypeError('x is not a function')));
    const error = await refusal(openStore({ ...base, worker: () => worker as unknown as Worker }));
    expect(error).toMatchObject({ code: 'engine/bug', message: expect.stringContaining('x is not a function') });
  });

  test('[T6] a worker that answers nothing is a timeout', async () => {
    const worker = workerOf({ open: never, close: never, destroy: never });
    expect(facts(await refusal(openStore({ ...base, timeoutMs: 30, worker })))).toEqual({
      code: 'call/timeout',
      store: 'test',
      call: 'openStore',
      timeoutMs: 30,
    });
    expect(workers[0]?.isTerminated).toBe(true);
  });

  test('[T6] a worker whose script fails is lost', async () => {
    const opening = openStore({ ...base, worker: workerOf({ open: never, close: never, destroy: never }) });
    workers[0]?.fail('404');
    expect((await refusal(opening)).code).toBe('engine/lost');
  });
});

describe('[T6] a store whose worker is gone', () => {
  const calls = (store: Awaited<ReturnType<typeof openTestStore<{ tasks: typeof tasks }>>>['store']) => ({
    create: store.tasks.create({}),
    createMany: store.tasks.createMany(someTasks(1_000)),
    put: store.tasks.put({ id: 'a' }),
    get: store.tasks.get('a'),
    getMany: store.tasks.getMany(['a']),
    update: store.tasks.update('a', { b: 1 }),
    updateMany: store.tasks.updateMany({}, { b: 1 }),
    delete: store.tasks.delete('a'),
    deleteMany: store.tasks.deleteMany({}),
    find: store.tasks.find(),
    first: store.tasks.find().first(),
    stream: store.tasks.find().stream().next(),
    count: store.tasks.count(),
    distinct: store.tasks.distinct('a'),
    explain: store.tasks.find().explain(),
    createIndex: store.tasks.createIndex('a'),
    dropIndex: store.tasks.dropIndex('a'),
    indexes: store.tasks.indexes(),
    health: store.health(),
    verify: store.verify(),
    compact: store.compact(),
  });
  const codes = async (promises: Record<string, PromiseLike<unknown>>): Promise<unknown> =>
    Object.fromEntries(
      await Promise.all(Object.entries(promises).map(async ([name, call]) => [name, (await refusal(call)).code])),
    );
  const allAre = (promises: Record<string, unknown>, code: string): unknown =>
    Object.fromEntries(Object.keys(promises).map((name) => [name, code]));

  test('[T6] rejects every call under way and every later one, and says so', async () => {
    const { store, engine, worker } = await openTestStore({ tasks });
    const states: StoreStatus[] = [];
    store.status$.subscribe((status) => states.push(status));
    engine.hold();
    const ends: string[] = [];
    store.tasks.changes$.subscribe({ error: ({ code }) => ends.push(code) });
    const before = calls(store);
    const failed = codes(before);
    worker.fail('Out of memory');
    expect(await failed).toEqual(allAre(before, 'engine/lost'));
    const after = calls(store);
    expect(await codes(after)).toEqual(allAre(after, 'engine/lost'));
    expect(ends).toEqual(['engine/lost']);
    expect(states.map(({ state }) => state)).toEqual(['open', 'poisoned']);
    expect(states[1]?.reasons[0]).toContain('Out of memory');
    expect(worker.isTerminated).toBe(true);
    await store.close();
    expect(store.status.state).toBe('closed');
  });

  test('[STATE-1] a poisoned engine is told by the state', async () => {
    const { store, engine } = await openTestStore({ tasks });
    engine.get = () => {
      throw new StoreError('engine/poisoned', 'A write has an unknown outcome.');
    };
    expect((await refusal(store.tasks.get('a'))).code).toBe('engine/poisoned');
    expect(store.status).toMatchObject({
      state: 'poisoned',
      reasons: ['engine/poisoned: A write has an unknown outcome.'],
    });
  });

  test('an exception of the engine is an error of its call, and the next call works', async () => {
    const { store, engine } = await openTestStore({ tasks });
    engine.count = () => {
      throw new RangeError('boom');
    };
    engine.indexes = () => [{ bad: () => {} }] as never;
    const [count, indexes, get] = await Promise.allSettled([
      store.tasks.count(),
      store.tasks.indexes(),
      store.tasks.get('a'),
    ]);
    expect(count).toMatchObject({ reason: { code: 'engine/bug', message: 'RangeError: boom' } });
    expect(indexes).toMatchObject({ reason: { code: 'engine/bug' } });
    expect(get).toEqual({ status: 'fulfilled', value: undefined });
  });

  test('after close every call is refused', async () => {
    const { store } = await openTestStore({ tasks });
    await store.close();
    const after = calls(store);
    expect(await codes(after)).toEqual(allAre(after, 'store/closed'));
  });
});

describe('closing', () => {
  test('close waits for what is under way, ends the worker, and may be repeated', async () => {
    const { store, engine, worker } = await openTestStore({ tasks });
    const states: string[] = [];
    store.status$.subscribe({ next: ({ state }) => states.push(state), complete: () => states.push('complete') });
    engine.hold();
    const write = store.tasks.create({ id: 'a' });
    const bulk = store.tasks.createMany(someTasks(2_000));
    const closing = store.close();
    expect((await refusal(store.tasks.get('a'))).code).toBe('store/closed');
    engine.release();
    expect(await write).toEqual({ id: 'a' });
    expect(await bulk).toHaveLength(2_000);
    await closing;
    await store.close();
    expect(worker.isTerminated).toBe(true);
    expect(states).toEqual(['open', 'closed', 'complete']);
  });

  test('close does not wait for an application that has left a stream half-read', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(10_000));
    const stream = store.tasks.find().stream();
    await stream.next();
    const start = performance.now();
    await store.close();
    expect(performance.now() - start).toBeLessThan(5_000);
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject({ code: 'store/closed' });
  });

  test('a lost store can be closed, but not destroyed', async () => {
    const { store, worker } = await openTestStore({ tasks });
    worker.fail('gone');
    expect((await refusal(store.destroy())).code).toBe('engine/lost');
    const other = await openTestStore({ tasks });
    other.worker.fail('gone');
    await other.store.close();
  });

  test('destroy tells the engine', async () => {
    const { store, engine } = await openTestStore({ tasks });
    await store.destroy();
    expect(engine.isDestroyed).toBe(true);
    expect(store.status.state).toBe('closed');
  });
});
