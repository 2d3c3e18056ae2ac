/**
 * Goal: what a device and the relay have not the same of is found, told and mended, and looking for it costs little.
 * Method: real engines and a real relay on LevelDB; what one side has is changed behind its back.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { applyUpdate, Doc, encodeStateAsUpdate, mergeUpdates } from 'yjs';
import { openLevelLog, type StatePut } from '../../server/log/index.ts';
import type { Row } from '../../src/base/row.ts';
import { decodeRelayMessage, isSameDigest, rowDigest } from '../../src/protocol/sync/index.ts';
import { RowDocument } from '../../worker/documents/index.ts';
import { rowId } from '../../worker/sync/row-id.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { type DeviceOptions, nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

const FAST = { firstMs: 20, partMs: 5, roundMs: 50, retryMs: 5, rows: 7 };
const TASKS = [{ name: 'tasks', key: 'id', fields: { notes: 'text' } as const }];
const NAME = { collection: 'tasks', key: 'a' };

let folder: string;
let relay: RunningFixture;
const devices: SyncDevice[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'digests-'));
  relay = await startRelay({ data: folder });
});
afterEach(async () => {
  for (const device of devices.splice(0)) await device.close();
  await relay.stop();
  await rm(folder, { recursive: true, force: true });
});

async function open(options: DeviceOptions = {}): Promise<SyncDevice> {
  const device = await SyncDevice.open({ url: relay.url, collections: TASKS, digestPace: FAST, ...options });
  devices.push(device);
  return device;
}

const rowsOf = (count: number): readonly Row[] =>
  Array.from({ length: count }, (_, n) => ({ id: `row ${n}`, n, notes: `note ${n}` }));
const repaired = (device: SyncDevice): number => device.session?.status.repaired?.rows ?? 0;
const stateOf = async (device: SyncDevice, key: string): Promise<Row> =>
  (await device.inside.getMany('$sync.states', [rowId('tasks', key)]))[0]!;

/** Has the relay's log to itself, as a disk has that loses something. */
async function inLog(change: (log: Awaited<ReturnType<typeof openLevelLog>>) => Promise<void>): Promise<void> {
  const port = Number(new URL(relay.url).port);
  await until(async () => (await relay.relay.health()).unfoldedBatches === 0, 'the states');
  for (const device of devices) device.killSync();
  await relay.stop();
  const log = await openLevelLog(folder, nodeSyncPlatform());
  await change(log);
  await log.close();
  relay = await startRelay({ data: folder }, port);
  for (const device of devices) await device.startSync(relay.url);
}

test('[DIG-1] a state of this device that was changed behind its back is mended from the relay, and told', async () => {
  const one = await open();
  await one.put(...rowsOf(30));
  await one.saved();
  // An older state, as of a write that was lost, and one that is gone.
  const before = await stateOf(one, 'row 3');
  await one.change('row 3', (row) => ({ ...row, notes: 'note 3, changed', n: 33 }));
  await one.saved();
  const after = await stateOf(one, 'row 3');
  await one.inside.put('$sync.states', [before]);
  await one.inside.delete('$sync.states', [rowId('tasks', 'row 4')]);
  await until(() => repaired(one) === 2, 'the repair');
  const states = [await stateOf(one, 'row 3'), after].map(({ state }) => rowDigest(NAME, state as Uint8Array));
  expect(isSameDigest(states[0]!, states[1]!)).toBe(true);
  // Texts are not doubled, and nothing was sent.
  expect(await one.row('row 3')).toEqual({ id: 'row 3', n: 33, notes: 'note 3, changed' });
  expect(await one.row('row 4')).toEqual({ id: 'row 4', n: 4, notes: 'note 4' });
  expect(await one.hidden('outbox')).toEqual([]);
  expect(one.session!.status.repaired).toMatchObject({ rows: 2, lastAt: expect.any(Number) });
  // And a change that nobody but this device has in its state goes to the others.
  const two = await open();
  const document = new RowDocument({ name: { ...NAME, key: 'row 5' }, types: TASKS[0]!.fields, clientId: 99 });
  document.apply((await stateOf(one, 'row 5'))['state'] as Uint8Array);
  document.put({ id: 'row 5', n: 55, notes: 'note 5' });
  await one.inside.put('$sync.states', [{ id: rowId('tasks', 'row 5'), state: document.state }]);
  await until(async () => (await two.row('row 5'))?.['n'] === 55, 'what only one had');
  expect(await one.row('row 5')).toMatchObject({ n: 55 });
  await one.saved();
});

test('[DIG-1] [R10] a state that the relay has lost is mended from a device, and others get it', async () => {
  const one = await open();
  await one.put(...rowsOf(20));
  await one.saved();
  let old: Uint8Array | undefined;
  await inLog(async (log) => {
    const store = await log.open('app');
    old = (await store.state({ ...NAME, key: 'row 2' }))!.state;
  });
  await one.change('row 2', (row) => ({ ...row, notes: 'changed' }));
  await one.saved();
  await inLog(async (log) => {
    const store = await log.open('app');
    const name = { ...NAME, key: 'row 2' };
    const { at } = (await store.state(name))!;
    const put: StatePut = { ...name, at, state: old!, projection: undefined, expectedSequence: at.sequence };
    await store.putStates([put], store.folded);
  });
  const late = await open({ digestPace: { firstMs: 1e9 } });
  await until(async () => (await late.row('row 2')) !== undefined, 'the first sync');
  await until(() => repaired(one) >= 1, 'the repair');
  await until(async () => (await late.row('row 2'))?.['notes'] === 'changed', 'what the relay had lost');
  await one.saved();
  expect(await one.rows()).toHaveLength(20);
  expect(repaired(one)).toBe(1);
});

test('[DIG-1] rows that the relay has lost altogether are noticed by their number', async () => {
  const one = await open({ digestPace: { firstMs: 1e9 } });
  await one.put(...rowsOf(10));
  await one.saved();
  one.killSync();
  // A relay that was made of a copy without some of its rows, under the same epoch.
  await one.inside.put('$sync.states', [
    { id: rowId('tasks', 'row x'), state: (await stateOf(one, 'row 1'))['state'] as Uint8Array },
  ]);
  const again = await open({ image: one.image });
  devices.splice(devices.indexOf(one), 1);
  await until(() => repaired(again) === 1, 'the missing row');
  const two = await open({ digestPace: { firstMs: 1e9 } });
  await until(async () => (await two.hidden('states')).length === 11, 'all rows at the relay');
});

test('[DIG-1] what is merely under way is no difference', async () => {
  const random = createSeededRandom(7);
  const [one, two] = [await open(), await open()];
  await one.put(...rowsOf(15));
  for (let step = 0; step < 120; step++) {
    const device = random() < 0.5 ? one : two;
    await device.change(`row ${Math.floor(random() * 15)}`, (row) => ({ ...row, n: step, notes: `${row['notes']}.` }));
    if (random() < 0.2) await new Promise((resolve) => setTimeout(resolve, random() * 60));
  }
  await one.saved();
  await two.saved();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect([repaired(one), repaired(two)]).toEqual([0, 0]);
});

test('[DIG-2] a quiet store is compared for a few bytes a row, and nothing is stored for it', async () => {
  const platform = nodeSyncPlatform();
  let bytes = 0;
  let frames = 0;
  const counted = {
    ...platform,
    openSocket: (url: string, events: Parameters<typeof platform.openSocket>[1]) =>
      platform.openSocket(url, {
        ...events,
        onOpen: () => events.onOpen(),
        onClose: (code: number, reason: string) => events.onClose(code, reason),
        onFrame: (frame: Uint8Array) => {
          const isDigest = frame[0]! >= 100 && decodeRelayMessage(frame).type === 'digests';
          frames += isDigest ? 1 : 0;
          bytes += isDigest ? frame.length : 0;
          events.onFrame(frame);
        },
      }),
  };
  const one = await open();
  await one.put(...rowsOf(1_200));
  await one.saved();
  await until(async () => (await relay.relay.health()).unfoldedBatches === 0, 'the states');
  one.killSync();
  const { image } = one;
  await one.close();
  devices.length = 0;
  const two = await open({ image, platform: counted, digestPace: { ...FAST, rows: 500 } });
  await until(() => frames > 0, 'the first part');
  let stored = 0;
  for (const name of ['states', 'outbox', 'meta', 'changes']) {
    two.inside.watch(
      `$sync.${name}`,
      () => stored++,
      () => {},
    );
  }
  // Whole rounds of three parts, from the first row on.
  [bytes, frames] = [0, 0];
  await until(() => frames >= 12, 'rounds');
  expect(bytes / frames).toBeLessThan(400 * 25 + 20);
  expect(stored).toBe(0);
  expect(repaired(two)).toBe(0);
});

test('[DIG-1] [WIRE-3] a relay that knows of no digests is not asked for them', async () => {
  const platform = nodeSyncPlatform();
  const sent: number[] = [];
  const old = {
    ...platform,
    openSocket: (url: string, events: Parameters<typeof platform.openSocket>[1]) => {
      const socket = platform.openSocket(url, {
        onOpen: () => events.onOpen(),
        onClose: (code: number, reason: string) => events.onClose(code, reason),
        // As a relay of version 1 answers the same hello.
        onFrame: (frame: Uint8Array) => {
          if (frame[0] === 101) frame[1] = 1;
          events.onFrame(frame);
        },
      });
      return {
        get bufferedBytes() {
          return socket.bufferedBytes;
        },
        send: (frame: Uint8Array) => {
          sent.push(frame[0]!);
          socket.send(frame);
        },
        close: () => socket.close(),
      };
    },
  };
  const one = await open({ platform: old });
  await one.put(...rowsOf(3));
  await one.saved();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(sent).toContain(102);
  expect(sent.filter((type) => type >= 110)).toEqual([]);
});

test('[DIG-1] a digest is of what is in a document, not of how it is encoded', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = createSeededRandom(seed);
    const docs = [new Doc(), new Doc(), new Doc()];
    const updates: Uint8Array[] = [];
    for (const doc of docs) doc.on('update', (update: Uint8Array) => updates.push(update));
    for (let step = 0; step < 40; step++) {
      const doc = docs[Math.floor(random() * 3)]!;
      const text = doc.getText('notes');
      if (random() < 0.7) text.insert(Math.floor(random() * (text.length + 1)), `${step}`);
      else if (text.length > 0) text.delete(Math.floor(random() * text.length), 1);
      if (random() < 0.3) applyUpdate(docs[0]!, encodeStateAsUpdate(doc));
    }
    const all = [...updates];
    const whole = new Doc();
    for (const update of all.toReversed()) applyUpdate(whole, update);
    // The second is not put together as a document does it, and has the texts that were deleted.
    const merged = [encodeStateAsUpdate(whole), mergeUpdates(all)] as const;
    const digests = merged.map((state) => rowDigest(NAME, state));
    expect(isSameDigest(digests[0]!, digests[1]!), `seed ${seed}`).toBe(true);
    const more = new Doc();
    applyUpdate(more, merged[0]);
    more.getText('notes').insert(0, 'x');
    expect(isSameDigest(digests[0]!, rowDigest(NAME, encodeStateAsUpdate(more))), `seed ${seed}`).toBe(false);
    expect(isSameDigest(digests[0]!, rowDigest({ ...NAME, key: 'b' }, merged[0])), `seed ${seed}`).toBe(false);
  }
});
