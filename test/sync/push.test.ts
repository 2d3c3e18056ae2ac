/**
 * Goal: what is committed on a device reaches the relay once, whole and in order, and leaves the device's outbox by an
 * acknowledgement alone. Method: real engine, real relay on a socket, and a device beside that reads the relay's log.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import * as Y from 'yjs';
import { drawClientId } from '../../src/protocol/client-id.ts';
import type { DeliveredBatch } from '../../src/protocol/sync/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { fieldsOf } from '../server/device.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { SyncDevice, until } from './sync-device.ts';

let relay: RunningFixture;
const devices: SyncDevice[] = [];
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
  await relay.stop();
});

async function open(options: Parameters<typeof SyncDevice.open>[0] = {}): Promise<SyncDevice> {
  const device = await SyncDevice.open(options);
  devices.push(device);
  return device;
}

/** All batches of the relay's log. */
async function batches(): Promise<readonly DeliveredBatch[]> {
  const reader = await relay.device();
  await reader.next('welcome');
  reader.send({ type: 'pull', request: 1, after: 0, bytesMax: 4_000_000, follow: false });
  const { batches: all } = await reader.next('deliver');
  reader.end();
  return all;
}

const keysOf = (batch: DeliveredBatch): readonly unknown[] => batch.changes!.map(({ key }) => key);

test('[R2] a commit is at the relay when nothing is unsaved any more', async () => {
  const device = await open({ url: relay.url });
  await device.put({ id: 'a', title: 'x', n: 1 }, { id: 'b', title: 'y' });
  await device.saved();
  const [batch, ...more] = await batches();
  expect(more).toEqual([]);
  expect(keysOf(batch!)).toEqual(['a', 'b']);
  expect(fieldsOf([batch!.changes![0]!.update])).toEqual({ id: 'a', title: 'x', n: 1 });
  expect(device.session!.status).toMatchObject({ connection: 'online', lastAckAt: expect.any(Number) });
});

test('[R20] [FOLD-1] what was committed offline leaves in order, commits that share rows as one batch', async () => {
  const device = await open();
  await device.put({ id: 'a', n: 1 });
  await device.put({ id: 'b', n: 1 }, { id: 'c', n: 1 });
  await device.put({ id: 'd', n: 1 });
  await device.put({ id: 'c', n: 2 }, { id: 'e', n: 2 });
  await device.put({ id: 'f', n: 1 });
  await device.startSync(relay.url);
  await device.saved();
  const all = await batches();
  expect(all.map((batch) => keysOf(batch).toSorted())).toEqual([['a'], ['b', 'c', 'd', 'e'], ['f']]);
});

test('[R12] a delete is a change, and a row that nobody heard of leaves no trace', async () => {
  const device = await open({ url: relay.url });
  await device.put({ id: 'a', n: 1 });
  await device.saved();
  await device.write(['tasks', 'a', undefined]);
  await device.saved();
  const all = await batches();
  expect(fieldsOf(all.flatMap(({ changes }) => changes!.map(({ update }) => update)))).toEqual({ $deleted: true });
  device.killSync();
  await device.put({ id: 'b', n: 1 });
  await device.write(['tasks', 'b', undefined]);
  await device.startSync(relay.url);
  await device.saved();
  expect(await batches()).toHaveLength(2);
});

test('[R8] [R2] without a relay commits are folded and kept', async () => {
  const device = await open({ url: 'ws://127.0.0.1:9' });
  await device.put({ id: 'a', n: 1 });
  await until(async () => (await device.hidden('changes')).length === 0, 'the fold');
  expect(await device.hidden('outbox')).toHaveLength(1);
  expect(await device.hidden('states')).toHaveLength(1);
  await until(() => device.session!.status.connection === 'offline', 'the status');
  expect(device.session!.status.reason).toMatchObject({ code: 'sync/unreachable' });
});

test('[R1] [R7] [PUSH-1] a worker that is killed before it hears of the acknowledgement sends the same again, as the same', async () => {
  const device = await open({ url: 'ws://127.0.0.1:9' });
  await device.put({ id: 'a', n: 1 });
  await until(async () => (await device.hidden('outbox')).length === 1, 'the fold');
  const [entry] = await device.hidden('outbox');
  const before = await relay.device();
  await before.next('welcome');
  device.killSync();
  // As if it had been pushed, and the acknowledgement lost.
  await device.startSync(relay.url);
  await device.saved();
  const [batch] = await batches();
  expect(batch).toMatchObject({ writer: entry!['writer'], writerSequence: 1 });
  device.killSync();
  await device.inside.put('$sync.outbox', [entry!]);
  await device.startSync(relay.url);
  await device.saved();
  expect(await batches()).toHaveLength(1);
  // Another run writes under other names.
  await device.put({ id: 'a', n: 2 });
  await device.saved();
  const [, second] = await batches();
  expect(second!.writer).not.toBe(entry!['writer']);
});

test('[R20] a transaction larger than a frame is one batch', async () => {
  const device = await open({ url: relay.url });
  const rows = Array.from({ length: 60 }, (_, n) => ({ id: `row ${n}`, text: `${n} `.repeat(20_000) }));
  await device.put(...rows);
  await device.saved();
  const all = await batches();
  expect(all.map((batch) => batch.changes!.length)).toEqual([60]);
});

test('[R3] [PUSH-2] a change that no frame can hold stays unsynced with its reason, and what comes after it goes on', async () => {
  const device = await open({ url: relay.url });
  await device.put({ id: 'huge', text: 'x'.repeat(1_500_000) }, { id: 'beside', n: 1 });
  await device.put({ id: 'small', n: 1 });
  await until(async () => (await batches()).length === 1, 'the small one');
  await until(async () => (await device.hidden('outbox')).some(({ refusal }) => refusal !== undefined), 'the refusal');
  expect(await device.hidden('outbox')).toMatchObject([
    { count: 2, refusal: { code: 'sync/too-large', message: expect.stringContaining('huge') } },
  ]);
  // When the row is made smaller, all of its transaction goes.
  await device.put({ id: 'huge', text: 'x' });
  await device.saved();
  const [, second] = await batches();
  expect(keysOf(second!).toSorted()).toEqual(['beside', 'huge']);
  expect(fieldsOf([second!.changes!.find(({ key }) => key === 'huge')!.update])).toEqual({ id: 'huge', text: 'x' });
});

test('[R3] text that cannot travel stays unsynced with its reason', async () => {
  const device = await open({ url: relay.url });
  await device.put({ id: 'a', text: 'half \ud800' }, { id: 'b', n: 1 });
  await until(async () => (await device.hidden('outbox')).length === 1, 'the entry');
  expect(await device.hidden('outbox')).toMatchObject([{ count: 2, refusal: { code: 'sync/unfit-value' } }]);
  expect(await batches()).toEqual([]);
  await device.put({ id: 'a', text: 'whole' });
  await device.saved();
  expect((await batches()).map((batch) => keysOf(batch).toSorted())).toEqual([['a', 'b']]);
});

test('[R20] [FOLD-2] transfers that go on while they are folded: after each batch the sum is what it was', async () => {
  const device = await open({ url: relay.url });
  const accounts = 6;
  await device.put(...Array.from({ length: accounts }, (_, n) => ({ id: `${n}`, amount: 100 })));
  const random = createSeededRandom(1);
  const transfer = async (): Promise<void> => {
    const [from, to] = [Math.floor(random() * accounts), Math.floor(random() * accounts)];
    if (from !== to) await device.transfer(`${from}`, `${to}`, Math.floor(random() * 50));
  };
  const clerk = async (): Promise<void> => {
    for (let count = 0; count < 60; count++) await transfer();
  };
  await Promise.all([clerk(), clerk(), clerk()]);
  await device.saved();
  const updates = new Map<unknown, Uint8Array[]>();
  const all = await batches();
  expect(all.length).toBeGreaterThan(5);
  for (const { changes } of all) {
    for (const { key, update } of changes!) updates.set(key, [...(updates.get(key) ?? []), update]);
    const amounts = [...updates.values()].map((own) => (fieldsOf(own) as { amount: number }).amount);
    expect(amounts.reduce((sum, amount) => sum + amount, 0)).toBe(accounts * 100);
  }
  for (const { id, amount } of await device.rows()) {
    expect(fieldsOf(updates.get(id)!)).toEqual({ id, amount });
  }
});

test('[R7] each run draws a client id of its own, that of a later second above those before', () => {
  const at = (seconds: number, byte: number) =>
    drawClientId({ wallClock: () => Date.UTC(2026, 10, 22) + 1000 * seconds, random: (bytes) => bytes.fill(byte) });
  expect(at(1, 0)).toBeGreaterThan(at(0, 255));
  expect(at(0, 1)).not.toBe(at(0, 2));
  for (const seconds of [-1e9, 0, 1e9, 1e10]) {
    expect(Number.isSafeInteger(at(seconds, 255))).toBe(true);
    expect(at(seconds, 0)).toBeGreaterThan(0);
  }
});

test('[R7] [PUSH-1] the worker of the same store, started again, writes under other names', async () => {
  const device = await open({ url: relay.url });
  for (let run = 0; run < 3; run++) {
    await device.put({ id: 'a', n: run });
    await device.saved();
    device.killSync();
    await device.startSync(relay.url);
  }
  const all = await batches();
  expect(new Set(all.map(({ writer }) => writer)).size).toBe(3);
  const clients = all.map(({ changes }) => [...parseClients(changes![0]!.update)]);
  expect(new Set(clients.flat()).size).toBe(3);
});

/** Clients that have written something in an update. */
const parseClients = (update: Uint8Array): Iterable<number> => Y.parseUpdateMeta(update).to.keys();
