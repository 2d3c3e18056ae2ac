/**
 * Goal: rule R3 from the device's side: each refusal of a push does what PROTOCOL.md says, and local data stays. Method: a
 * real engine and session; the relay is the test, which acknowledges all but what it is told to refuse.
 */
import { afterEach, expect, test } from 'vitest';
import type { Push, RefusalCode } from '../../src/protocol/sync/index.ts';
import type { ScriptedSocket } from './scripted-sockets.ts';
import { scriptSockets } from './scripted-sockets.ts';
import { nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

let device: SyncDevice;
afterEach(() => device.close());

/** A relay that refuses the first push `times` times. */
async function open(code: RefusalCode, times: number, retryAfterMs = 0): Promise<{ readonly pushed: Push[] }> {
  const { sockets, openSocket } = scriptSockets();
  const pushed: Push[] = [];
  let left = times;
  const answer = (socket: ScriptedSocket, push: Push): void => {
    pushed.push(push);
    const { writer, sequence } = push;
    if (left > 0 && (times === 1 || pushed.length <= times || sequence === 1)) {
      left -= 1;
      socket.say({ type: 'refuse', code, about: 102, request: sequence, writer, retryAfterMs, text: `about ${code}` });
    } else socket.say({ type: 'ack', acks: [{ writer, sequence, logSequence: 0 }] });
  };
  const platform = {
    ...nodeSyncPlatform(),
    openSocket: (...[url, events]: Parameters<typeof openSocket>) => {
      openSocket(url, events);
      const socket = sockets.at(-1)!;
      const send = socket.send.bind(socket);
      socket.send = (bytes) => {
        send(bytes);
        const message = socket.sent.at(-1)!;
        setImmediate(() => {
          if (message.type === 'hello') socket.welcome();
          else if (message.type === 'push') answer(socket, message);
          else if (message.type === 'rows') {
            const { request } = message;
            socket.say({ type: 'row-page', request, isComplete: true, through: 0, rowCount: 0, rows: [] });
          } else if (message.type === 'pull') {
            socket.say({ type: 'deliver', request: message.request, isComplete: true, head: 0, batches: [] });
          }
        });
      };
      setImmediate(() => events.onOpen());
      return socket;
    },
  };
  device = await SyncDevice.open({ platform });
  await device.put({ id: 'a', n: 1 });
  await device.put({ id: 'b', n: 1 });
  await device.startSync('ws://relay');
  return { pushed };
}

const FOR_GOOD: readonly RefusalCode[] = [
  'invalid-update',
  'row-too-large',
  'read-only',
  'too-large',
  'quota-exceeded',
];

test.each(FOR_GOOD)(
  '[R3] [PUSH-2] %s: the batch stays with its reason, the next one goes, and a change takes it along',
  async (code) => {
    const { pushed } = await open(code, 1);
    const isRefused = async () => (await device.hidden('outbox')).some(({ refusal }) => refusal !== undefined);
    await until(async () => (await device.unsaved()) === 1 && (await isRefused()), 'the batch behind');
    expect(await device.hidden('outbox')).toMatchObject([
      { id: 1, count: 1, refusal: { code: `sync/${code}`, message: `about ${code}` } },
    ]);
    expect(await device.rows()).toHaveLength(2);
    await device.put({ id: 'a', n: 2 });
    await device.saved();
    // Under a number of its own, and whole.
    expect(pushed.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
    expect(pushed[2]!.changes[0]!.update.length).toBeGreaterThan(pushed[0]!.changes[0]!.update.length - 1);
  },
);

test.each(['rate-limited', 'quota-exceeded'] as const)(
  '[R3] %s with a time: the same again after it, in order',
  async (code) => {
    const { pushed } = await open(code, 2, 30);
    await device.saved();
    const last = pushed.map(({ sequence }) => sequence);
    expect(last.indexOf(1, 1)).toBeGreaterThan(0);
    expect(new Set(pushed.map(({ writer }) => writer)).size).toBe(1);
    expect(await device.hidden('outbox')).toEqual([]);
  },
);

test('[R3] [R10] sequence-gap: everything again on another connection, then under another number', async () => {
  const { pushed } = await open('sequence-gap', 2);
  await device.saved();
  const first = pushed[0]!;
  const again = pushed.filter(({ changes }) => changes[0]!.key === 'a');
  expect(again.length).toBeGreaterThan(2);
  expect(again.at(-1)!.writer).not.toBe(first.writer);
  expect(again.at(-1)!.changes).toEqual(first.changes);
});
