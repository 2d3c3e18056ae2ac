/** Goal: every call of a collection does what the API says. Method: a store on a memory engine behind real ports. */
import { firstValueFrom, take, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { defineCollection } from '../../src/index.ts';
import { facts, openTestStore, refusal, someTasks } from './client-fixture.ts';

type Task = {
  id: string;
  title: string;
  rank?: number;
  done?: boolean;
  tags?: string[];
  at?: Date;
  inner?: { a: number[] };
};
const tasks = defineCollection<Task>({});

describe('documents', () => {
  test('create answers the stored row with a new key, and get finds it', async () => {
    const { store } = await openTestStore({ tasks });
    const row = await store.tasks.create({ title: 'One' });
    expect(row.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(await store.tasks.get(row.id)).toEqual(row);
    expect(Object.keys(row)[0]).toBe('id');
  });

  test('new keys ascend', async () => {
    const { store } = await openTestStore({ tasks });
    const rows = await Promise.all(Array.from({ length: 50 }, () => store.tasks.create({ title: 'x' })));
    const keys = rows.map(({ id }) => id);
    expect(keys).toEqual(keys.toSorted());
    expect(new Set(keys).size).toBe(50);
  });

  test('values survive exactly, and what is undefined counts as absent', async () => {
    const { store } = await openTestStore({ rows: defineCollection({}) });
    const row = {
      id: 'r',
      date: new Date(5),
      bytes: new Uint8Array([1, 2]),
      nan: Number.NaN,
      zero: -0,
      nested: { list: [1, [2], { deep: null }] },
      gone: undefined,
    };
    const { gone, ...stored } = row;
    expect(gone).toBeUndefined();
    expect(await store.rows.create(row)).toStrictEqual(stored);
    expect(await store.rows.get('r')).toStrictEqual(stored);
  });

  test('[CALL-3] what the application changes after the call does not change the call', async () => {
    const { store } = await openTestStore({ tasks });
    const task = { id: 'a', title: 'before', tags: ['x'], inner: { a: [1] }, at: new Date(1) };
    const created = store.tasks.create(task);
    task.title = 'after';
    task.tags.push('y');
    task.inner.a[0] = 2;
    task.at.setTime(2);
    const expected = { id: 'a', title: 'before', tags: ['x'], inner: { a: [1] }, at: new Date(1) };
    expect(await created).toEqual(expected);
    expect(await store.tasks.get('a')).toEqual(expected);

    const changes = { inner: { a: [7] } };
    const updated = store.tasks.update('a', changes);
    changes.inner.a[0] = 8;
    expect((await updated)?.inner).toEqual({ a: [7] });
  });

  test('put replaces, delete tells whether there was one', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.put({ id: 'a', title: 'one', done: true });
    expect(await store.tasks.put({ id: 'a', title: 'two' })).toEqual({ id: 'a', title: 'two' });
    expect(await store.tasks.get('a')).toEqual({ id: 'a', title: 'two' });
    expect(await store.tasks.delete('a')).toBe(true);
    expect(await store.tasks.delete('a')).toBe(false);
    expect(await store.tasks.get('a')).toBeUndefined();
  });

  test('update answers the new row, or undefined', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.create({ id: 'a', title: 'one', rank: 1, done: true });
    expect(await store.tasks.update('a', { rank: 2, done: undefined })).toEqual({ id: 'a', title: 'one', rank: 2 });
    expect(await store.tasks.update('a', { $inc: { rank: 3 } })).toMatchObject({ rank: 5 });
    expect(await store.tasks.update('none', { rank: 2 })).toBeUndefined();
  });

  test('getMany keeps the order asked and the gaps, for few and for many', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(3_000));
    expect(await store.tasks.getMany(['none', 'task-0000002', 'task-0000001'])).toEqual([
      undefined,
      expect.objectContaining({ rank: 2 }),
      expect.objectContaining({ rank: 1 }),
    ]);
    const keys = Array.from({ length: 3_000 }, (_, at) =>
      at % 3 === 0 ? `no-${at}` : `task-${String(at).padStart(7, '0')}`,
    );
    const rows = await store.tasks.getMany(keys);
    expect(rows.map((row) => row?.id)).toEqual(keys.map((key, at) => (at % 3 === 0 ? undefined : key)));
    expect(await store.tasks.getMany([])).toEqual([]);
    expect(await store.tasks.getMany(Array.from({ length: 20 }, () => 'none'))).toEqual(Array(20).fill(undefined));
  });

  test('a key may be a number, under another field', async () => {
    const { store } = await openTestStore({
      cities: defineCollection<{ code: number; name: string }>()({ key: 'code' }),
    });
    await store.cities.create({ code: 7, name: 'Ulm' });
    expect(await store.cities.get(7)).toEqual({ code: 7, name: 'Ulm' });
  });
});

describe('many', () => {
  test('createMany answers keys and fills in those that are absent', async () => {
    const { store } = await openTestStore({ tasks });
    const keys = await store.tasks.createMany([{ title: 'a' }, { id: 'b', title: 'b' }, { id: undefined, title: 'c' }]);
    expect(keys[1]).toBe('b');
    expect(await store.tasks.getMany(keys)).toEqual([
      { id: keys[0], title: 'a' },
      { id: 'b', title: 'b' },
      { id: keys[2], title: 'c' },
    ]);
    expect(await store.tasks.createMany([])).toEqual([]);
  });

  test('updateMany and deleteMany count', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(10));
    expect(await store.tasks.updateMany({ rank: { $lt: 3 } }, { done: true })).toBe(3);
    expect(await store.tasks.count({ done: true })).toBe(3);
    expect(await store.tasks.deleteMany({ done: true })).toBe(3);
    expect(await store.tasks.count()).toBe(7);
  });

  test('[INPUT-1] a durability that is none is refused', async () => {
    const { store } = await openTestStore({ tasks });
    const options = { durability: 'eventual' } as never;
    const calls = [
      store.tasks.create({ title: 'a' }, options),
      store.tasks.createMany(someTasks(1_000), options),
      store.tasks.update('a', { rank: 1 }, options),
      store.tasks.delete('a', options),
    ];
    for (const error of await Promise.all(calls.map(refusal))) expect(error.code).toBe('call/invalid-option');
    expect(await store.tasks.count()).toBe(0);
  });

  test('a write tells which durability it was given', async () => {
    const { store } = await openTestStore({ tasks });
    const given: string[] = [];
    const onCommitted = ({ durability }: { durability: string }): void => void given.push(durability);
    await store.tasks.create({ title: 'a' }, { durability: 'strict', onCommitted });
    await store.tasks.createMany([{ title: 'b' }], { onCommitted });
    await store.tasks.delete('none', { onCommitted });
    expect(given).toEqual(['strict', 'relaxed']);
  });
});

describe('queries', () => {
  test('a query is awaited, counted, explained, and runs anew each time', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(20));
    const query = store.tasks.find({ rank: { $gte: 5 } }, { sort: { rank: -1 }, limit: 3, skip: 1 });
    expect((await query).map(({ rank }) => rank)).toEqual([18, 17, 16]);
    expect((await query.first())?.rank).toBe(18);
    expect(await query.count()).toBe(3);
    expect(await query.explain()).toMatchObject({ access: 'scan' });
    await store.tasks.delete('task-0000018');
    expect((await query)[0]?.rank).toBe(17);
    expect(await store.tasks.find({}, { limit: 0 }).first()).toBeUndefined();
    expect(await store.tasks.findOne({ rank: 4 })).toMatchObject({ rank: 4 });
    expect(await store.tasks.find({ rank: -1 })).toEqual([]);
    expect(await store.tasks.find(undefined, { sort: [['rank', 1]], limit: 1 })).toMatchObject([{ rank: 0 }]);
  });

  test('distinct counts elements one by one', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany([
      { title: 'a', tags: ['x', 'y'] },
      { title: 'a', tags: ['y', 'z'] },
    ]);
    expect(await store.tasks.distinct('tags')).toEqual(['x', 'y', 'z']);
    expect(await store.tasks.distinct('title', { tags: 'none' })).toEqual([]);
  });

  test('[BULK-3] a large result comes in chunks, complete and in order', async () => {
    const { store, engine } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(25_000));
    const rows = await store.tasks.find({}, { sort: { rank: 1 } });
    expect(rows.map(({ rank }) => rank)).toEqual(Array.from({ length: 25_000 }, (_, at) => at));
    expect(engine.openCursors).toBe(0);
  });

  test('[STREAM-1] a stream reads no further than two chunks ahead, and ends with its loop', async () => {
    const { store, engine } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(25_000));
    engine.rowsRead = 0;
    const ranks: unknown[] = [];
    for await (const { rank } of store.tasks.find({}, { sort: { rank: 1 } }).stream()) {
      ranks.push(rank);
      if (ranks.length === 1) await new Promise((resolve) => setTimeout(resolve, 20));
      if (ranks.length === 1) expect(engine.rowsRead).toBeLessThanOrEqual(128 + 1_000);
      if (ranks.length === 5_000) break;
    }
    expect(ranks).toEqual(Array.from({ length: 5_000 }, (_, at) => at));
    await store.tasks.count();
    expect(engine.openCursors).toBe(0);
    expect(engine.rowsRead).toBeLessThan(9_000);
    let count = 0;
    for await (const _ of store.tasks.find().stream()) count++;
    expect(count).toBe(25_000);
    for await (const _ of store.tasks.find({ rank: -1 }).stream()) count++;
    expect(count).toBe(25_000);
  });
});

describe('changes', () => {
  test('[CHANGE-1] a listener hears every change from its call on, in commit order', async () => {
    const { store, engine } = await openTestStore({ tasks });
    await store.tasks.create({ id: 'before', title: '' });
    const heard: unknown[] = [];
    const stop = store.tasks.subscribe((change) => heard.push(change));
    await store.tasks.create({ id: 'a', title: 'a' });
    await store.tasks.update('a', { title: 'b' });
    await store.tasks.delete('a');
    await store.tasks.count();
    expect(heard).toEqual([
      { type: 'create', key: 'a', row: { id: 'a', title: 'a' }, before: undefined, origin: 'local' },
      { type: 'update', key: 'a', row: { id: 'a', title: 'b' }, before: { id: 'a', title: 'a' }, origin: 'local' },
      { type: 'delete', key: 'a', row: undefined, before: { id: 'a', title: 'b' }, origin: 'local' },
    ]);
    stop();
    stop();
    await store.tasks.create({ title: 'after' });
    expect(heard).toHaveLength(3);
    expect(engine.listeners).toBe(0);
  });

  test('[CHANGE-1] changes$ gives many changes in order; a selector gives those that it matches before or after', async () => {
    const { store, engine } = await openTestStore({ tasks });
    const all = firstValueFrom(store.tasks.changes$.pipe(take(5_000), toArray()));
    const some: unknown[] = [];
    store.tasks.subscribe(({ key }) => some.push(key), { rank: { $lt: 2 } });
    await store.tasks.createMany(someTasks(5_000));
    expect((await all).map(({ row }) => row?.rank)).toEqual(Array.from({ length: 5_000 }, (_, at) => at));
    await store.tasks.update('task-0000001', { rank: 100 });
    await store.tasks.update('task-0000001', { rank: 101 });
    await store.tasks.count();
    expect(some).toEqual(['task-0000000', 'task-0000001', 'task-0000001']);
    expect(engine.listeners).toBe(1);
  });

  test('a wrong selector is told as an uncaught error, for there is no promise', async () => {
    const { store } = await openTestStore({ tasks });
    const uncaught: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', (error) => uncaught.push(error));
    store.tasks.subscribe(() => {}, { rank: { $near: 1 } } as never);
    await store.tasks.count();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const listener of others) process.on('uncaughtException', listener);
    expect(uncaught).toMatchObject([{ code: 'query/unknown-operator' }]);
  });

  test('changes$ completes when the store is closed', async () => {
    const { store } = await openTestStore({ tasks });
    const ends: string[] = [];
    store.tasks.changes$.subscribe({ complete: () => ends.push('complete'), error: () => ends.push('error') });
    await store.close();
    await new Promise((resolve) => setTimeout(resolve));
    expect(ends).toEqual(['complete']);
  });
});

describe('indexes', () => {
  test('an index is built with progress, listed and dropped', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(someTasks(10));
    const build = store.tasks.createIndex({ on: ['rank', 'title'], unique: true });
    const progress = firstValueFrom(build.progress$.pipe(toArray()));
    await build;
    expect((await progress).at(-1)).toEqual({ done: 10, total: 10 });
    expect(await store.tasks.indexes()).toMatchObject([
      { name: 'rank+title', on: ['rank', 'title'], unique: true, multi: false, state: 'ready' },
    ]);
    await store.tasks.dropIndex('rank+title');
    expect(await store.tasks.indexes()).toEqual([]);
    expect((await refusal(store.tasks.dropIndex('rank+title'))).code).toBe('index/unknown');
  });

  test('a build can be aborted', async () => {
    const { store, engine } = await openTestStore({ tasks });
    engine.hold();
    const controller = new AbortController();
    const build = store.tasks.createIndex('rank', { signal: controller.signal });
    await store.tasks.count();
    controller.abort();
    await store.tasks.count();
    engine.release();
    expect((await refusal(build)).code).toBe('call/aborted');
    expect(await store.tasks.indexes()).toEqual([]);
  });

  test('a wrong index is refused by name', async () => {
    const { store } = await openTestStore({ tasks });
    expect(facts(await refusal(store.tasks.createIndex({ on: ['tags', 'rank'], multi: true })))).toEqual({
      code: 'index/invalid-definition',
      collection: 'tasks',
      index: 'tags+rank',
      rule: 'multi takes one path',
    });
  });
});
