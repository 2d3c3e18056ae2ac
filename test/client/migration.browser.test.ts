/** Goal: an application's new version migrates what IndexedDB holds, in a real worker, and the page stays free. */
import { afterEach, expect, test } from 'vitest';
import { defineCollection, openStore, type Store } from '../../src/index.ts';

type Task = { id: string; title: string; rank: number; words?: number };

const opened: Store[] = [];
const worker = (): Worker => new Worker(new URL('../../worker/main.ts', import.meta.url), { type: 'module' });
const first = defineCollection<Task>({ indexes: ['rank'] });
const second = defineCollection<Task>({
  version: 2,
  indexes: ['rank', 'words'],
  migrations: { 2: (row) => ({ ...row, words: String(row['title']).split(' ').length }) },
});

async function open(name: string, tasks: typeof first) {
  const store = await openStore({ name, collections: { tasks }, worker });
  opened.push(store as unknown as Store);
  return store;
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.destroy().catch(() => {});
});

test('[MIG-1] [MIG-2] 20,000 documents are migrated in the background, over a close in the middle', async () => {
  const name = `migration-${performance.timeOrigin}`;
  const rows = Array.from({ length: 20_000 }, (_, rank) => ({
    id: `t${String(rank).padStart(6, '0')}`,
    title: 'some words of a title',
    rank,
  }));
  const old = await open(name, first);
  await old.tasks.createMany(rows);
  await old.close();

  const interrupted = await open(name, second);
  const half = new Promise<void>((resolve) => {
    interrupted.migrations$.subscribe(([migration]) => {
      if (migration !== undefined && migration.done >= 5_000) resolve();
    });
  });
  const waiting = interrupted.tasks.count().then(
    () => 'answered',
    ({ code }) => code,
  );
  await half;
  await interrupted.close();
  expect(await waiting).toBe('store/closed');

  const store = await open(name, second);
  const doneAtFirst = new Promise<number>((resolve) => {
    store.migrations$.subscribe(([migration]) => resolve(migration?.done ?? -1));
  });
  expect(await doneAtFirst).toBeGreaterThanOrEqual(5_000);
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => {
    turns++;
    port2.postMessage(0);
  };
  port2.postMessage(0);
  const start = performance.now();
  await store.tasks.migrate();
  console.info(`the rest took ${(performance.now() - start).toFixed(0)} ms, ${turns} turns of the page`);
  port1.close();
  expect(turns).toBeGreaterThan(10);
  expect(await store.tasks.find({ rank: { $gte: 19_990 } })).toEqual(
    rows.slice(19_990).map((row) => ({ ...row, words: 5 })),
  );
  expect(await store.tasks.count({ words: 5 })).toBe(20_000);
  expect((await store.verify()).sound).toBe(true);
});
