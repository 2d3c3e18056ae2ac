/** Goal: a device is told the truth by the relay, and is refused by name. Method: devices that speak the wire themselves. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as decoding from 'lib0/decoding';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RelayOptions } from '../../server/index.ts';
import { encodeMessage, type RowPage } from '../../src/protocol/sync/index.ts';
import { type Device, fieldsOf, setFields } from './device.ts';
import { type RunningFixture, startRelay } from './relay-fixture.ts';

const PAGE = 1_000_000;

let fixture: RunningFixture;
beforeEach(async () => {
  fixture = await startRelay();
});
afterEach(() => fixture.stop());

async function restartWith(options: Partial<RelayOptions>): Promise<void> {
  await fixture.stop();
  fixture = await startRelay(options);
}

test('[REL-1] a batch is acknowledged, and delivered whole to who follows', async () => {
  const [writer, reader] = [await fixture.device(), await follower()];
  const changes = [setFields('a', { n: 1 }), setFields(5, { n: 2 }), setFields('a', { n: 3 }, 'other')];
  expect(await writer.push(1, changes)).toMatchObject({ logSequence: 1 });
  const { batches, head } = await reader.next('deliver');
  expect(head).toBe(1);
  expect(batches).toEqual([{ sequence: 1, writer: writer.writer, writerSequence: 1, changes }]);
});

test('[REL-1] who follows is told of its own batches by their place alone', async () => {
  const device = await follower();
  await device.push(1, [setFields('a', { n: 1 })]);
  const { batches } = await device.next('deliver');
  expect(batches).toEqual([{ sequence: 1, writer: device.writer, writerSequence: 1, changes: undefined }]);
});

test('[R20] a transaction in many parts is one batch: stored, acknowledged and delivered whole', async () => {
  const [writer, reader] = [await fixture.device(), await follower()];
  await writer.next('welcome');
  const changes = Array.from({ length: 60 }, (_, n) => setFields(`row ${n}`, { text: 'x'.repeat(20_000) }));
  for (let from = 0; from < 60; from += 20) {
    const part = changes.slice(from, from + 20);
    writer.send({ type: 'push', writer: writer.writer, sequence: 1, hasMore: from < 40, changes: part });
    if (from < 40) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reader.waiting('deliver')).toEqual([]);
  }
  const { acks } = await writer.next('ack');
  expect(acks).toHaveLength(1);
  const { batches } = await reader.next('deliver');
  expect(batches.map((batch) => batch.changes?.length)).toEqual([60]);
});

test('[R20] parts of a batch that was left are forgotten', async () => {
  const device = await fixture.device();
  await device.next('welcome');
  const { writer } = device;
  device.send({ type: 'push', writer, sequence: 1, hasMore: true, changes: [setFields('lost', { n: 1 })] });
  await device.push(2, [setFields('kept', { n: 2 })]);
  device.send({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: false });
  const { batches } = await device.next('deliver');
  expect(batches.map(({ changes }) => changes?.map(({ key }) => key))).toEqual([['kept']]);
});

test('[R1] [R20] a batch of which a part was refused is not stored without it, and is taken when it comes again', async () => {
  await restartWith({ limits: { frameBytesMax: 10_000 } });
  const device = await fixture.device();
  await device.next('welcome');
  const { writer } = device;
  const part = (key: string, bytes: number, hasMore: boolean) =>
    device.send({
      type: 'push',
      writer,
      sequence: 1,
      hasMore,
      changes: [setFields(key, { text: 'x'.repeat(bytes) })],
    });
  part('a', 10, true);
  part('b', 12_000, true);
  part('c', 10, true);
  part('d', 10, false);
  expect(await device.next('refuse')).toMatchObject({ code: 'too-large', about: 102, request: 1, writer });
  // In smaller parts, the first of them refused as the one that ended the batch would be.
  part('a', 10, true);
  part('b', 10, false);
  expect((await device.next('ack')).acks).toMatchObject([{ writer, sequence: 1 }]);
  part('c', 12_000, false);
  part('d', 10, false);
  device.send({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: false });
  const { batches } = await device.next('deliver');
  expect(batches.map(({ changes }) => changes?.map(({ key }) => key))).toEqual([['a', 'b']]);
});

test('[R1] a batch that comes again is acknowledged and not stored, whatever socket it comes on', async () => {
  const first = await fixture.device();
  const changes = [setFields('a', { n: 1 })];
  expect((await first.push(1, changes)).logSequence).toBe(1);
  first.end();
  const second = await fixture.device();
  await second.next('welcome');
  second.send({ type: 'push', writer: first.writer, sequence: 1, hasMore: false, changes });
  expect((await second.next('ack')).acks).toEqual([{ writer: first.writer, sequence: 1, logSequence: 1 }]);
  second.send({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: false });
  expect((await second.next('deliver')).batches).toHaveLength(1);
});

test('[REL-2] pages of a pull have no gap, and the stream goes on behind them while others write', async () => {
  const writer = await fixture.device();
  for (let n = 1; n <= 30; n++) await writer.push(n, [setFields(`row ${n}`, { text: 'x'.repeat(200) })]);
  const reader = await fixture.device();
  await reader.next('welcome');
  const told: number[] = [];
  let pushed = 30;
  for (let request = 1; ; request++) {
    reader.send({ type: 'pull', request, after: told.at(-1) ?? 0, bytesMax: 1000, follow: true });
    if (pushed < 40) writer.send(pushOf(writer, ++pushed));
    const page = await reader.next('deliver');
    expect(page.request).toBe(request);
    told.push(...page.batches.map(({ sequence }) => sequence));
    if (page.isComplete) break;
  }
  while (pushed < 60) writer.send(pushOf(writer, ++pushed));
  while (told.at(-1)! < 60) told.push(...(await reader.next('deliver')).batches.map(({ sequence }) => sequence));
  expect(told).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
});

test('[REL-3] a first sync gets each row once, with its state and its plain fields', async () => {
  const writer = await fixture.device();
  for (let n = 1; n <= 20; n++) await writer.push(n, [setFields(n % 5, { [`f${n}`]: n }), setFields(`s${n}`, { n })]);
  const rows = await firstSync(await fixture.device(), 100);
  expect(rows.size).toBe(25);
  const zero = rows.get('0')!;
  expect(fieldsOf([zero.state])).toEqual({ f5: 5, f10: 10, f15: 15, f20: 20 });
  expect(decoding.readAny(decoding.createDecoder(zero.projection!))).toEqual({ f5: 5, f10: 10, f15: 15, f20: 20 });
});

test('[REL-3] a device that was away gets the rows that changed, and no others', async () => {
  const writer = await fixture.device();
  for (let n = 1; n <= 10; n++) await writer.push(n, [setFields(`row ${n}`, { n })]);
  await firstSync(await fixture.device(), PAGE);
  await writer.push(11, [setFields('row 3', { more: true })]);
  await until(async () => (await fixture.relay.health()).unfoldedBatches === 0);
  const back = await fixture.device();
  await back.next('welcome');
  back.send({ type: 'rows', request: 1, after: { sequence: 10, ordinal: 0 }, bytesMax: PAGE });
  const page = await back.next('row-page');
  expect(page.rows.map(({ key }) => key)).toEqual(['row 3']);
  expect(page).toMatchObject({ isComplete: true, through: 11, rowCount: 10 });
});

test('[REL-4] presence goes to all others of the store, and ends with the socket', async () => {
  const [first, second] = [await fixture.device(), await fixture.device()];
  await Promise.all([first.next('welcome'), second.next('welcome')]);
  const presence = Uint8Array.of(1, 14, 1, 7, 1, 10, ...new TextEncoder().encode('{"name":1}'));
  first.sendBytes(presence);
  await until(() => second.frames.length > 0);
  expect(second.frames[0]).toEqual(presence);
  first.end();
  await until(() => second.frames.length > 1);
  expect(new TextDecoder().decode(second.frames[1]!)).toContain('null');
});

test('[REL-5] the carrier answers the first step with nothing, and takes no changes', async () => {
  const device = await fixture.device();
  await device.next('welcome');
  device.sendBytes(Uint8Array.of(0, 0, 1, 0));
  await until(() => device.frames.length > 0);
  expect(device.frames[0]).toEqual(Uint8Array.of(0, 1, 2, 0, 0));
  const { update } = setFields('a', { n: 1 });
  device.sendBytes(Uint8Array.of(0, 2, update.length, ...update));
  expect(await device.next('refuse')).toMatchObject({ code: 'read-only', about: 0 });
});

test('[REL-6] stores do not see each other', async () => {
  const [one, other] = [await fixture.device({ store: 'one' }), await follower('other')];
  await one.push(1, [setFields('a', { n: 1 })]);
  await other.push(1, [setFields('b', { n: 1 })]);
  const { batches } = await other.next('deliver');
  expect(batches.map(({ sequence, writer }) => [sequence, writer])).toEqual([[1, other.writer]]);
});

test('[REL-7] what was acknowledged is there after the relay was started again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'relay-'));
  try {
    await restartWith({ data: folder });
    const before = await fixture.device();
    const { epoch } = await before.next('welcome');
    await before.push(1, [setFields('a', { n: 1 })]);
    await restartWith({ data: folder });
    const after = await fixture.device();
    expect(await after.next('welcome')).toMatchObject({ epoch, head: 1, floor: 0 });
    after.send({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: false });
    const { batches } = await after.next('deliver');
    expect(fieldsOf([batches[0]!.changes![0]!.update])).toEqual({ n: 1 });
  } finally {
    await fixture.stop();
    await rm(folder, { recursive: true, force: true });
    fixture = await startRelay();
  }
});

test('[R3] one refusal for each code that this version sends', async () => {
  await restartWith({
    secret: 'right',
    limits: { frameBytesMax: 4_000, batchBytesMax: 9_000, rowStateBytesMax: 3_000 },
  });
  const hello = { type: 'hello', versionMin: 1, versionMax: 1, store: 'app', token: 'right', epoch: '' } as const;
  const greet = async (bytes: Uint8Array): Promise<readonly [string, number]> => {
    const device = await fixture.device({ greets: false });
    device.sendBytes(bytes);
    const { code } = await device.next('refuse');
    return [code, (await device.closed()).code];
  };
  expect(await greet(encodeMessage({ ...hello, token: 'wrong' }))).toEqual(['unauthorised', 4401]);
  expect(await greet(encodeMessage({ ...hello, store: 'else' }))).toEqual(['unknown-store', 4404]);
  expect(await greet(Uint8Array.of(100, 0, 0))).toEqual(['client-too-old', 4406]);
  expect(await greet(Uint8Array.of(100, 3, 9, 1, 2, 3))).toEqual(['relay-too-old', 4406]);
  expect(await greet(Uint8Array.of(101))).toEqual(['hello-expected', 4400]);
  expect(await greet(Uint8Array.of(100, 1, 1, 200))).toEqual(['malformed', 4400]);

  const device = await fixture.device({ token: 'right' });
  await device.next('welcome');
  const { writer } = device;
  const refusalOf = async (message: Parameters<Device['send']>[0]): Promise<unknown> => {
    device.send(message);
    const { code, about, request, writer: whose } = await device.next('refuse');
    return [code, about, request, whose];
  };
  const push = (sequence: number, changes: ReturnType<typeof setFields>[], hasMore = false) =>
    ({ type: 'push', writer, sequence, hasMore, changes }) as const;
  const large = (key: string): ReturnType<typeof setFields> => setFields(key, { text: 'x'.repeat(3_500) });
  expect(await refusalOf(push(1, [setFields('a', { text: 'x'.repeat(5_000) })]))).toEqual([
    'too-large',
    102,
    1,
    writer,
  ]);
  for (const key of ['a', 'b']) device.send(push(1, [large(key)], true));
  expect(await refusalOf(push(1, [large('c')]))).toEqual(['too-large', 102, 1, writer]);
  const bad = { collection: 'tasks', key: 'a', update: Uint8Array.of(1, 2, 3) };
  expect(await refusalOf(push(1, [setFields('good', { n: 1 }), bad]))).toEqual(['invalid-update', 102, 1, writer]);
  expect(await refusalOf(push(3_000, [setFields('a', { n: 1 })]))).toEqual(['sequence-gap', 102, 3_000, writer]);
  const pull = { type: 'pull', request: 7, after: 99, bytesMax: PAGE, follow: false } as const;
  expect(await refusalOf(pull)).toEqual(['cursor-ahead', 105, 7, '']);
  await device.push(1, [large('grown')]);
  await until(async () => (await fixture.relay.health()).unfoldedBatches === 0);
  expect(await refusalOf(push(2, [setFields('grown', { n: 1 })]))).toEqual(['row-too-large', 102, 2, writer]);
  // Nothing of what was refused was done.
  device.send({ ...pull, after: 0 });
  const { batches } = await device.next('deliver');
  expect(batches.map(({ changes }) => changes?.map(({ key }) => key))).toEqual([['grown']]);
});

test('[R3] too much at once is refused with the time after which it may come again', async () => {
  await restartWith({ limits: { framesPerSecond: 10 } });
  const device = await fixture.device();
  await device.next('welcome');
  for (let n = 0; n < 60; n++) device.send({ type: 'beat', head: 0 });
  const { code, retryAfterMs } = await device.next('refuse');
  expect(code).toBe('rate-limited');
  await new Promise((resolve) => setTimeout(resolve, retryAfterMs + 100));
  await expect(device.push(1, [setFields('a', { n: 1 })])).resolves.toMatchObject({ logSequence: 1 });
});

test.each([
  ['an unknown path', '/nowhere', {}, 4404],
  ['a store with a forbidden name', '/sync/$rooms', {}, 4404],
  ['a path that is not UTF-8', '/room/%ff', {}, 4404],
  ['a page of another host', '/sync/app', { origin: 'https://evil.example' }, 4403],
])('[S1] %s is closed for good', async (_, path, headers, code) => {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(fixture.url + path, { headers });
  expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(code);
});

test('[S1] pages of allowed origins, of the same host, and programs may connect', async () => {
  const { host } = new URL(fixture.url);
  await (await fixture.device({ headers: { origin: `http://${host}` } })).next('welcome');
  await restartWith({ origins: ['https://app.example'] });
  await (await fixture.device({ headers: { origin: 'https://app.example' } })).next('welcome');
  await (await fixture.device()).next('welcome');
  const other = await fixture.device({ headers: { origin: `http://${host}` } });
  expect((await other.closed()).code).toBe(4403);
});

test('[S4] frames that no protocol knows end their socket and nothing else', async () => {
  const calm = await fixture.device();
  await calm.next('welcome');
  for (let seed = 1; seed <= 60; seed++) {
    const noisy = await fixture.device({ greets: seed % 2 === 0 });
    for (let n = 0; n < 5; n++)
      noisy.sendBytes(Uint8Array.from({ length: seed * 3 + n }, (_, at) => (at * seed * 7 + n * 31) % 256));
    noisy.end();
  }
  await expect(calm.push(1, [setFields('a', { n: 1 })])).resolves.toMatchObject({ logSequence: 1 });
});

test('[R15] a reader that does not read is cut off, and the others are served', async () => {
  await restartWith({ limits: { waitingBytesMax: 256 * 1024 } });
  const [writer, slow, reader] = [await fixture.device(), await follower(), await follower()];
  slow.socket.pause();
  const text = 'x'.repeat(200_000);
  let pushed = 0;
  await until(async () => {
    await writer.push(++pushed, [setFields('a', { text })]);
    return (await fixture.relay.metrics()).includes('relay_slow_readers_total 1');
  });
  const told: number[] = [];
  while (told.length < pushed) told.push(...(await reader.next('deliver')).batches.map(({ sequence }) => sequence));
  expect(told).toEqual(Array.from({ length: pushed }, (_, index) => index + 1));
});

test('[REL-8] health and metrics tell of what is there', async () => {
  await (await fixture.device()).push(1, [setFields('a', { n: 1 })]);
  const base = fixture.url.replace('ws', 'http');
  const health = await fetch(`${base}/health`);
  expect([health.status, await health.json()]).toMatchObject([200, { status: 'ok', connections: 1, stores: 1 }]);
  expect(await (await fetch(`${base}/metrics`)).text()).toContain('relay_batches_stored_total 1');
});

test('[REL-8] an option that is not one is refused by name', async () => {
  const wrong = { data: 'memory:', secrets: 'x' };
  await expect(startRelay(wrong)).rejects.toMatchObject({ code: 'relay/bad-option', details: { option: 'secrets' } });
  const limits = { frameBytesMax: -1 };
  await expect(startRelay({ limits })).rejects.toMatchObject({ details: { option: 'limits.frameBytesMax' } });
});

async function follower(store = 'app'): Promise<Device> {
  const device = await fixture.device({ store });
  const { head } = await device.next('welcome');
  device.send({ type: 'pull', request: 1, after: head, bytesMax: PAGE, follow: true });
  expect((await device.next('deliver')).isComplete).toBe(true);
  return device;
}

function pushOf(device: Device, sequence: number): Parameters<Device['send']>[0] {
  const changes = [setFields(`row ${sequence}`, { sequence })];
  return { type: 'push', writer: device.writer, sequence, hasMore: false, changes };
}

async function firstSync(device: Device, bytesMax: number): Promise<ReadonlyMap<string, RowPage['rows'][number]>> {
  await device.next('welcome');
  await until(async () => (await fixture.relay.health()).unfoldedBatches === 0);
  const rows = new Map<string, RowPage['rows'][number]>();
  for (let after = { sequence: 0, ordinal: 0 }, request = 1; ; request++) {
    device.send({ type: 'rows', request, after, bytesMax });
    const page = await device.next('row-page');
    for (const row of page.rows) {
      expect(rows.has(String(row.key))).toBe(false);
      rows.set(String(row.key), row);
    }
    if (page.isComplete) return rows;
    after = page.rows.at(-1)!.at;
  }
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const start = Date.now();
  while (!(await isTrue())) {
    if (Date.now() - start > 10_000) throw new Error('Waited 10 s in vain.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
