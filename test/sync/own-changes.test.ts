/**
 * Goal: own changes count as told when the log was told behind them, and not before; and what a conflict comes to is stored whole,
 * with its entry in the inbox, or not at all. Method: the parts on a real store, without a relay.
 */
import { afterEach, expect, test } from 'vitest';
import type { ConflictSpec } from '../../src/protocol/conflict-options.ts';
import { RowDocument } from '../../worker/documents/index.ts';
import { applyArrivals, placeKey } from '../../worker/sync/apply.ts';
import { Fold } from '../../worker/sync/fold.ts';
import { HeldRows } from '../../worker/sync/held-rows.ts';
import { Outbox } from '../../worker/sync/outbox.ts';
import { addOwn, asOne, type OwnChange, OwnRuns } from '../../worker/sync/own-runs.ts';
import { rowId } from '../../worker/sync/row-id.ts';
import { type AskPage, createRelayLimits, type SyncContext } from '../../worker/sync/sync-context.ts';
import { createTurns } from '../../worker/sync/turns.ts';
import { nodeSyncPlatform, SyncDevice } from './sync-device.ts';

let device: SyncDevice;
afterEach(() => device.close());

const [OTHER, LAST] = ['a'.repeat(32), 'b'.repeat(32)];

test('[CONF-2] a batch that an earlier run left is told when the log says so, and not when it is acknowledged', async () => {
  device = await SyncDevice.open();
  const earlier = new OwnRuns();
  await earlier.begin(device.inside, OTHER, 1);
  const { current: run } = earlier;
  await device.inside.put('$sync.outbox', [
    { id: 1, count: 1, writer: OTHER, sequence: 2, changes: new Uint8Array(1) },
  ]);
  const runs = new OwnRuns();
  await runs.begin(device.inside, LAST, 2);
  await device.inside.delete('$sync.outbox', [1]);
  // The log was told up to where it ended when this run began: the batch was stored behind that.
  runs.set(runs.withoutEnded());
  expect(runs.isSettled({ run, sequence: 2 })).toBe(false);
  runs.set(runs.after([{ writer: OTHER, writerSequence: 2 }]));
  expect([1, 2, 3].map((sequence) => runs.isSettled({ run, sequence }))).toEqual([false, true, false]);
  runs.set(runs.after([{ writer: OTHER, writerSequence: 1 }]));
  expect([1, 2, 3].map((sequence) => runs.isSettled({ run, sequence }))).toEqual([true, true, false]);
  await runs.write(device.inside);
  // Nothing is left of it: the next run may forget it.
  const next = new OwnRuns();
  await next.begin(device.inside, 'c'.repeat(32), 3);
  expect(next.isSettled({ run, sequence: 3 })).toBe(false);
  next.set(next.withoutEnded());
  expect(next.isSettled({ run, sequence: 3 })).toBe(true);
  expect(next.isSettled({ run: next.current, sequence: 1 })).toBe(false);
});

test('[CONF-2] own changes of a row are bounded: the last one stands for those after it', async () => {
  device = await SyncDevice.open();
  const change = (sequence: number): OwnChange => ({ run: 1, sequence, before: Uint8Array.of(sequence) });
  let own: readonly OwnChange[] = [];
  for (let sequence = 1; sequence <= 20; sequence++) own = addOwn(own, change(sequence));
  expect(own).toHaveLength(8);
  expect(own.at(-1)).toEqual({ run: 1, sequence: 20, before: Uint8Array.of(8) });
  expect(asOne(own, change(21))).toEqual([{ run: 1, sequence: 21, before: Uint8Array.of(1) }]);
});

async function open(conflict: ConflictSpec, askPage: AskPage): Promise<{ context: SyncContext; fold: Fold }> {
  const collections = [{ name: 'tasks', key: 'id', fields: {}, conflict }];
  device = await SyncDevice.open({ collections });
  const platform = nodeSyncPlatform();
  const context: SyncContext = {
    platform,
    store: device.inside,
    outbox: new Outbox(platform),
    held: new HeldRows(() => {}),
    runs: new OwnRuns(),
    askPage,
    collections: new Map(collections.map((each) => [each.name, each])),
    clientId: 7,
    limits: createRelayLimits(),
    inTurn: createTurns(),
  };
  await context.runs.begin(device.inside, context.outbox.writer, 7);
  return { context, fold: new Fold(context) };
}

const NAME = { collection: 'tasks', key: 'a' };
const ID = rowId('tasks', 'a');
const also = async (): Promise<void> => {};

test('[CONF-6] when a conflict is not stored, neither is its entry', async () => {
  const { context, fold } = await open('server-wins', async () => []);
  await device.put({ id: 'a', f: 'client' });
  await fold.step();
  const update = new RowDocument({ name: NAME, types: {}, clientId: 8 }).put({ id: 'a', f: 'server' })!;
  const rows = new Map([[ID, { name: NAME, updates: [update], places: [{ at: 1, isOwn: false }] }]]);
  const failing = async (): Promise<void> => {
    throw new Error('not stored');
  };
  await expect(applyArrivals(context, fold, { rows, also: failing })).rejects.toThrow('not stored');
  expect([await device.row('a'), await device.hidden('conflicts')]).toEqual([{ id: 'a', f: 'client' }, []]);
  await applyArrivals(context, fold, { rows, also });
  expect(await device.row('a')).toEqual({ id: 'a', f: 'server' });
  expect(await device.hidden('conflicts')).toMatchObject([{ dropped: { f: 'client' } }]);
});

test("[CONF-1] [CONF-2] own and others' changes that take turns are conflicts one after the other", async () => {
  let rounds = 0;
  const { context, fold } = await open({ n: 'custom' }, async (questions) => {
    rounds += 1;
    const sum = (...values: readonly unknown[]): number =>
      values.reduce((all: number, value) => all + Number(value), 0);
    return questions.map(({ base, local, remote }) => ({ value: sum(local, remote) - Number(base) }));
  });
  const other = new RowDocument({ name: NAME, types: {}, clientId: 8 });
  const start = other.put({ id: 'a', n: 0 })!;
  const begin = { name: NAME, updates: [start], places: [{ at: 1, isOwn: false }] };
  await applyArrivals(context, fold, { rows: new Map([[ID, begin]]), also });
  for (const n of [1, 11]) {
    await device.put({ id: 'a', n });
    await fold.step();
  }
  const updates = [100, 200].map((n) => other.put({ id: 'a', n })!);
  const places = [2, 4].map((at) => ({ at, isOwn: false }));
  const own = new Map([1, 2].map((sequence) => [placeKey({ run: context.runs.current, sequence }), 1 + 2 * sequence]));
  await applyArrivals(context, fold, { rows: new Map([[ID, { name: NAME, updates, places }]]), own, also });
  expect([await device.row('a'), rounds]).toEqual([{ id: 'a', n: 211 }, 2]);
  expect(await device.hidden('conflicts')).toEqual([]);
});
