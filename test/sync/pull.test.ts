/**
 * Goal: what other devices did arrives whole, in order and once, and nothing of this device's own is lost by it. Method:
 * several devices with real engines, one real relay on a socket.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RelayOptions } from '../../server/index.ts';
import { RowDocument } from '../../worker/documents/index.ts';
import { collection, index } from '../engine/engine-fixture.ts';
import { type Device, setFields } from '../server/device.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { type DeviceOptions, SyncDevice, until } from './sync-device.ts';

let relay: RunningFixture;
const devices: SyncDevice[] = [];
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
  await relay.stop();
});

async function open(options: DeviceOptions = {}): Promise<SyncDevice> {
  const device = await SyncDevice.open(options);
  devices.push(device);
  return device;
}

/** Another relay, with nothing in it, where the first one was. */
async function replaceRelay(options: Partial<RelayOptions> = {}): Promise<void> {
  const port = Number(new URL(relay.url).port);
  await relay.stop();
  relay = await startRelay(options, port);
}

const online = (options: DeviceOptions = {}): Promise<SyncDevice> => open({ url: relay.url, ...options });

/** Waits until all have sent all and have the same rows. */
async function converged(...all: readonly SyncDevice[]): Promise<readonly unknown[]> {
  for (const device of all) await device.saved();
  const [first, ...others] = all;
  await until(
    async () => {
      const rows = JSON.stringify(await first!.rows());
      for (const other of others)
        if (JSON.stringify(sorted(await other.rows())) !== JSON.stringify(sorted(JSON.parse(rows)))) return false;
      return true;
    },
    'devices to have the same rows',
    () => all.flatMap(({ failures }) => failures)[0],
  );
  return first!.rows();
}

const sorted = (rows: readonly object[]): unknown =>
  rows.map((row) => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));

async function tell(device: Device, sequence: number, ...changes: Parameters<Device['push']>[1]): Promise<void> {
  await device.push(sequence, changes);
}

test('[R19] two devices that change different fields of a row both keep theirs', async () => {
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', title: 'x', done: false });
  await converged(one, two);
  one.killSync();
  two.killSync();
  await one.put({ id: 'a', title: 'changed', done: false });
  await two.put({ id: 'a', title: 'x', done: true });
  await one.startSync();
  await two.startSync();
  expect(await converged(one, two)).toEqual([{ id: 'a', title: 'changed', done: true }]);
});

test('[R12] a delete reaches a device that was away, and stays, also when that device has changed the row', async () => {
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', n: 1 }, { id: 'b', n: 1 });
  await converged(one, two);
  two.killSync();
  await one.write(['tasks', 'a', undefined]);
  await one.saved();
  await two.put({ id: 'a', n: 2 });
  await two.startSync();
  expect(await converged(one, two)).toEqual([{ id: 'b', n: 1 }]);
  const three = await online();
  expect(await converged(one, three)).toEqual([{ id: 'b', n: 1 }]);
});

test('[PULL-1] [R20] a transaction of another device is there whole or not at all, whoever looks', async () => {
  const [one, two] = [await online(), await online()];
  await one.put(...[0, 1, 2, 3].map((n) => ({ id: `${n}`, amount: 100 })));
  await converged(one, two);
  const sums = new Set<number>();
  let isLooking = true;
  const looking = (async () => {
    while (isLooking) sums.add((await two.rows()).reduce((sum, row) => sum + (row['amount'] as number), 0));
  })();
  for (let n = 0; n < 40; n++) await one.transfer(`${n % 4}`, `${(n + 1) % 4}`, n);
  await converged(one, two);
  isLooking = false;
  await looking;
  expect([...sums]).toEqual([400]);
});

test('[PULL-2] changes on both sides of the same rows at the same time: all fields of both arrive', async () => {
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', one: 0, two: 0 });
  await converged(one, two);
  const bump = async (device: SyncDevice, field: string): Promise<void> => {
    for (let n = 1; n <= 50; n++) {
      await device.change('a', (row) => ({ ...row, [field]: n }));
      await new Promise((resolve) => setTimeout(resolve, n % 3));
    }
  };
  await Promise.all([bump(one, 'one'), bump(two, 'two')]);
  expect(await converged(one, two)).toEqual([{ id: 'a', one: 50, two: 50 }]);
});

test('[PULL-3] a row that the store refuses is held aside and named, the rest goes on; what is changed in it is kept', async () => {
  const specs = [collection('tasks', [index('mail', { unique: true })])];
  const [one, two] = [await online(), await online({ specs })];
  await one.put({ id: 'a', mail: 'x', n: 1 });
  await converged(one, two);
  await one.put({ id: 'b', mail: 'x', n: 2 }, { id: 'c', mail: 'y', n: 3 });
  await one.saved();
  await until(async () => (await two.row('c')) !== undefined, 'the row beside');
  expect(await two.row('b')).toBeUndefined();
  expect(two.session!.status.heldAside).toMatchObject([
    { collection: 'tasks', key: 'b', reason: { code: 'collection/duplicate-value' } },
  ]);
  // After a restart it is still known. What is written in its place is a change of the row that others have.
  two.killSync();
  await two.startSync();
  expect(two.session!.status.heldAside).toHaveLength(1);
  await two.put({ id: 'b', mail: 'z', more: true });
  expect(await converged(one, two)).toEqual([
    { id: 'a', mail: 'x', n: 1 },
    { id: 'b', mail: 'z', n: 2, more: true },
    { id: 'c', mail: 'y', n: 3 },
  ]);
  expect(two.session!.status.heldAside).toBeUndefined();
  // One that is changed elsewhere fits again by itself.
  await one.put({ id: 'd', mail: 'y' });
  await until(() => two.session!.status.heldAside?.length === 1, 'the held row');
  await one.put({ id: 'd', mail: 'own' });
  await converged(one, two);
  expect(two.session!.status.heldAside).toBeUndefined();
});

test('[R3] a row that holds what cannot travel is not overwritten by what others have', async () => {
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', text: 'x', n: 1 });
  await converged(one, two);
  await two.put({ id: 'a', text: '\ud800', n: 1, own: true });
  await until(async () => (await two.hidden('outbox')).length === 1, 'the refusal');
  await one.put({ id: 'a', text: 'x', n: 2 });
  await one.saved();
  await until(() => two.session!.status.heldAside?.length === 1, 'the held row');
  expect(await two.row('a')).toEqual({ id: 'a', text: '\ud800', n: 1, own: true });
  await two.put({ id: 'a', text: 'fits', n: 1, own: true });
  expect(await converged(one, two)).toEqual([{ id: 'a', text: 'fits', n: 2, own: true }]);
});

test('[R1] [R19] a change that comes before what it changes waits for it, and is not taken for a deleted row', async () => {
  const [one, other] = [await online(), await relay.device()];
  const document = new RowDocument({ name: { collection: 'tasks', key: 'a' }, types: {}, clientId: 7 });
  const first = document.put({ id: 'a', n: 1 })!;
  const second = document.put({ id: 'a', n: 2 })!;
  const third = document.put({ id: 'a', n: 3 })!;
  for (const [at, update] of [third, second].entries())
    await other.push(at + 1, [{ collection: 'tasks', key: 'a', update }]);
  await tell(other, 3, setFields('b', { id: 'b' }));
  await until(async () => (await one.row('b')) !== undefined, 'what came after it');
  expect(await one.row('a')).toBeUndefined();
  await other.push(4, [{ collection: 'tasks', key: 'a', update: first }]);
  await until(async () => (await one.row('a'))?.['n'] === 3, 'the row');
  expect(await one.hidden('outbox')).toEqual([]);
});

test('[PULL-4] a delivery that is lost is noticed and asked for', async () => {
  const one = await online();
  await one.put({ id: 'a', n: 1 });
  await one.saved();
  const other = await relay.device();
  one.losing = (message) => message.type === 'deliver' && message.request === 0;
  await tell(other, 1, setFields('b', { id: 'b' }));
  await tell(other, 2, setFields('c', { id: 'c' }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  one.losing = undefined;
  await tell(other, 3, setFields('d', { id: 'd' }));
  await until(async () => (await one.rows()).length === 4, 'what was lost');
});

test('[PULL-4] [R10] a lost delivery that nothing follows is noticed by the next beat', async () => {
  const one = await online();
  await one.put({ id: 'a', n: 1 });
  await one.saved();
  const other = await relay.device();
  one.losing = (message) => message.type === 'deliver' && message.request === 0;
  await tell(other, 1, setFields('b', { id: 'b' }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  one.losing = undefined;
  expect(await one.row('b')).toBeUndefined();
  one.say({ type: 'beat', head: 2 });
  await until(async () => (await one.row('b')) !== undefined, 'what was lost');
});

test('[PULL-3] a row whose key no store can hold is left out, and the rest goes on', async () => {
  const one = await online();
  await one.put({ id: 'a', n: 1 });
  await one.saved();
  const other = await relay.device();
  const unfit = '\u0000'.repeat(600);
  await tell(other, 1, setFields(unfit, { n: 2 }), setFields('b', { id: 'b', n: 2 }));
  const rows = [
    { id: 'a', n: 1 },
    { id: 'b', n: 2 },
  ];
  await until(async () => (await one.row('b')) !== undefined, 'the row beside it');
  const two = await online();
  await until(async () => (await two.row('b')) !== undefined, 'the row beside it, in a first sync');
  expect(await converged(one, two)).toEqual(rows);
});

test('[DOC-7] a document is the row that it is named after, whatever key another program wrote into it', async () => {
  const one = await online();
  await one.put({ id: 'b', n: 1 });
  await one.saved();
  const other = await relay.device();
  await tell(other, 1, setFields('a', { id: 'b', n: 2 }), setFields('c', { n: 3 }));
  const rows = [
    { id: 'a', n: 2 },
    { id: 'b', n: 1 },
    { id: 'c', n: 3 },
  ];
  await until(async () => (await one.rows()).length === 3, 'the rows');
  // Taken over in a first sync, too.
  const two = await online();
  await until(async () => (await two.rows()).length === 3, 'the rows');
  expect(await one.rows()).toEqual(rows);
  expect(await two.rows()).toEqual(rows);
  await two.put({ id: 'a', n: 4 });
  await tell(other, 2, setFields('c', { id: 7, m: 1 }));
  await until(async () => 'm' in ((await two.row('c')) ?? {}), 'the change');
  expect(await converged(one, two)).toEqual([
    { id: 'a', n: 4 },
    { id: 'b', n: 1 },
    { id: 'c', n: 3, m: 1 },
  ]);
  expect(one.session!.status.heldAside).toEqual(two.session!.status.heldAside);
});

test('[PULL-5] [R10] a log that was lost gets all that the devices have, also what was acknowledged, and nothing twice', async () => {
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', n: 1 }, { id: 'b', n: 1 });
  await two.put({ id: 'c', n: 1 });
  await converged(one, two);
  one.killSync();
  two.killSync();
  await one.write(['tasks', 'b', undefined]);
  await replaceRelay();
  await two.startSync();
  await two.saved();
  await one.startSync();
  const rows = [
    { id: 'a', n: 1 },
    { id: 'c', n: 1 },
  ];
  expect(await converged(one, two)).toEqual(rows);
  const three = await online();
  await until(() => three.session!.status.firstSync === undefined, 'the first sync');
  expect(await converged(three, one)).toEqual(rows);
  // All devices go on from there.
  await three.put({ id: 'd', n: 4 });
  expect(await converged(one, two, three)).toHaveLength(3);
});

test('[R6] [PULL-5] a relay that lost all under live devices, with edits that it never had: nothing is there twice', async () => {
  const collections = [
    { name: 'tasks', key: 'id', fields: { notes: 'text', tags: 'list', likes: 'counter' } },
  ] as const;
  const [one, two] = [await online({ collections }), await online({ collections })];
  await one.put({ id: 'a', notes: 'hello', tags: ['x'], likes: 1 });
  await converged(one, two);
  await two.put({ id: 'a', notes: 'hello world', tags: ['x', 'y'], likes: 3 });
  await converged(one, two);
  for (let round = 1; round <= 3; round++) {
    const port = Number(new URL(relay.url).port);
    await relay.stop();
    // Nobody has heard of these, and the log that they would be merged into is gone.
    const [before] = (await one.rows()) as readonly { notes: string; tags: readonly string[]; likes: number }[];
    await one.put({
      id: 'a',
      notes: `${round} ${before!.notes}`,
      tags: [...before!.tags, `one ${round}`],
      likes: before!.likes + 1,
    });
    await two.put({ id: 'a', notes: `${before!.notes}!`, tags: before!.tags, likes: before!.likes + 10 });
    relay = await startRelay({}, port);
    const [row] = (await converged(one, two)) as readonly { notes: string; tags: readonly string[]; likes: number }[];
    expect(row).toMatchObject({ notes: `${round} ${before!.notes}!`, likes: before!.likes + 11 });
    expect(row!.tags).toEqual([...before!.tags, `one ${round}`]);
  }
  const late = await online({ collections });
  await until(() => late.session!.status.firstSync === undefined, 'the first sync');
  expect(await converged(late, one)).toEqual([
    { id: 'a', notes: '3 2 1 hello world!!!', tags: ['x', 'y', 'one 1', 'one 2', 'one 3'], likes: 36 },
  ]);
});

test('[R10] a device whose cursor is older than the log asks for rows', async () => {
  await replaceRelay({ limits: { tailBytesMax: 1 } });
  const [one, two] = [await online(), await online()];
  await one.put({ id: 'a', n: 1 });
  await converged(one, two);
  two.killSync();
  for (let n = 0; n < 30; n++) await one.put({ id: `row ${n}`, n });
  await one.put({ id: 'a', n: 2 });
  await one.write(['tasks', 'row 3', undefined]);
  await one.saved();
  await two.put({ id: 'own', n: 1 });
  await two.startSync();
  expect(await converged(one, two)).toHaveLength(31);
});

test('[R10] the first sync takes over rows in pages, tells how far it is, and goes on where it was killed', async () => {
  const one = await online();
  const text = 'x'.repeat(3_000);
  for (let from = 0; from < 800; from += 200) {
    await one.put(...Array.from({ length: 200 }, (_, n) => ({ id: `row ${from + n}`, n: from + n, text })));
  }
  await one.saved();
  const two = await open();
  await two.put({ id: 'row 5', own: true }, { id: 'mine', n: 0 });
  // What comes after the first page does not arrive: it cannot be through before it is killed, however fast it is.
  let pages = 0;
  two.losing = ({ type }) => type === 'row-page' && ++pages > 1;
  await two.startSync(relay.url);
  await until(
    async () => ((await two.hidden('meta')).find(({ id }) => id === 'rows')?.['rows'] as number) > 0,
    'a page',
    () => two.failures[0],
  );
  two.killSync();
  two.losing = undefined;
  const there = (await two.rows()).length;
  expect(there).toBeGreaterThan(50);
  expect(there).toBeLessThan(700);
  expect((await two.hidden('meta')).find(({ id }) => id === 'rows')).toMatchObject({ kind: 'first' });
  // An application that waits for this must not go on too early.
  const isThrough = two.statuses.filter(
    ({ connection, firstSync }) => connection === 'online' && firstSync === undefined,
  );
  expect(isThrough).toEqual([]);
  await two.startSync(relay.url);
  await converged(one, two);
  expect(await two.rows()).toHaveLength(801);
  const told = two.statuses.flatMap(({ firstSync }) => firstSync?.rows ?? []);
  expect(told.some((rows) => rows > 0)).toBe(true);
  expect(two.session!.status.firstSync).toBeUndefined();
  expect(await two.row('row 5')).toMatchObject({ n: 5, own: true });
});

test('[R20] a row of a collection that this device does not know yet is kept, and there when it does', async () => {
  const one = await online({ collections: [TASKS, { name: 'notes', key: 'id', fields: {} }] });
  const two = await online();
  await one.write(['notes', 'a', { id: 'a', text: 'x' }], ['tasks', 'b', { id: 'b', n: 1 }]);
  await one.saved();
  await until(async () => (await two.row('b')) !== undefined, 'the known row');
  expect(await two.hidden('states')).toHaveLength(2);
  const { image } = two;
  await two.close();
  const later = await open({ image, url: relay.url, collections: [TASKS, { name: 'notes', key: 'id', fields: {} }] });
  await until(async () => (await later.row('a', 'notes')) !== undefined, 'the row of the new collection');
});

test('[DOC-3] fields with a type merge what both devices did in them, and are stored as all read them', async () => {
  const collections = [
    { name: 'tasks', key: 'id', fields: { text: 'text', likes: 'counter', labels: 'set' } as const },
  ];
  const [one, two] = [await online({ collections }), await online({ collections })];
  await one.put({ id: 'a', text: 'hello world', likes: 1, labels: ['z', 'a'] });
  await converged(one, two);
  expect(await one.row('a')).toEqual({ id: 'a', text: 'hello world', likes: 1, labels: ['a', 'z'] });
  one.killSync();
  two.killSync();
  await one.put({ id: 'a', text: 'hello big world', likes: 6, labels: ['a', 'm', 'z'] });
  await two.put({ id: 'a', text: 'hello world!', likes: 3, labels: ['z'] });
  await one.startSync();
  await two.startSync();
  expect(await converged(one, two)).toEqual([{ id: 'a', text: 'hello big world!', likes: 8, labels: ['m', 'z'] }]);
});

const TASKS = { name: 'tasks', key: 'id', fields: {} };
