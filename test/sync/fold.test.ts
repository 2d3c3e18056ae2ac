/** Goal: what a fold takes and what it leaves. Method: one fold at a time on a real engine, without a relay. */
import { afterEach, expect, test } from 'vitest';
import { Fold } from '../../worker/sync/fold.ts';
import { HeldRows } from '../../worker/sync/held-rows.ts';
import { changesOf, Outbox, type OutboxEntry } from '../../worker/sync/outbox.ts';
import { OwnRuns } from '../../worker/sync/own-runs.ts';
import { rowId } from '../../worker/sync/row-id.ts';
import { createRelayLimits, type SyncContext } from '../../worker/sync/sync-context.ts';
import { createTurns } from '../../worker/sync/turns.ts';
import { nodeSyncPlatform, SyncDevice } from './sync-device.ts';

let device: SyncDevice;
afterEach(() => device.close());

async function open(): Promise<{ readonly fold: Fold; readonly context: SyncContext }> {
  device = await SyncDevice.open();
  const platform = nodeSyncPlatform();
  const context = {
    platform,
    store: device.inside,
    outbox: new Outbox(platform),
    held: new HeldRows(() => {}),
    runs: new OwnRuns(),
    askPage: async () => [],
    collections: new Map(device.collections.map((each) => [each.name, each])),
    clientId: 7,
    limits: createRelayLimits(),
    inTurn: createTurns(),
  };
  return { fold: new Fold(context), context };
}

/** Keys in each batch of the outbox. */
async function outbox(): Promise<readonly (readonly unknown[])[]> {
  const entries = (await device.hidden('outbox')) as unknown as readonly OutboxEntry[];
  return entries.map((entry) => changesOf(entry).map(({ key }) => key));
}

const names = (...keys: readonly string[]) =>
  new Map(keys.map((key) => [rowId('tasks', key), { collection: 'tasks', key }] as const));

test('[FOLD-1] [PULL-2] a row that an entry names is folded with its commit alone, one that none names by itself', async () => {
  const { fold } = await open();
  await device.put({ id: 'a', n: 1 }, { id: 'b', n: 1 });
  await device.inside.put('tasks', [{ id: 'c', n: 1 }]);
  await fold.foldUnmarked(names('a', 'c'));
  expect(await outbox()).toEqual([['c']]);
  expect(await fold.step()).toBe(true);
  expect(await outbox()).toEqual([['c'], ['a', 'b']]);
  expect(await fold.step()).toBe(false);
});

test('[FOLD-1] writing what is there, and a row that came and went, make no batch', async () => {
  const { fold } = await open();
  await device.put({ id: 'a', n: 1 });
  await fold.step();
  await device.put({ id: 'a', n: 1 });
  await device.put({ id: 'b', n: 1 });
  await device.write(['tasks', 'b', undefined]);
  await fold.step();
  expect(await outbox()).toEqual([['a']]);
  expect(await device.hidden('changes')).toEqual([]);
});

test('[FOLD-1] what is more than the relay takes in one batch leaves in several, and nothing of it is left out', async () => {
  const { fold, context } = await open();
  context.limits.batchBytesMax = 20_000;
  const text = 'x'.repeat(1_000);
  await device.put(...Array.from({ length: 50 }, (_, n) => ({ id: `row ${n}`, n, text })));
  while (await fold.step());
  const batches = await outbox();
  expect(batches.length).toBeGreaterThan(2);
  expect(batches.flat().toSorted()).toEqual((await device.rows()).map(({ id }) => id).toSorted());
  expect(await device.hidden('changes')).toEqual([]);
});

test('[FOLD-1] 2,500 rows of one commit are one batch, and those of other commits come after it', async () => {
  const { fold } = await open();
  await device.page.create(
    'tasks',
    Array.from({ length: 2_500 }, (_, n) => ({ id: `row ${n}`, n })),
  );
  await device.put({ id: 'z', n: 1 });
  while (await fold.step());
  expect((await outbox()).map(({ length }) => length)).toEqual([2_500, 1]);
});
