/**
 * Goal: the sync worker does for its page what src/protocol/sync-worker.ts says. Method: the worker's inside over real
 * ports, with a real engine and a real relay that wants a token; the page and the other tabs are the test.
 */
import { afterEach, expect, test } from 'vitest';
import type { PageMessage, SyncMessage, SyncNews, SyncStatus } from '../../src/protocol/sync-worker.ts';
import { PortServer } from '../../worker/engine/port-server.ts';
import { type NewsChannel, SyncWorker } from '../../worker/sync/index.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

type World = {
  readonly relay: RunningFixture;
  readonly device: SyncDevice;
  readonly worker: SyncWorker;
  readonly asked: SyncMessage[];
  readonly told: SyncStatus[];
  readonly server: PortServer;
  say(message: PageMessage): void;
  /** As a tab. */
  tell(news: SyncNews): void;
};

async function open(token: (id: number) => PageMessage, isOnline = true): Promise<World> {
  const relay = await startRelay({ secret: 'right' });
  const device = await SyncDevice.open();
  const [engine, control] = [new MessageChannel(), new MessageChannel()];
  const server = new PortServer(device.engine, engine.port2 as never, { isSync: true });
  const asked: SyncMessage[] = [];
  const told: SyncStatus[] = [];
  control.port1.onmessage = ({ data }: MessageEvent<SyncMessage>) => {
    asked.push(data);
    control.port1.postMessage(token(data.id));
  };
  const channel: NewsChannel = {
    onMessage: undefined,
    post: (news) => news.type === 'status' && told.push(news.status),
    close: () => {},
  };
  const worker = new SyncWorker(
    {
      type: 'start',
      store: 'app',
      relays: [{ url: relay.url, priority: 1 }],
      collections: device.collections,
      channel: 'news',
      isOnline,
      enginePort: engine.port1,
      controlPort: control.port2,
    },
    { platform: nodeSyncPlatform(), channel },
  );
  closers.push(
    () => relay.stop(),
    () => device.close(),
    () => server.stop(),
    () => worker.stop(),
    () => control.port1.close(),
  );
  return {
    ...{ relay, device, worker, asked, told, server },
    say: (message) => control.port1.postMessage(message),
    tell: (news) => channel.onMessage?.(news),
  };
}

const is = (told: readonly SyncStatus[], connection: SyncStatus['connection']) => () =>
  told.at(-1)?.connection === connection;

test('[R2] with a token that the page gives it connects, saves, and tells all tabs, also those that ask later', async () => {
  const { device, asked, told, tell } = await open((id) => ({ type: 'token', id, token: 'right' }));
  await until(is(told, 'online'), 'the connection');
  await device.put({ id: 'a', n: 1 });
  await device.saved();
  expect(asked).toEqual([{ type: 'token', id: 1 }]);
  await until(() => told.at(-1)?.lastAckAt !== undefined, 'the acknowledgement');
  const count = told.length;
  tell({ type: 'ask' });
  expect(told).toHaveLength(count + 1);
  expect(told.at(-1)).toEqual(told.at(-2));
});

test('[R3] a token that stays wrong is shown as refused, and flush tries again', async () => {
  let token = 'wrong';
  const { device, told, tell } = await open((id) => ({ type: 'token', id, token }));
  await device.put({ id: 'a', n: 1 });
  await until(is(told, 'refused'), 'the refusal');
  expect(told.at(-1)!.reason).toMatchObject({ code: 'sync/unauthorised', message: expect.stringContaining('token') });
  expect(await device.unsaved()).toBe(1);
  token = 'right';
  tell({ type: 'flush' });
  await device.saved();
});

test('[R9] what the page knows of the network counts, and a page without a token is asked again', async () => {
  let tokens = 0;
  const { device, told, say } = await open((id) => {
    tokens += 1;
    return tokens === 1 ? { type: 'no-token', id, message: 'signed out' } : { type: 'token', id, token: 'right' };
  });
  await device.put({ id: 'a', n: 1 });
  await until(() => told.at(-1)?.reason?.message.includes('signed out') === true, 'the reason');
  say({ type: 'network', isOnline: false });
  await until(() => told.at(-1)?.reason?.code === 'sync/no-network', 'being offline');
  say({ type: 'network', isOnline: true });
  await device.saved();
});

test('[R10] a session that fails is followed by another one, as long as the engine answers', async () => {
  const { device, worker, told } = await open((id) => ({ type: 'token', id, token: 'right' }));
  await until(is(told, 'online'), 'the connection');
  // An entry that is none: the fold cannot read it.
  await device.inside.put('$sync.changes', [{ id: 1, rows: 'damaged', isWhole: true }]);
  await until(() => told.at(-1)?.reason?.code === 'collection/invalid-key', 'the failure');
  await device.inside.delete('$sync.changes', [1]);
  await device.put({ id: 'a', n: 1 });
  await device.saved();
  expect(worker.status.connection).toBe('online');
});

test('[T6] when the engine is gone, or the page says so, nothing is left running', async () => {
  const { told, server, say, worker } = await open((id) => ({ type: 'token', id, token: 'right' }));
  await until(is(told, 'online'), 'the connection');
  server.stop();
  say({ type: 'stop' });
  const count = told.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(told.length - count).toBeLessThanOrEqual(1);
  worker.stop();
});
