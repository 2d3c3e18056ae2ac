/**
 * Goal: a connection comes again when it should and only then, and notices when the other side is gone. Method: a clock
 * that stands still until it is moved, and sockets whose other end is the test.
 */
import { expect, test } from 'vitest';
import type { RefusalCode, RelayMessage } from '../../src/protocol/sync/index.ts';
import { backoffMs } from '../../worker/sync/backoff.ts';
import { Connection, type ConnectionState } from '../../worker/sync/connection.ts';
import { createManualPlatform, type ManualPlatform } from '../fakes/manual-platform.ts';
import { type ScriptedSocket, scriptSockets } from './scripted-sockets.ts';

type World = {
  readonly platform: ManualPlatform;
  readonly connection: Connection;
  readonly sockets: readonly ScriptedSocket[];
  readonly states: ConnectionState[];
  readonly received: RelayMessage[];
  readonly tokensAsked: (string | undefined)[];
  lostCount: number;
  /** Lets promises of the connection go on. */
  turn(): Promise<void>;
  last(): ScriptedSocket;
};

function start(token: (asked: number) => Promise<string> = async () => 'secret'): World {
  const platform = createManualPlatform();
  const { sockets, openSocket } = scriptSockets();
  const world: World = {
    platform,
    sockets,
    states: [],
    received: [],
    tokensAsked: [],
    lostCount: 0,
    turn: () => new Promise((resolve) => setImmediate(resolve)),
    last: () => sockets.at(-1)!,
    connection: new Connection({
      platform: { ...platform, openSocket },
      url: 'ws://relay.example/base/',
      store: 'app',
      owner: {
        epoch: () => 'epoch',
        token: (refused) => {
          world.tokensAsked.push(refused);
          return token(world.tokensAsked.length);
        },
        welcomed: () => {},
        received: (message) => world.received.push(message),
        carried: () => {},
        lost: () => {
          world.lostCount++;
        },
        changed: (state) => world.states.push(state),
      },
    }),
  };
  world.connection.start();
  return world;
}

async function welcomed(): Promise<World> {
  const world = start();
  await world.turn();
  world.last().welcome();
  return world;
}

test('[R9] says hello, is open with the welcome, and gives on what comes after it', async () => {
  const { connection, last, received, turn, platform } = start();
  await turn();
  expect(last().url).toBe('ws://relay.example/base/sync/app');
  expect(connection.send({ type: 'beat', head: 0 })).toBe(false);
  last().welcome();
  const hello = { type: 'hello', versionMin: 1, versionMax: 2, store: 'app', token: 'secret', epoch: 'epoch' };
  expect(last().sent).toEqual([hello]);
  expect(connection.state).toEqual({ type: 'open' });
  last().say({ type: 'beat', head: 3 });
  expect(received).toEqual([{ type: 'beat', head: 3 }]);
  connection.stop();
  expect(platform.timerCount).toBe(0);
});

test('[R9] [CON-2] silence is asked about, and ends the connection within 30 s', async () => {
  const world = await welcomed();
  world.platform.advance(15_000);
  expect(world.last().sent).toHaveLength(1);
  world.platform.advance(4_000);
  expect(world.last().sent.at(-1)).toEqual({ type: 'beat', head: 0 });
  world.last().say({ type: 'beat', head: 0 });
  world.platform.advance(20_000);
  expect(world.connection.state).toEqual({ type: 'open' });
  world.platform.advance(10_000);
  expect(world.states).toContainEqual(
    expect.objectContaining({ type: 'waiting', why: 'The relay has fallen silent.' }),
  );
  expect([world.last().isClosed, world.lostCount]).toEqual([true, 1]);
});

test('[R9] a relay that takes the socket and says nothing, or never takes it, is left', async () => {
  const world = start();
  await world.turn();
  world.last().events.onOpen();
  world.platform.advance(15_000);
  expect(world.connection.state.type).toBe('waiting');
  expect([world.last().isClosed, world.lostCount]).toEqual([true, 0]);
});

test('[R9] [CON-1] what a former socket says is ignored', async () => {
  const world = await welcomed();
  const former = world.last();
  world.connection.restart();
  await world.turn();
  expect(world.sockets).toHaveLength(2);
  former.say({ type: 'beat', head: 9 });
  former.refuse('malformed', 4400);
  former.events.onClose(1006, '');
  expect(world.connection.state.type).toBe('connecting');
  world.last().welcome();
  former.welcome();
  former.say({ type: 'beat', head: 10 });
  expect(world.received).toEqual([]);
  expect(world.connection.state.type).toBe('open');
});

test('[R9] waits longer after each failure, never the same for all, and a welcome resets that', async () => {
  const world = start();
  const delays: number[] = [];
  const fail = async (): Promise<void> => {
    await world.turn();
    world.last().events.onClose(1006, '');
    const state = world.connection.state as { delayMs: number };
    delays.push(state.delayMs);
    world.platform.advance(state.delayMs);
  };
  for (let attempt = 0; attempt < 8; attempt++) await fail();
  for (const [at, delayMs] of delays.entries()) {
    const longest = Math.min(1_000 * 2 ** at, 30_000);
    expect(delayMs).toBeGreaterThanOrEqual(longest / 2);
    expect(delayMs).toBeLessThanOrEqual(longest);
  }
  expect(new Set(delays.map((delayMs, at) => delayMs / Math.min(1_000 * 2 ** at, 30_000))).size).toBeGreaterThan(4);
  await world.turn();
  world.last().welcome();
  delays.length = 0;
  await fail();
  expect(delays[0]).toBeLessThanOrEqual(1_000);
});

test('[R9] delays are bounded whatever the number of the attempt', () => {
  for (const attempt of [1, 2, 10, 1_000, 1e9]) {
    expect(backoffMs(attempt, { random: (bytes) => bytes.fill(255) })).toBeLessThanOrEqual(30_000);
    expect(backoffMs(attempt, { random: (bytes) => bytes.fill(0) })).toBeGreaterThanOrEqual(500);
  }
});

const FINAL: readonly (readonly [RefusalCode, number, string])[] = [
  ['malformed', 4400, 'report'],
  ['client-too-old', 4406, 'Update the application'],
  ['relay-too-old', 4406, 'Update the relay'],
  ['unknown-store', 4404, 'name'],
  ['hello-expected', 4400, 'report'],
];

test.each(FINAL)(
  '[R3] [R9] %s is final, is shown with what helps, and is tried again when asked',
  async (code, closeCode, help) => {
    const world = start();
    await world.turn();
    world.last().events.onOpen();
    world.last().refuse(code, closeCode);
    expect(world.connection.state).toMatchObject({ type: 'refused', code, text: `about ${code}` });
    expect((world.connection.state as { hint: string }).hint).toContain(help);
    world.platform.advance(3_600_000);
    world.connection.hint('online');
    await world.turn();
    expect(world.sockets).toHaveLength(1);
    world.connection.retry();
    await world.turn();
    world.last().welcome();
    expect(world.connection.state).toEqual({ type: 'open' });
  },
);

test('[R3] [CON-3] close codes without a refusal are final, too, and 1012 and 1013 are not', async () => {
  for (const [closeCode, type] of [
    [4403, 'refused'],
    [4408, 'refused'],
    [4499, 'refused'],
    [1012, 'waiting'],
    [1013, 'waiting'],
    [4500, 'waiting'],
  ] as const) {
    const world = start();
    await world.turn();
    world.last().events.onClose(closeCode, 'why');
    expect([closeCode, world.connection.state.type]).toEqual([closeCode, type]);
  }
});

test('[R3] a token that is refused is replaced at once; the same one again is final', async () => {
  const world = start(async (asked) => (asked === 1 ? 'old' : 'new'));
  await world.turn();
  world.last().events.onOpen();
  world.last().refuse('unauthorised', 4401);
  await world.turn();
  world.last().welcome();
  expect(world.last().sent[0]).toMatchObject({ token: 'new' });
  expect(world.tokensAsked).toEqual([undefined, 'old']);

  const other = start(async () => 'same');
  await other.turn();
  other.last().events.onOpen();
  other.last().refuse('unauthorised', 4401);
  await other.turn();
  expect(other.connection.state).toMatchObject({ type: 'refused', code: 'unauthorised' });
  expect(other.sockets).toHaveLength(1);
});

test('[R3] tokens that are all refused end in a refusal', async () => {
  const world = start(async (asked) => `token ${asked}`);
  for (let attempt = 0; attempt < 10; attempt++) {
    await world.turn();
    if (world.connection.state.type === 'refused') break;
    world.last().refuse('unauthorised', 4401);
    world.platform.advance(60_000);
  }
  expect(world.connection.state).toMatchObject({ type: 'refused', code: 'unauthorised' });
  expect(world.sockets.length).toBeLessThan(6);
});

test('[T6] an application that gives no token in time, or none at all, is asked again later', async () => {
  const silent = start(() => new Promise(() => {}));
  silent.platform.advance(30_000);
  expect(silent.connection.state).toMatchObject({ type: 'waiting', why: expect.stringContaining('token') });
  const failing = start(() => Promise.reject(new Error('signed out')));
  await failing.turn();
  expect(failing.connection.state).toMatchObject({ type: 'waiting', why: expect.stringContaining('signed out') });
});

test('[R9] the browser says that it is offline: nothing is tried until it is online again, or a minute has gone', async () => {
  const world = start();
  world.connection.hint('offline');
  await world.turn();
  world.last().events.onClose(1006, '');
  expect(world.connection.state).toEqual({ type: 'offline' });
  world.platform.advance(50_000);
  await world.turn();
  expect(world.sockets).toHaveLength(1);
  world.connection.hint('online');
  await world.turn();
  world.last().welcome();
  world.connection.hint('offline');
  expect(world.connection.state).toEqual({ type: 'open' });
  world.last().events.onClose(1006, '');
  world.platform.advance(60_000);
  await world.turn();
  expect(world.sockets).toHaveLength(3);
});

test('[R9] a frame that was damaged ends the connection, which comes again', async () => {
  const world = await welcomed();
  world.last().events.onFrame(Uint8Array.of(103, 1, 2));
  expect(world.connection.state.type).toBe('waiting');
  const former = await welcomed();
  // y-websocket's own types, and frames without a byte.
  former.last().events.onFrame(Uint8Array.of(1, 0));
  expect(former.connection.state.type).toBe('open');
  former.last().events.onFrame(new Uint8Array());
  expect(former.connection.state.type).toBe('waiting');
});

test('[R9] nothing is left running after the end', async () => {
  for (const world of [start(), await welcomed()]) {
    await world.turn();
    world.connection.stop();
    world.sockets.at(-1)?.welcome();
    await world.turn();
    expect([world.connection.state.type, world.platform.timerCount]).toEqual(['stopped', 0]);
    world.connection.hint('online');
    world.connection.retry();
    expect(world.connection.state.type).toBe('stopped');
  }
});
