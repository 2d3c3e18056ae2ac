/** Goal: createMany is all or nothing, whatever its size, and names what is wrong. Method: a memory engine, real ports. */
import { describe, expect, test } from 'vitest';
import { type Collection, defineCollection, type Row, type StoreError } from '../../src/index.ts';
import { facts, openTestStore, refusal, someTasks } from './client-fixture.ts';

const tasks = defineCollection({});

/** What create, put and createMany say to a document that is none. */
const refusals = (collection: Collection, row: unknown): Promise<StoreError[]> =>
  Promise.all(
    [collection.create(row as Row), collection.put(row as Row), collection.createMany([row as Row])].map(refusal),
  );

describe('createMany of many', () => {
  test('[BULK-1] 100k documents arrive once, in order, with progress', async () => {
    const { store, engine } = await openTestStore({ tasks });
    const rows = someTasks(100_000);
    const done: number[] = [];
    const keys = await store.tasks.createMany(rows, { onProgress: (progress) => done.push(progress.done) });
    expect(keys).toEqual(rows.map(({ id }) => id));
    expect(engine.requests).toHaveLength(1);
    expect(await store.tasks.count()).toBe(100_000);
    expect(done.length).toBeGreaterThan(20);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(done.at(-1)).toBe(100_000);
  });

  test('calls before and after it keep their order', async () => {
    const { store, engine } = await openTestStore({ tasks });
    const before = store.tasks.put({ id: 'before' });
    const bulk = store.tasks.createMany(someTasks(5_000));
    const after = store.tasks.put({ id: 'after' });
    await Promise.all([before, bulk, after]);
    // The commit is that of the last row: what was called meanwhile comes before it.
    expect(engine.requests.map(({ type }) => type)).toEqual(['put', 'put', 'create']);
  });

  test.each([10, 5_000])(
    '[BULK-2] up to 20 wrong rows of %i are named, wherever they are, and none is stored',
    async (count) => {
      const { store } = await openTestStore({ tasks });
      const rows: Record<string, unknown>[] = someTasks(count);
      const wrong = [1, 3, count - 2];
      for (const at of wrong) rows[at] = { id: `wrong-${at}`, bad: Symbol('x') };
      rows[5] = new (class Task {})() as Record<string, unknown>;
      const error = await refusal(store.tasks.createMany(rows));
      expect(error.code).toBe('collection/invalid-document');
      const named = error.details['rows'] as { row: number; key: unknown; issues: { path: string; rule: string }[] }[];
      expect(named.map(({ row, key, issues }) => [row, key, issues[0]?.path, issues[0]?.rule])).toEqual([
        [1, 'wrong-1', 'bad', 'row/unsupported-value'],
        [3, 'wrong-3', 'bad', 'row/unsupported-value'],
        [5, undefined, '', 'row/not-an-object'],
        [count - 2, `wrong-${count - 2}`, 'bad', 'row/unsupported-value'],
      ]);
      expect(await store.tasks.count()).toBe(0);
    },
  );

  test('[BULK-2] no more than 20 are named', async () => {
    const { store } = await openTestStore({ tasks });
    const rows = someTasks(1_000).map((row) => ({ ...row, bad: () => {} }));
    const error = await refusal(store.tasks.createMany(rows));
    expect((error.details['rows'] as unknown[]).length).toBe(20);
  });

  test('[BULK-1] a wrong row in a late slice leaves nothing behind', async () => {
    const { store, engine } = await openTestStore({ tasks });
    const rows: unknown[] = someTasks(20_000);
    rows[19_999] = { id: 'x', bad: 1n };
    expect((await refusal(store.tasks.createMany(rows as []))).code).toBe('collection/invalid-document');
    expect(engine.requests).toEqual([]);
    expect(await store.tasks.count()).toBe(0);
    // The next one works: the batch that was given up is gone.
    await store.tasks.createMany(someTasks(1_000));
    expect(await store.tasks.count()).toBe(1_000);
  });

  test('[BULK-1] aborting it half-way stores nothing', async () => {
    const { store } = await openTestStore({ tasks });
    const controller = new AbortController();
    const bulk = store.tasks.createMany(someTasks(50_000), {
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done > 5_000) controller.abort();
      },
    });
    expect(facts(await refusal(bulk))).toEqual({ code: 'call/aborted', collection: 'tasks' });
    expect(await store.tasks.count()).toBe(0);
  });

  test('[BULK-1] a refusal of the engine rejects it, and nothing is stored', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.create({ id: 'task-0004999' });
    expect(facts(await refusal(store.tasks.createMany(someTasks(5_000))))).toEqual({
      code: 'collection/duplicate-key',
      collection: 'tasks',
      keys: ['task-0004999'],
    });
    expect(await store.tasks.count()).toBe(1);
  });

  test('what is no array is refused', async () => {
    const { store } = await openTestStore({ tasks });
    for (const wrong of [undefined, null, 5, { length: 1 }]) {
      expect((await refusal(store.tasks.createMany(wrong as never))).code).toBe('call/invalid-argument');
      expect((await refusal(store.tasks.getMany(wrong as never))).code).toBe('call/invalid-argument');
    }
  });
});

describe('[S5] documents that reach for a prototype', () => {
  const evil = (): unknown[] => [
    JSON.parse('{"id":"a","__proto__":{"polluted":1}}'),
    JSON.parse('{"id":"a","inner":{"__proto__":{"polluted":1}}}'),
    { id: 'a', constructor: 1 },
    { id: 'a', inner: [{ prototype: {} }] },
  ];

  test('[S5] are refused by every write, and nothing is polluted', async () => {
    const { store } = await openTestStore({ tasks });
    for (const row of evil()) {
      for (const error of await refusals(store.tasks, row)) {
        expect(error.code).toBe('collection/invalid-document');
        expect(JSON.stringify(error.details)).toContain('row/forbidden-key');
      }
      const { id, ...changes } = row as { id: string };
      expect(id).toBe('a');
      expect((await refusal(store.tasks.update('a', changes))).code).toBe('collection/invalid-changes');
      expect((await refusal(store.tasks.updateMany({}, changes))).code).toBe('collection/invalid-changes');
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(await store.tasks.count()).toBe(0);
  });
});

describe('documents that are none', () => {
  const cycle: Record<string, unknown> = { id: 'a' };
  cycle['self'] = { again: [cycle, cycle] };
  const doubling: unknown[] = [];
  doubling.push(doubling, doubling);
  let deep: unknown = 1;
  for (let at = 0; at < 100; at++) deep = { deep };

  test.each([
    ['undefined', undefined, 'row/not-an-object'],
    ['null', null, 'row/not-an-object'],
    ['a string', 'row', 'row/not-an-object'],
    ['an array', [{ id: 'a' }], 'row/not-an-object'],
    ['a Map', new Map([['id', 'a']]), 'row/not-an-object'],
    ['a class instance', new (class Task {})(), 'row/not-an-object'],
    ['a function inside', { id: 'a', run: () => {} }, 'row/unsupported-value'],
    ['a Set inside', { id: 'a', set: new Set([1]) }, 'row/unsupported-value'],
    ['a big integer', { id: 'a', big: 1n }, 'row/unsupported-value'],
    ['a cycle', cycle, 'row/unsupported-value'],
    ['a doubling cycle', { id: 'a', doubling }, 'row/unsupported-value'],
    ['too deep', { id: 'a', deep }, 'row/too-deep'],
  ])('%s is refused', async (_name, row, rule) => {
    const { store } = await openTestStore({ tasks });
    const [create, put, createMany] = await refusals(store.tasks, row);
    for (const error of [create, put]) {
      expect(error?.code).toBe('collection/invalid-document');
      expect(error?.details).toMatchObject({ collection: 'tasks', issues: [{ rule }] });
    }
    expect(createMany).toMatchObject({
      code: 'collection/invalid-document',
      details: { rows: [{ row: 0, issues: [{ rule }] }] },
    });
    expect(await store.tasks.count()).toBe(0);
  });

  test('a getter that throws rejects the call', async () => {
    const { store } = await openTestStore({ tasks });
    const row = {
      get id(): string {
        throw new Error('no');
      },
    };
    await expect(store.tasks.create(row)).rejects.toThrow('no');
    await expect(store.tasks.createMany([row])).rejects.toThrow('no');
    await expect(store.tasks.put(row)).rejects.toThrow('no');
  });
});
