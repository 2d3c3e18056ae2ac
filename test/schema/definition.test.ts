/** Goal: everything wrong about a store, a collection or an index is refused by name. Method: tables of wrong input. */
import { describe, expect, test } from 'vitest';
import { defineCollection, openStore } from '../../src/index.ts';
import { toCollectionSpec, toIndexSpec } from '../../src/protocol/collection-spec.ts';
import { toEngineOptions } from '../../src/protocol/engine-options.ts';
import { facts, openTestStore, refusal } from '../client/client-fixture.ts';
import { MemoryEngine } from '../fakes/memory-engine.ts';
import { createThreadWorker } from '../fakes/thread-worker.ts';

const worker = (): Worker => createThreadWorker(async (options) => new MemoryEngine(options)) as unknown as Worker;
const opened = async (options: unknown): Promise<unknown> => facts(await refusal(openStore(options as never)));
const openedWith = (definition: unknown): Promise<unknown> =>
  opened({ name: 'test', storage: ['memory'], collections: { tasks: definition }, worker });

describe('specs', () => {
  test('defaults are filled in', () => {
    expect(toCollectionSpec('tasks', { indexes: ['a', ['b', 'c.d'], { on: 'e', unique: true, name: 'f' }] })).toEqual({
      name: 'tasks',
      key: 'id',
      version: 1,
      jsonSchema: undefined,
      migrations: [],
      indexes: [
        { name: 'a', on: ['a'], unique: false, multi: false, sparse: false, caseInsensitive: false, where: undefined },
        {
          name: 'b+c.d',
          on: ['b', 'c.d'],
          unique: false,
          multi: false,
          sparse: false,
          caseInsensitive: false,
          where: undefined,
        },
        { name: 'f', on: ['e'], unique: true, multi: false, sparse: false, caseInsensitive: false, where: undefined },
      ],
    });
    const where = { done: false };
    expect(toIndexSpec('tasks', { on: 'a', where, sparse: true, caseInsensitive: true })).toMatchObject({
      where,
      sparse: true,
      caseInsensitive: true,
    });
  });

  test('a JSON Schema reaches the engine, a Standard Schema stays', async () => {
    let specs: unknown;
    const schema = { type: 'object', required: ['title'] };
    const standard = { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => ({ value }) } } as const;
    const store = await openStore({
      name: 'test',
      storage: ['memory'],
      collections: { a: defineCollection({ schema }), b: defineCollection({ schema: standard }) },
      worker: () =>
        createThreadWorker(async (options) => {
          specs = options.collections.map(({ jsonSchema }) => jsonSchema);
          return new MemoryEngine(options);
        }) as unknown as Worker,
    });
    expect(specs).toEqual([schema, undefined]);
    await store.close();
  });
});

describe('collections', () => {
  test.each([
    ['not an object', 5, { rule: 'its definition is not an object' }],
    ['null', null, { rule: 'its definition is not an object' }],
    ['key with a dot', { key: 'a.b' }, { rule: 'key is not a top-level field' }],
    ['empty key', { key: '' }, { rule: 'key has an empty segment' }],
    ['key that is a number', { key: 5 }, { rule: 'key is not a string' }],
    ['forbidden key', { key: '__proto__' }, { rule: 'key has a forbidden key' }],
    ['version 0', { version: 0 }, { rule: 'version is not a whole number of 1 or more' }],
    ['version 1.5', { version: 1.5 }, { rule: 'version is not a whole number of 1 or more' }],
    [
      'schema that is a string',
      { schema: 'x' },
      { rule: 'schema is neither a Standard Schema nor a JSON Schema object' },
    ],
    ['indexes that are none', { indexes: 'status' }, { rule: 'indexes is not an array' }],
  ])('%s', async (_name, definition, details) => {
    expect(await openedWith(definition)).toEqual({
      code: 'collection/invalid-definition',
      collection: 'tasks',
      ...details,
    });
  });

  test.each(['', 'a b', 'a.b', '__proto__', 'x'.repeat(65), 'status$', 'close', 'then', 'transaction', 'sync'])(
    'the name %s',
    async (name) => {
      const collections = Object.fromEntries([[name, {}]]);
      expect(await opened({ name: 'test', storage: ['memory'], collections, worker })).toMatchObject({
        code: 'collection/invalid-definition',
        collection: name,
      });
    },
  );

  test.each([
    ['ttl', { field: 'expiresAt' }],
    ['relays', []],
  ])('[INPUT-1] the option %s, of a later version', async (option, value) => {
    expect(await openedWith({ [option]: value })).toEqual({
      code: 'collection/unsupported-option',
      collection: 'tasks',
      option,
    });
  });

  test.each([
    ['a name that is none', 'newest', undefined, 'is the unknown strategy "newest"'],
    ['a number', 5, undefined, 'is no strategy'],
    ['a list', ['merge'], undefined, 'is no strategy'],
    ['a name that is none, of a field', { total: 'newest' }, 'total', 'is the unknown strategy "newest"'],
    ['the key', { id: 'manual' }, 'id', 'is about the key, which never changes'],
    ['a path', { 'a.b': 'manual' }, 'a.b', 'is not about a field at the top of a document'],
    ['a field with a type', { likes: 'manual' }, 'likes', 'is about a field of type counter, which merges'],
    [
      'a function for a field with a type',
      { likes: () => 1 },
      'likes',
      'is about a field of type counter, which merges',
    ],
  ])('[INPUT-1] a conflict strategy that is %s', async (_name, conflict, field, rule) => {
    const refused = await openedWith({ conflict, fields: { likes: 'counter' } });
    const { known, ...facts } = refused as Record<string, unknown>;
    expect(facts).toEqual({ code: 'collection/invalid-conflict', collection: 'tasks', rule, ...(field && { field }) });
    expect(known).toContain('last-write-wins');
  });

  test.each([
    ['a name', 'server-wins'],
    ['a function', () => undefined],
    ['names and functions by field', { a: 'manual', b: () => 1, likes: 'merge' }],
    ['nothing', undefined],
  ])('a conflict strategy that is %s', async (_name, conflict) => {
    const definition = { conflict, fields: { likes: 'counter' }, migrations: { 2: () => ({}) }, version: 2 };
    const store = await openStore({
      name: 'test',
      storage: ['memory'],
      collections: { tasks: definition as never },
      worker,
    });
    await store.close();
  });

  test('an option that is none', async () => {
    expect(await openedWith({ index: ['a'] })).toEqual({
      code: 'collection/unknown-option',
      collection: 'tasks',
      option: 'index',
    });
  });
});

describe('indexes', () => {
  test.each([
    ['a number', 5, '5', 'path 5 is not a string'],
    ['no path', [], '', 'it has no path'],
    ['an empty path', '', '', 'path "" has an empty segment'],
    ['an empty segment', 'a..b', 'a..b', 'path "a..b" has an empty segment'],
    ['a forbidden segment', 'a.__proto__.b', 'a.__proto__.b', 'path "a.__proto__.b" has a forbidden key'],
    ['an operator', '$where', '$where', 'path "$where" has a segment that begins with $'],
    ['a path twice', ['a', 'a'], 'a+a', 'it has a path twice'],
    ['multi on two paths', { on: ['a', 'b'], multi: true }, 'a+b', 'multi takes one path'],
    ['a flag that is none', { on: 'a', unique: 1 }, 'a', 'unique is not true or false'],
    ['a name that is none', { on: 'a', name: 5 }, 5, 'its name is not a string'],
    ['where that is none', { on: 'a', where: 'x' }, 'a', 'where is not a selector'],
    [
      'too many paths',
      Array.from({ length: 17 }, (_, at) => `f${at}`),
      expect.any(String),
      'it has more than 16 paths',
    ],
  ])('%s', async (_name, index, named, rule) => {
    const expected = { code: 'index/invalid-definition', collection: 'tasks', index: named, rule };
    expect(await openedWith({ indexes: [index] })).toEqual(expected);
    const { store } = await openTestStore({ tasks: defineCollection({}) });
    expect(facts(await refusal(store.tasks.createIndex(index as never)))).toEqual(expected);
  });

  test('the same name twice, an option that is none', async () => {
    expect(await openedWith({ indexes: ['a', { on: 'b', name: 'a' }] })).toEqual({
      code: 'index/invalid-definition',
      collection: 'tasks',
      index: 'a',
      rule: 'another index has its name',
    });
    expect(await openedWith({ indexes: [{ on: 'a', uniq: true }] })).toEqual({
      code: 'index/unknown-option',
      collection: 'tasks',
      index: 'a',
      option: 'uniq',
    });
  });
});

describe('stores', () => {
  const collections = { tasks: {} };
  test.each([
    ['no name', { collections }, { code: 'store/invalid-option', option: 'name' }],
    ['an empty name', { name: '', collections }, { code: 'store/invalid-option', option: 'name' }],
    [
      'collections that are none',
      { name: 'a', collections: 5 },
      { code: 'store/invalid-option', option: 'collections' },
    ],
    ['no collections', { name: 'a' }, { code: 'store/invalid-option', option: 'collections' }],
    [
      'a durability that is none',
      { name: 'a', collections, durability: 'yes' },
      { code: 'store/invalid-option', option: 'durability' },
    ],
    ['no home', { name: 'a', collections, storage: [] }, { code: 'store/invalid-option', option: 'storage' }],
    [
      'a home twice',
      { name: 'a', collections, storage: ['memory', 'memory'] },
      { code: 'store/invalid-option', option: 'storage' },
    ],
    [
      'a home of later',
      { name: 'a', collections, storage: ['opfs'] },
      { code: 'store/unsupported-option', option: 'storage', home: 'opfs' },
    ],
    [
      'a tiny cache',
      { name: 'a', collections, cacheBytesMax: 5 },
      { code: 'store/invalid-option', option: 'cacheBytesMax' },
    ],
    [
      'a timeout that is none',
      { name: 'a', collections, timeoutMs: -1 },
      { code: 'store/invalid-option', option: 'timeoutMs' },
    ],
    ['no relay', { name: 'a', collections, sync: {} }, { code: 'store/invalid-option', option: 'sync.relays' }],
    [
      'a relay that is none',
      { name: 'a', collections, sync: { relays: [{ url: 'wss://a.example' }, { url: 'https://a.example' }] } },
      { code: 'store/invalid-option', option: 'sync.relays[1].url' },
    ],
    [
      'a misspelt option of sync',
      { name: 'a', collections, sync: { relay: [] } },
      { code: 'store/unknown-option', option: 'relay' },
    ],
    [
      'a misspelt option',
      { name: 'a', collections, durabilty: 'strict' },
      { code: 'store/unknown-option', option: 'durabilty' },
    ],
    [
      'a function',
      { name: 'a', collections: { tasks: { indexes: [{ on: 'a', where: { b: () => {} } }] } } },
      { code: 'store/invalid-option' },
    ],
  ])('%s', async (_name, options, expected) => {
    expect(await opened({ storage: ['memory'], ...options, worker })).toMatchObject(expected);
  });

  test('no options at all', () => {
    for (const nothing of [undefined, null, 5]) {
      expect(() => toEngineOptions(nothing)).toThrow(expect.objectContaining({ code: 'store/invalid-option' }));
    }
  });
});

describe('queries', () => {
  test.each([
    ['a limit that is negative', {}, { limit: -1 }, { code: 'query/invalid-option', option: 'limit' }],
    ['a skip that is text', {}, { skip: 'x' }, { code: 'query/invalid-option', option: 'skip' }],
    ['a sort direction', {}, { sort: { a: 2 } }, { code: 'query/invalid-option', option: 'sort' }],
    ['a sort that is text', {}, { sort: 'a' }, { code: 'query/invalid-option', option: 'sort' }],
    ['a misspelt option', {}, { limt: 1 }, { code: 'query/unknown-option', option: 'limt' }],
    ['an operator', { a: { $where: 1 } }, {}, { code: 'query/unknown-operator', operator: '$where', path: 'a' }],
  ])('%s', async (_name, selector, options, expected) => {
    const { store } = await openTestStore({ tasks: defineCollection({}) });
    const query = store.tasks.find(selector, options as never);
    const runs = [query, query.first(), query.count(), query.explain(), query.stream().next()];
    for (const error of await Promise.all(runs.map(refusal))) {
      expect(facts(error)).toMatchObject({ ...expected, collection: 'tasks' });
    }
  });
});
