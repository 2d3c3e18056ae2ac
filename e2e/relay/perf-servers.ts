/**
 * The servers that `npm run perf:relay` compares, each a process of its own, and how each is spoken to. All of them get
 * the same updates; peers run as their packages come, in memory.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { decodeRelayMessage, encodeMessage, FRAME, WireReader } from '../../src/protocol/sync/index.ts';
import { startRelayProcess } from './relay-process.ts';

const PAGE = 1_000_000;
const START_MS_MAX = 20_000;

/** How one kind of server is spoken to. */
export type Dialect = {
  readonly path: string;
  /** Each frame but the first waits for an answer to the one before. */
  readonly greeting: readonly Uint8Array[];
  updateFrame(update: Uint8Array, sequence: number): Uint8Array;
  /** How many updates a frame shows: cheap, since 100 readers ask. Each is one struct of one client. */
  countIn(frame: Uint8Array): number;
  /** The updates themselves; several may be merged into one. */
  updatesIn(frame: Uint8Array): readonly Uint8Array[];
};

export type RunningServer = { readonly url: string; end(): Promise<unknown> };

export type PerfServer = {
  readonly name: string;
  /** `floor`: no server for documents, but what this machine can send. */
  readonly role: 'ours' | 'peer' | 'floor';
  start(root: string): Promise<RunningServer>;
  dialect(): Dialect;
};

export const PERF_SERVERS: readonly PerfServer[] = [
  { name: 'relay, devices on /sync (durable)', role: 'ours', start: startOurs, dialect: deviceDialect },
  {
    name: 'relay, stock clients on /room (durable)',
    role: 'ours',
    start: startOurs,
    dialect: () => stockDialect('/room/bench'),
  },
  {
    name: '@hocuspocus/server 3.4.4 (memory)',
    role: 'peer',
    start: startHocuspocus,
    dialect: () => hocuspocusDialect('bench'),
  },
  {
    name: '@y/websocket-server 0.1.1 (memory)',
    role: 'peer',
    start: startPlain,
    dialect: () => stockDialect('/bench'),
  },
  {
    name: 'ws alone: each frame to all, as it comes',
    role: 'floor',
    start: startFloor,
    dialect: () => stockDialect('/bench'),
  },
];

function deviceDialect(): Dialect {
  // Another run is another device: the relay would take its batches for ones that come again.
  const writer = randomBytes(16).toString('hex');
  const hello = { type: 'hello', versionMin: 1, versionMax: 1, store: 'bench', token: '', epoch: '' } as const;
  return {
    path: '/sync/bench',
    greeting: [
      encodeMessage(hello),
      encodeMessage({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: true }),
    ],
    updateFrame(update, sequence) {
      const changes = [{ collection: 'tasks', key: 'bench', update }];
      return encodeMessage({ type: 'push', writer, sequence, hasMore: false, changes });
    },
    countIn(frame) {
      if (frame[0] !== FRAME.deliver) return 0;
      const reader = new WireReader(frame.subarray(1));
      reader.varint();
      reader.byte();
      reader.varint();
      return reader.varint();
    },
    updatesIn(frame) {
      const message = decodeRelayMessage(frame);
      if (message.type !== 'deliver') return [];
      return message.batches.flatMap(({ changes = [] }) => changes.map(({ update }) => update));
    },
  };
}

const stockDialect = (path: string): Dialect => framesBehind([], path, [Uint8Array.of(0, 0, 1, 0)]);

/** The same messages behind the name of the document, and a token first. */
function hocuspocusDialect(name: string): Dialect {
  const prefix = [name.length, ...Buffer.from(name)];
  return framesBehind(prefix, '/', [Uint8Array.of(...prefix, 2, 0, 1, 120), Uint8Array.of(...prefix, 0, 0, 1, 0)]);
}

/** y-protocols' sync messages. */
function framesBehind(prefix: readonly number[], path: string, greeting: readonly Uint8Array[]): Dialect {
  return {
    path,
    greeting,
    updateFrame: (update) => Uint8Array.of(...prefix, 0, 2, ...lengthOf(update), ...update),
    countIn(frame) {
      if (frame[prefix.length] !== 0 || frame[prefix.length + 1] !== 2) return 0;
      const reader = new WireReader(frame.subarray(prefix.length + 2));
      reader.varint();
      return reader.varint() === 1 ? reader.varint() : 0;
    },
    updatesIn: (frame) => [new WireReader(frame.subarray(prefix.length + 2)).block()],
  };
}

function lengthOf({ length }: Uint8Array): readonly number[] {
  return length < 128 ? [length] : [(length % 128) + 128, length >> 7];
}

async function startOurs(root: string): Promise<RunningServer> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-perf-'));
  const relay = await startRelayProcess(root, ['--data', folder, '--open']);
  return {
    url: relay.url,
    async end() {
      await relay.end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const HOCUSPOCUS = `
  import { Server } from '@hocuspocus/server';
  const server = new Server({ port: Number(process.env.PORT), address: '127.0.0.1', quiet: true });
  await server.listen();
  console.log('running');
`;

function startHocuspocus(root: string): Promise<RunningServer> {
  return startPeer(root, ['--input-type=module', '--eval', HOCUSPOCUS]);
}

function startPlain(root: string): Promise<RunningServer> {
  return startPeer(root, [join(root, 'node_modules/@y/websocket-server/src/server.js')]);
}

/** Answers the greeting, and knows nothing else. */
const FLOOR = `
  import { WebSocketServer } from 'ws';
  const server = new WebSocketServer({ port: Number(process.env.PORT), host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (socket) => socket.on('message', (frame) => {
    if (frame[1] === 2) for (const client of server.clients) client.send(frame);
    else socket.send(Uint8Array.of(0, 1, 2, 0, 0));
  }));
  server.on('listening', () => console.log('running'));
`;

function startFloor(root: string): Promise<RunningServer> {
  return startPeer(root, ['--input-type=module', '--eval', FLOOR]);
}

async function startPeer(root: string, args: readonly string[]): Promise<RunningServer> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), HOST: '127.0.0.1', NODE_ENV: 'production' };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<unknown>((resolve) => child.once('exit', resolve));
  await started(child);
  return {
    url: `ws://127.0.0.1:${port}`,
    end() {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

function started(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('The peer did not start.')), START_MS_MAX);
    child.once('exit', (code) => reject(new Error(`The peer ended with ${code}.`)));
    child.stdout!.once('data', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
