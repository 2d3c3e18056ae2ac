/** Goal: a schema of the page's has the last word on every document. Method: Standard Schemas of this file's own. */
import { describe, expect, test } from 'vitest';
import { defineCollection, type StandardSchema } from '../../src/index.ts';
import { facts, openTestStore, refusal } from './client-fixture.ts';

type Task = { id: string; title: string; rank: number };
type TaskInput = { id?: string; title: string; rank?: number };

/** Wants a title, gives a rank, strips what it does not know: the key too, as some libraries' objects do. */
function taskSchema(delayMs?: number): StandardSchema<TaskInput, Task> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate(value) {
        const { title, rank = 0 } = value as TaskInput;
        const issues = [];
        if (typeof title !== 'string') issues.push({ message: 'must be a string', path: ['title'] });
        if (rank < 0) issues.push({ message: 'must not be negative', path: [{ key: 'rank' }] });
        const result = issues.length > 0 ? { issues } : { value: { title, rank } as Task };
        return delayMs === undefined ? result : new Promise((resolve) => setTimeout(() => resolve(result), delayMs));
      },
    },
  };
}

describe.each([
  ['sync', undefined],
  ['async', 1],
])('a schema that answers %s', (_name, delayMs) => {
  const tasks = defineCollection({ schema: taskSchema(delayMs) });

  test('[VALID-1] its output is what is stored, and the key survives it', async () => {
    const { store } = await openTestStore({ tasks });
    expect(await store.tasks.create({ id: 'a', title: 'one', extra: 1 } as TaskInput)).toEqual({
      id: 'a',
      title: 'one',
      rank: 0,
    });
    expect(await store.tasks.put({ id: 'a', title: 'two', rank: 2 })).toEqual({ id: 'a', title: 'two', rank: 2 });
    const keys = await store.tasks.createMany([{ title: 'three' }, { title: 'four', rank: 4 }]);
    expect(await store.tasks.getMany(keys)).toEqual([
      { id: keys[0], title: 'three', rank: 0 },
      { id: keys[1], title: 'four', rank: 4 },
    ]);
  });

  test('[VALID-1] a wrong document is refused by field and rule', async () => {
    const { store } = await openTestStore({ tasks });
    const wrong = { id: 'a', title: 5, rank: -1 } as unknown as TaskInput;
    const expected = {
      code: 'collection/invalid-document',
      collection: 'tasks',
      key: 'a',
      issues: [
        { path: 'title', message: 'must be a string' },
        { path: 'rank', message: 'must not be negative' },
      ],
    };
    expect(facts(await refusal(store.tasks.create(wrong)))).toEqual(expected);
    expect(facts(await refusal(store.tasks.put(wrong)))).toEqual(expected);
    const error = await refusal(store.tasks.createMany([{ title: 'ok' }, wrong, { title: 'ok' }]));
    expect(error.details).toEqual({ collection: 'tasks', rows: [{ row: 1, key: 'a', issues: expected.issues }] });
    expect(await store.tasks.count()).toBe(0);
  });

  test('[VALID-1] updates are checked as they would be stored', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany([
      { id: 'a', title: 'a', rank: 1 },
      { id: 'b', title: 'b', rank: 2 },
    ]);
    expect(await store.tasks.update('a', { $inc: { rank: 1 } })).toEqual({ id: 'a', title: 'a', rank: 2 });
    expect(await store.tasks.update('none', { rank: 1 })).toBeUndefined();
    const error = await refusal(store.tasks.update('a', { $inc: { rank: -5 } }));
    expect(facts(error)).toMatchObject({ code: 'collection/invalid-document', key: 'a', issues: [{ path: 'rank' }] });
    expect(await store.tasks.updateMany({}, { $inc: { rank: 1 } })).toBe(2);
    const many = await refusal(store.tasks.updateMany({}, { rank: -1 }));
    expect(many.details['rows']).toMatchObject([{ key: 'a' }, { key: 'b' }]);
    expect((await store.tasks.find({}, { sort: { rank: 1 } })).map(({ rank }) => rank)).toEqual([3, 3]);
  });
});

describe('updates against other writers', () => {
  const tasks = defineCollection({ schema: taskSchema() });

  test('[VALID-2] increments of many callers are all applied', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.create({ id: 'a', title: 'a' });
    await Promise.all(Array.from({ length: 5 }, () => store.tasks.update('a', { $inc: { rank: 1 } })));
    expect((await store.tasks.get('a'))?.rank).toBe(5);
  });

  test('[VALID-2] an update that never gets through says so, and has stored nothing', async () => {
    const { store, engine } = await openTestStore({ tasks });
    await store.tasks.create({ id: 'a', title: 'a' });
    const preview = engine.preview.bind(engine);
    let writes = 0;
    engine.preview = (request) => {
      const pairs = preview(request);
      engine.write(
        { type: 'put', collection: 'tasks', rows: [{ id: 'a', title: `other ${writes++}` }] },
        { durability: undefined, signal: undefined },
      );
      return pairs;
    };
    expect(facts(await refusal(store.tasks.update('a', { title: 'mine' })))).toEqual({
      code: 'collection/contended',
      collection: 'tasks',
      attempts: 8,
    });
    expect((await store.tasks.get('a'))?.title).toBe('other 7');
  });

  test('[VALID-2] a large updateMany is checked and replaced whole', async () => {
    const { store } = await openTestStore({ tasks });
    await store.tasks.createMany(Array.from({ length: 3_000 }, (_, rank) => ({ title: 'x', rank })));
    expect(await store.tasks.updateMany({}, { $inc: { rank: 1 } })).toBe(3_000);
    expect(await store.tasks.count({ rank: { $gte: 1 } })).toBe(3_000);
    const error = await refusal(store.tasks.updateMany({}, { $inc: { rank: -2_900 } }));
    expect((error.details['rows'] as unknown[]).length).toBe(20);
    expect(await store.tasks.count({ rank: { $gte: 1 } })).toBe(3_000);
  });

  test('a schema that throws rejects its call', async () => {
    const broken = taskSchema();
    const schema = {
      '~standard': {
        ...broken['~standard'],
        validate: () => {
          throw new Error('broken');
        },
      },
    } as typeof broken;
    const { store } = await openTestStore({ tasks: defineCollection({ schema }) });
    await expect(store.tasks.create({ title: 'a' })).rejects.toThrow('broken');
    await expect(store.tasks.createMany([{ title: 'a' }])).rejects.toThrow('broken');
  });
});
