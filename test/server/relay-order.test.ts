/**
 * Goal: rule R1, nobody hears of a batch that is not on disk. Method: a log whose flush waits until the test lets it go, or
 * fails, below a relay with a device that pushes, one that follows, and a stock client on the same row.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { DEFAULT_LIMITS } from '../../server/limits/index.ts';
import { type OrderedStore, openKeyedLog } from '../../server/log/index.ts';
import { createMemoryHome, openMemoryStore } from '../../server/log/memory-store.ts';
import { RunningRelay } from '../../server/relay/index.ts';
import { createPlatform } from '../../src/base/platform.ts';
import { WireReader } from '../../src/protocol/sync/index.ts';
import { fieldsOf, openDevice, setFields } from './device.ts';

const QUIET_MS = 50;

test('[R1] no acknowledgement, no delivery and no echo before the flush, and all of them after it', async () => {
  const held = await startHeldRelay();
  const { writer, reader, stock } = await held.clients();
  held.hold();
  const changes = [setFields('a', { n: 1 })];
  const acknowledged = writer.push(1, changes);
  await quiet();
  expect(writer.waiting('ack')).toEqual([]);
  expect(reader.waiting('deliver')).toEqual([]);
  expect(stock.updates()).toBe(0);
  // Nor does a page that is asked for meanwhile show it, or the greeting of a new device count it.
  reader.send({ type: 'pull', request: 2, after: 0, bytesMax: 1000, follow: true });
  expect(await reader.next('deliver')).toMatchObject({ batches: [], head: 0, isComplete: true });
  held.release();
  expect(await acknowledged).toMatchObject({ logSequence: 1 });
  expect((await reader.next('deliver')).batches[0]!.changes).toEqual(changes);
  await quiet();
  expect(stock.updates()).toBe(1);
  await held.stop();
});

test('[R1] when the flush fails, nobody ever hears of the batch, and the relay says that it is ill', async () => {
  const held = await startHeldRelay();
  const { writer, reader, stock } = await held.clients();
  held.fail();
  writer.send({
    type: 'push',
    writer: writer.writer,
    sequence: 1,
    hasMore: false,
    changes: [setFields('a', { n: 1 })],
  });
  expect(await writer.next('refuse')).toMatchObject({ code: 'unavailable', about: 102, request: 1 });
  expect((await writer.closed()).code).toBe(1013);
  await quiet();
  expect([reader.waiting('deliver'), stock.updates()]).toEqual([[], 0]);
  expect(held.relay.isHealthy).toBe(false);
  await held.stop();
});

test('[REL-10] small updates that one flush has made durable reach a stock client as one, and large ones each', async () => {
  const held = await startHeldRelay();
  const { writer, stock } = await held.clients();
  held.hold();
  const texts = ['a', 'b', 'c', 'x'.repeat(20_000), 'y'.repeat(20_000)];
  // The first goes into a flush of its own, the others into the next one.
  const pushed = [writer.push(1, [setFields('a', { first: true })])];
  await quiet();
  for (const [n, text] of texts.entries()) pushed.push(writer.push(n + 2, [setFields('a', { [`f${n}`]: text })]));
  await quiet();
  held.release();
  await Promise.all(pushed);
  await quiet();
  expect(stock.updates()).toBe(1 + 1 + 2);
  expect(stock.fields()).toEqual({ first: true, f0: 'a', f1: 'b', f2: 'c', f3: texts[3], f4: texts[4] });
  await held.stop();
});

test('[R20] the last page of rows waits for a fold that is half written', async () => {
  const held = await startHeldRelay();
  const { writer, reader } = await held.clients();
  const changes = Array.from({ length: 600 }, (_, n) => setFields(n, { n }));
  // A fold is written in pieces of 500 rows: the second one is held.
  held.hold((writes, durability) => durability === 'buffered' && writes.length < 500 && writes.length > 1);
  await writer.push(1, changes);
  await held.untilHeld();
  reader.send({ type: 'rows', request: 2, after: { sequence: 0, ordinal: 0 }, bytesMax: 1_000_000 });
  await quiet();
  expect(reader.waiting('row-page')).toEqual([]);
  held.release();
  const { rows, isComplete, through } = await reader.next('row-page');
  expect([rows.length, isComplete, through]).toEqual([600, true, 1]);
  await held.stop();
});

async function startHeldRelay() {
  const platform = createPlatform();
  const store = openMemoryStore(createMemoryHome());
  let gate: Promise<void> = Promise.resolve();
  let open = (): void => {};
  let isHeld: Holds = isFlushed;
  let met = (): void => {};
  let meeting: Promise<void> = Promise.resolve();
  const log = await openKeyedLog(
    {
      ...store,
      async write(writes, durability) {
        if (isHeld(writes, durability)) {
          met();
          await gate;
        }
        await store.write(writes, durability);
      },
    },
    platform,
  );
  const relay = new RunningRelay({
    log,
    platform,
    limits: DEFAULT_LIMITS,
    observe: () => {},
    authorise: () => true,
    isOriginAllowed: () => true,
  });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    relay,
    hold(holds: Holds = isFlushed) {
      isHeld = holds;
      gate = new Promise((resolve) => {
        open = resolve;
      });
      meeting = new Promise((resolve) => {
        met = resolve;
      });
    },
    untilHeld: () => meeting,
    release: () => open(),
    fail() {
      gate = Promise.reject(new Error('EIO'));
      gate.catch(() => undefined);
    },
    async clients() {
      const [writer, reader, stock] = [await openDevice(url), await openDevice(url), await stockClient(url)];
      await writer.next('welcome');
      await reader.next('welcome');
      reader.send({ type: 'pull', request: 1, after: 0, bytesMax: 1000, follow: true });
      await reader.next('deliver');
      return { writer, reader, stock };
    },
    async stop() {
      await relay.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Holds = (...write: Parameters<OrderedStore['write']>) => boolean;

const isFlushed: Holds = (_, durability) => durability === 'flushed';

/** Takes the update messages of a row's document. */
async function stockClient(url: string): Promise<{ updates(): number; fields(): unknown }> {
  const socket = new WebSocket(`${url}/doc/app/tasks/a`);
  const updates: Uint8Array[] = [];
  await new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      if (data[0] === 0 && data[1] === 2) updates.push(new WireReader(data.subarray(2)).block());
      resolve();
    });
  });
  return { updates: () => updates.length, fields: () => fieldsOf(updates) };
}

const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS));
