/**
 * Goal: rows of an older version become those of the defined one, each exactly once, and nothing else happens to them.
 * Method: an engine on memory storage, filled under one version and reopened under another; functions that count.
 */
import { describe, expect, test } from 'vitest';
import type { Key, Row } from '../../src/base/row.ts';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import type { MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openOnImage } from './engine-fixture.ts';
import { codeOf, LONG, VERIFY, verbsOf } from './engine-verbs.ts';
import { failureOf, migrate, runOf, type Steps, versioned } from './migration-verbs.ts';
import { storeBeforeMigrations } from './store-before-migrations.ts';

const others = collection('others', [index('x')]);
const BIG = 'b'.repeat(70_000);
const STEPS: Steps = {
  2: (row) => ({ ...row, priority: 0, steps: [2] }),
  3: (row) => ({ ...row, steps: [...(row['steps'] as number[]), 3] }),
  4: (row) => ({ ...row, steps: [...(row['steps'] as number[]), 4] }),
};

const someRows = (count: number): Row[] =>
  Array.from({ length: count }, (_, id) => ({ id, n: id % 7, code: `c${id}` }));

/** A store with rows of version 1. */
async function imageWith(rows: readonly Row[], indexes = [index('n')]): Promise<MemoryImage> {
  const image = createMemoryImage();
  const engine = await openOnImage(image, [versioned(1, indexes), others]);
  await verbsOf(engine).create(...rows);
  await verbsOf(engine, 'others').create({ id: 'o', x: 1 });
  await engine.close();
  return image;
}

/** Counts how often each row was given to the functions. */
function counted(steps: Steps): { readonly counts: Map<Key, number>; readonly run: ReturnType<typeof runOf> } {
  const counts = new Map<Key, number>();
  return { counts, run: runOf(steps, ({ id }) => counts.set(id as Key, (counts.get(id as Key) ?? 0) + 1)) };
}

describe.each(['relaxed', 'strict', 'deferred'] as const)('under %s', (durability) => {
  test('[MIG-1] three steps at once, each row once, and an index only of the new field', async () => {
    const rows = [...someRows(2_500), { id: 'large', n: 1, big: BIG }];
    const image = await imageWith(rows);
    const engine = await openOnImage(image, [versioned(4, [index('n'), index('priority')]), others], { durability });
    const { counts, run } = counted(STEPS);
    expect((await engine.health()).migrations).toEqual([
      { collection: 'items', from: 1, to: 4, done: 0, total: 2_501, state: 'waiting' },
    ]);
    expect(await migrate(engine, run)).toBe('ok');
    const expected = rows.map((row) => ({ ...row, priority: 0, steps: [2, 3, 4] }));
    expect(await verbsOf(engine).all()).toEqual(expected);
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
    expect(counts.size).toBe(rows.length);
    expect((await engine.health()).migrations[0]).toMatchObject({ done: 2_501, state: 'done' });
    await engine.close();
    const again = await openOnImage(image, [versioned(4, [index('n'), index('priority')]), others]);
    expect((await again.health()).migrations).toEqual([]);
    expect(await verbsOf(again).all()).toEqual(expected);
    expect(await verbsOf(again).count({ priority: 0 })).toBe(rows.length);
    expect((await again.verify(VERIFY)).sound).toBe(true);
    await again.close();
  });
});

test('[MIG-2] opening migrates nothing, other collections work, and calls are refused until it is done', async () => {
  const image = await imageWith(someRows(10));
  const { log, superblock } = image;
  const before = [log.size, superblock];
  const engine = await openOnImage(image, [versioned(2), others]);
  expect([image.log.size, image.superblock]).toEqual(before);
  expect(await verbsOf(engine, 'others').all()).toEqual([{ id: 'o', x: 1 }]);
  const refused = [
    verbsOf(engine).get(1),
    verbsOf(engine).count(),
    verbsOf(engine).put({ id: 1 }),
    verbsOf(engine).all(),
    engine.createIndex('items', index('z'), LONG),
  ];
  expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'collection/migrating'));
  expect(() => engine.subscribe('items', () => undefined)).toThrow('version 1 to 2');
  // While a batch is at the page, and takes its time, other collections are written and read.
  let go: (() => void) | undefined;
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  const done = migrate(engine, async (...batch) => {
    await held;
    return runOf(STEPS)(...batch);
  });
  await verbsOf(engine, 'others').put({ id: 'p', x: 2 });
  expect(await verbsOf(engine, 'others').count()).toBe(2);
  expect(await codeOf(verbsOf(engine).get(1))).toBe('collection/migrating');
  go!();
  expect(await done).toBe('ok');
  expect(await verbsOf(engine).get(1)).toEqual({ id: 1, n: 1, code: 'c1', priority: 0, steps: [2] });
  await engine.close();
});

test('[MIG-2] a collection without rows takes the version, and so does one that never had any', async () => {
  const image = await imageWith([]);
  const engine = await openOnImage(image, [versioned(3, [], { migrations: [] }), others]);
  expect(engine.whenMigrated('items')).toBeUndefined();
  await verbsOf(engine).create({ id: 1 });
  await engine.close();
  expect(await codeOf(openOnImage(image, [versioned(2)]))).toBe('store/newer-version');
});

test('[MIG-4] a missing step is refused, and nothing is changed', async () => {
  const image = await imageWith(someRows(3));
  const missing = openOnImage(image, [versioned(4, [], { migrations: [2, 4] }), others]);
  await expect(missing).rejects.toMatchObject({
    code: 'collection/missing-migration',
    details: { collection: 'items', stored: 1, defined: 4, missing: 3 },
  });
  const engine = await openOnImage(image, [versioned(1, [index('n')]), others]);
  expect(await verbsOf(engine).all()).toEqual(someRows(3));
  await engine.close();
});

test('[MIG-4] what a function throws names collection, key and version; nothing changes, and calls get that error', async () => {
  const image = await imageWith(someRows(30));
  const engine = await openOnImage(image, [versioned(3), others]);
  const steps: Steps = {
    2: (row) => row,
    3: (row) => {
      if (row['id'] === 17) throw new TypeError('no such field');
      return { ...row, x: 1 };
    },
  };
  const { code, message, details } = await failureOf(engine, runOf(steps));
  expect(code).toBe('collection/migration-failed');
  expect(message).toContain('no such field');
  expect(details).toMatchObject({ collection: 'items', key: 17, version: 3, from: 1, to: 3 });
  expect(await codeOf(engine.whenMigrated('items')!)).toBe('collection/migration-failed');
  expect(await codeOf(verbsOf(engine).get(1))).toBe('collection/migrating');
  expect(await verbsOf(engine, 'others').count()).toBe(1);
  await engine.close();
  // No batch was stored: even the older application can go on.
  const old = await openOnImage(image, [versioned(1, [index('n')]), others]);
  expect(await verbsOf(old).all()).toEqual(someRows(30));
  expect((await old.verify(VERIFY)).sound).toBe(true);
  await old.close();
});

const SCHEMA = { type: 'object', properties: { priority: { type: 'number' } }, required: ['priority'] };
test.each([
  ['a changed key', { 2: (row: Row) => ({ ...row, id: `${row['id']}` }) }, 'update/changes-key'],
  ['a lost key', { 2: () => ({}) }, 'collection/invalid-key'],
  ['a row that breaks the JSON schema', { 2: (row: Row) => row }, 'collection/invalid-document'],
  [
    'two rows with one value of a unique index',
    { 2: (row: Row) => ({ ...row, priority: 1, code: 'c' }) },
    'collection/duplicate-value',
  ],
])('[MIG-4] %s is refused', async (_name, steps: Steps, reason) => {
  const unique = [index('code', { unique: true })];
  const image = await imageWith(someRows(5), unique);
  const engine = await openOnImage(image, [versioned(2, unique, { jsonSchema: SCHEMA }), others]);
  const { code, details } = await failureOf(engine, runOf(steps));
  expect([code, details['reason']]).toEqual(['collection/migration-failed', reason]);
  expect(details['key']).toBe(reason === 'collection/duplicate-value' ? 1 : 0);
  await engine.close();
});

test('[MIG-3] unique indexes hold for the new rows, whatever the old ones have beside them', async () => {
  // All old rows share `email`; `code` moves by one, so each new row has the value of the old one after it.
  const rows = Array.from({ length: 2_000 }, (_, id) => ({ id, code: id, email: 'same', old: 'o' }));
  const code = index('code', { unique: true });
  const image = await imageWith(rows, [code, index('old', { name: 'late' })]);
  const spec = versioned(2, [code, index('email', { unique: true }), index('old', { name: 'late', sparse: true })]);
  const engine = await openOnImage(image, [spec, others]);
  const step = ({ id, code: at }: Row): Row => ({ id, code: Number(at) + 1, email: `${id}@x` });
  expect(await migrate(engine, runOf({ 2: step }))).toBe('ok');
  for (let tries = 0; engine.indexes('items').some(({ state }) => state === 'building') && tries < 200; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(engine.indexes('items').map(({ name, state, entries }) => [name, state, entries])).toEqual([
    ['code', 'ready', 2_000],
    ['email', 'ready', 2_000],
    ['late', 'ready', 0],
  ]);
  expect(await codeOf(verbsOf(engine).create({ id: 'x', code: -1, email: '7@x' }))).toBe('collection/duplicate-value');
  expect(await verbsOf(engine).find({ email: '7@x' })).toEqual([step(rows[7]!)]);
  expect((await engine.verify(VERIFY)).sound).toBe(true);
  await engine.close();
});

test('[MIG-3] an index that the new definition no longer has does not refuse the new rows', async () => {
  const image = await imageWith(someRows(50), [index('code', { unique: true })]);
  const engine = await openOnImage(image, [versioned(2), others]);
  expect(await migrate(engine, runOf({ 2: ({ id }) => ({ id, code: 'all the same' }) }))).toBe('ok');
  expect(engine.indexes('items')).toEqual([]);
  await engine.checkpoint();
  expect((await engine.verify(VERIFY)).sound).toBe(true);
  await engine.close();
});

test('[MIG-1] an index of createIndex stays, and rows that do not change are not written', async () => {
  const image = await imageWith(someRows(20));
  const first = await openOnImage(image, [versioned(1, [index('n')]), others]);
  await first.createIndex('items', index('code', { name: 'own' }), LONG);
  await first.close();
  const engine = await openOnImage(image, [versioned(2, [index('n')]), others]);
  expect(await migrate(engine, runOf({ 2: (row) => ({ ...row }) }))).toBe('ok');
  expect(engine.indexes('items').map(({ name }) => name)).toEqual(['n', 'own']);
  expect((await engine.health()).logBytesSinceCheckpoint).toBeLessThan(300);
  await engine.close();
});

/** Opens, lets some batches be stored, and closes while the next one is at the page. */
async function interrupt(image: MemoryImage, version: number, batches: number, more: Partial<EngineOptions> = {}) {
  const engine = await openOnImage(image, [versioned(version), others], more);
  const { counts, run } = counted(STEPS);
  let left = batches;
  const progress: number[] = [];
  engine.watchMigrations(([migration]) => progress.push(migration!.done));
  const held = async (...batch: Parameters<typeof run>): ReturnType<typeof run> => {
    if (left-- <= 0) await closing();
    return run(...batch);
  };
  engine.migrate('items', held).catch(() => undefined);
  let closing = async (): Promise<void> => {
    closed = engine.close();
    await closed;
  };
  let closed: Promise<void> | undefined;
  const code = await codeOf(engine.whenMigrated('items')!);
  await closed;
  closing = async () => undefined;
  return { code, progress, counts };
}

test.each(['automatic', 'manual'] as const)(
  '[MIG-1] closed in the middle, it goes on there (checkpoint %s)',
  async (checkpoint) => {
    const rows = someRows(5_000);
    const image = await imageWith(rows);
    const more = checkpoint === 'manual' ? ({ unstable: { checkpoint } } as const) : {};
    const first = await interrupt(image, 2, 3, more);
    expect(first.code).toBe('store/closed');
    expect(first.progress.at(-1)).toBe(3_000);
    expect(await codeOf(openOnImage(image, [versioned(1), others]))).toBe('store/newer-version');
    const engine = await openOnImage(image, [versioned(2), others], more);
    expect((await engine.health()).migrations).toEqual([
      { collection: 'items', from: 1, to: 2, done: 3_000, total: 5_000, state: 'waiting' },
    ]);
    const { counts, run } = counted(STEPS);
    expect(await migrate(engine, run)).toBe('ok');
    expect([...counts.keys()]).toEqual(rows.slice(3_000).map(({ id }) => id));
    expect(await verbsOf(engine).all()).toEqual(rows.map((row) => STEPS[2]!(row)));
    expect((await engine.verify(VERIFY)).sound).toBe(true);
    await engine.close();
  },
);

test('[MIG-1] a newer application goes on with what an older one has begun, in two passes', async () => {
  const rows = someRows(3_000);
  const image = await imageWith(rows);
  expect((await interrupt(image, 2, 1)).code).toBe('store/closed');
  const spec = versioned(4, [index('steps', { multi: true })], { jsonSchema: SCHEMA });
  const engine = await openOnImage(image, [spec, others]);
  const passes: string[] = [];
  expect(
    await migrate(
      engine,
      runOf(STEPS, (_row, from, to) => passes.push(`${from}-${to}`)),
    ),
  ).toBe('ok');
  expect([passes.filter((pass) => pass === '1-2').length, passes.filter((pass) => pass === '2-4').length]).toEqual([
    2_000, 3_000,
  ]);
  expect(await verbsOf(engine).all()).toEqual(rows.map((row) => ({ ...row, priority: 0, steps: [2, 3, 4] })));
  await engine.close();
});

test('[MIG-1] large rows are a batch each, and keep to their blobs', async () => {
  const rows = Array.from({ length: 9 }, (_, id) => ({ id, n: 1, big: BIG + id }));
  const image = await imageWith(rows);
  const engine = await openOnImage(image, [versioned(2), others], { cacheBytesMax: 0 });
  const batches: number[] = [];
  const run = runOf({ 2: (row) => (row['id'] === 3 ? { id: 3 } : { ...row, priority: 1 }) });
  await migrate(engine, (given, from, to) => {
    batches.push(given.length);
    return run(given, from, to);
  });
  expect(batches.every((count) => count <= 3)).toBe(true);
  expect(await verbsOf(engine).all()).toEqual(rows.map((row) => (row.id === 3 ? { id: 3 } : { ...row, priority: 1 })));
  await engine.checkpoint();
  await engine.checkpoint();
  await engine.close();
  expect(image.blobs.size).toBe(8);
});

test('[MIG-5] a store written before there were migrations opens, and migrates', async () => {
  const indexes = [index('n'), index('code', { unique: true })];
  const plain = await openOnImage(storeBeforeMigrations(), [versioned(1, indexes)]);
  const rows = await verbsOf(plain).all();
  expect(rows).toEqual([
    { id: 1, n: 10, code: 'c1' },
    { id: 2, n: 21, code: 'c2' },
    { id: 3, n: 30, code: 'c3' },
    { id: 'x', n: 1, code: 'cx' },
  ]);
  await plain.close();
  const engine = await openOnImage(storeBeforeMigrations(), [versioned(2, indexes)]);
  expect(await migrate(engine, runOf(STEPS))).toBe('ok');
  expect(await verbsOf(engine).all()).toEqual(rows.map((row) => STEPS[2]!(row)));
  await engine.close();
});
