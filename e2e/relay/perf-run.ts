/**
 * npm run perf:relay: how many updates a second a relay takes and shows to 100 clients, beside two other Yjs servers, and
 * what the relay's memory does when the number of stored documents grows. Servers are processes of their own; all clients
 * are sockets of this one, which do as little as they can. Updates are the same bytes for all.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { encodeMessage, FRAME, WireReader } from '../../src/protocol/sync/index.ts';
import { openDevice, setFields } from '../../test/server/device.ts';
import { startRelayProcess } from './relay-process.ts';

const CLIENTS = 100;
/** Sent and not yet seen by the first reader. */
const WINDOW = 64;
const RUN_MS_MAX = 60_000;
const PAGE = 1_000_000;
/** A million rows are stored in some minutes, and folded while they come. */
const FOLD_MS_MAX = 600_000;

/** How one kind of server is spoken to. */
type Dialect = {
  readonly path: string;
  readonly greeting: readonly Uint8Array[];
  updateFrame(update: Uint8Array, sequence: number): Uint8Array;
  /** How many updates a frame shows. */
  updatesIn(frame: Buffer): number;
};
type Running = { readonly url: string; end(): Promise<unknown> };

export async function main(args: readonly string[], root: string): Promise<number> {
  const number = (name: string, otherwise: number): number =>
    args.includes(`--${name}`) ? Number(args[args.indexOf(`--${name}`) + 1]) : otherwise;
  const suite = args.includes('--suite') ? args[args.indexOf('--suite') + 1] : undefined;
  if (suite !== 'memory') await measureThroughput(root, number('updates', 2_000), number('rounds', 3));
  if (suite === 'throughput') return 0;
  for (const count of [10_000, number('documents', 1_000_000)]) {
    const { rssMb, storedPerSecond } = await measureMemory(root, count);
    const memory = `${rssMb.toFixed(0)} MB resident after a restart`;
    console.log(`${count} documents: ${memory}, ${storedPerSecond.toFixed(0)} documents/s stored and folded`);
  }
  return 0;
}

async function measureThroughput(root: string, updates: number, rounds: number): Promise<void> {
  const names = Object.keys(SERVERS);
  const rates = new Map<string, number[]>(names.map((name) => [name, []]));
  // Round by round, so that a change of the machine's mood meets all of them.
  for (let round = 0; round < rounds; round++) {
    for (const name of names) rates.get(name)!.push(await measure(root, name, updates));
  }
  for (const [name, measured] of rates) {
    const each = measured.map((rate) => rate.toFixed(0)).join(', ');
    console.log(`${name}: ${median(measured).toFixed(0)} updates/s to ${CLIENTS} clients (${each})`);
  }
}

const SERVERS: { readonly [name: string]: { start(root: string): Promise<Running>; readonly dialect: Dialect } } = {
  'relay, devices on /sync (durable)': { start: startOurs, dialect: deviceDialect() },
  'relay, stock clients on /room (durable)': { start: startOurs, dialect: stockDialect('/room/bench') },
  '@hocuspocus/server 3.4.4 (memory)': { start: startHocuspocus, dialect: hocuspocusDialect('bench') },
  '@y/websocket-server 0.1.1 (memory)': { start: startPlain, dialect: stockDialect('/bench') },
};

async function measure(root: string, name: string, updateCount: number): Promise<number> {
  const { start, dialect } = SERVERS[name]!;
  const server = await start(root);
  try {
    const updates = Array.from({ length: updateCount }, (_, n) => setFields('bench', { [`f${n % 50}`]: n }).update);
    return await fanOut(server.url, dialect, updates);
  } finally {
    await server.end();
  }
}

async function fanOut(url: string, dialect: Dialect, updates: readonly Uint8Array[]): Promise<number> {
  const readers = await Promise.all(Array.from({ length: CLIENTS }, () => connect(url, dialect)));
  const writer = await connect(url, dialect);
  // Greetings are answered by then, and the readers follow.
  await sleep(500);
  const seen = readers.map(() => 0);
  let sent = 0;
  const startMs = performance.now();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Saw ${Math.min(...seen)} of ${updates.length}.`)), RUN_MS_MAX);
    const send = (): void => {
      for (; sent < updates.length && sent - seen[0]! < WINDOW; sent++) {
        writer.send(dialect.updateFrame(updates[sent]!, sent + 1));
      }
    };
    for (const [index, reader] of readers.entries()) {
      reader.on('message', (frame: Buffer) => {
        seen[index]! += dialect.updatesIn(frame);
        if (index === 0) send();
        if (seen[index]! < updates.length || Math.min(...seen) < updates.length) return;
        clearTimeout(timer);
        resolve();
      });
    }
    send();
  });
  const seconds = (performance.now() - startMs) / 1000;
  for (const socket of [...readers, writer]) socket.terminate();
  return updates.length / seconds;
}

async function connect(url: string, { path, greeting }: Dialect): Promise<WebSocket> {
  const socket = new WebSocket(url + path);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.send(greeting[0]!);
  for (const frame of greeting.slice(1)) {
    // The next frame of a greeting waits for an answer to the one before.
    await new Promise((resolve) => socket.once('message', resolve));
    socket.send(frame);
  }
  return socket;
}

function deviceDialect(): Dialect {
  const writer = randomBytes(16).toString('hex');
  const hello = { type: 'hello', versionMin: 1, versionMax: 1, store: 'bench', token: '', epoch: '' } as const;
  return {
    path: '/sync/bench',
    greeting: [
      encodeMessage(hello),
      encodeMessage({ type: 'pull', request: 1, after: 0, bytesMax: PAGE, follow: true }),
    ],
    updateFrame(update, sequence) {
      // Another writer in each round would be another device; sequences of one may begin anew after a restart.
      const changes = [{ collection: 'tasks', key: 'bench', update }];
      return encodeMessage({ type: 'push', writer, sequence, hasMore: false, changes });
    },
    updatesIn(frame) {
      const reader = new WireReader(frame);
      if (reader.varint() !== FRAME.deliver) return 0;
      reader.varint();
      reader.byte();
      reader.varint();
      return reader.varint();
    },
  };
}

function stockDialect(path: string): Dialect {
  return {
    path,
    greeting: [Uint8Array.of(0, 0, 1, 0)],
    updateFrame: (update) => Uint8Array.of(0, 2, update.length, ...update),
    updatesIn: (frame) => (frame[0] === 0 && frame[1] === 2 ? 1 : 0),
  };
}

/** The same messages behind the name of the document, and a token first. */
function hocuspocusDialect(name: string): Dialect {
  const prefix = [name.length, ...Buffer.from(name)];
  return {
    path: '/',
    greeting: [Uint8Array.of(...prefix, 2, 0, 1, 120), Uint8Array.of(...prefix, 0, 0, 1, 0)],
    updateFrame: (update) => Uint8Array.of(...prefix, 0, 2, update.length, ...update),
    updatesIn: (frame) => (frame[prefix.length] === 0 && frame[prefix.length + 1] === 2 ? 1 : 0),
  };
}

async function startOurs(root: string): Promise<Running> {
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

function startHocuspocus(root: string): Promise<Running> {
  return startPeer(root, ['--input-type=module', '--eval', HOCUSPOCUS]);
}

function startPlain(root: string): Promise<Running> {
  return startPeer(root, [join(root, 'node_modules/@y/websocket-server/src/server.js')]);
}

async function startPeer(root: string, args: readonly string[]): Promise<Running> {
  const port = 20_000 + (randomBytes(2).readUInt16BE() % 20_000);
  const env = { ...process.env, PORT: String(port), HOST: '127.0.0.1' };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  await Promise.race([
    new Promise((resolve) => child.stdout.once('data', resolve)),
    exited.then((code) => Promise.reject(new Error(`The peer ended with ${code}.`))),
  ]);
  return {
    url: `ws://127.0.0.1:${port}`,
    end() {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

/** Stores that many rows, waits until all are folded, starts the relay anew, reads a page, and looks at its memory. */
async function measureMemory(
  root: string,
  documents: number,
): Promise<{ readonly rssMb: number; readonly storedPerSecond: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-perf-'));
  try {
    const first = await startRelayProcess(root, ['--data', folder, '--open']);
    const startMs = performance.now();
    const device = await openDevice(first.url, { store: 'bench' });
    const { update } = setFields('x', { title: 'a document', done: false, priority: 3, tags: ['a', 'b'] });
    const batchRows = 1_000;
    for (let sequence = 1; sequence <= documents / batchRows; sequence++) {
      const from = (sequence - 1) * batchRows;
      const changes = Array.from({ length: batchRows }, (_, n) => ({ collection: 'tasks', key: from + n, update }));
      await device.push(sequence, changes);
      // Taken here: they would all be looked through at each push.
      await device.next('ack');
    }
    await first.folded({ deadlineMs: FOLD_MS_MAX, log: console.log });
    const seconds = (performance.now() - startMs) / 1000;
    device.end();
    await first.end('SIGTERM');
    const second = await startRelayProcess(root, ['--data', folder, '--open']);
    const reader = await openDevice(second.url, { store: 'bench' });
    await reader.next('welcome');
    reader.send({ type: 'rows', request: 1, after: { sequence: 0, ordinal: 0 }, bytesMax: PAGE });
    await reader.next('row-page');
    await reader.push(1, [setFields('one more', { n: 1 })]);
    await second.folded({ deadlineMs: FOLD_MS_MAX, log: console.log });
    const rssMb = Number(readFileSync(`/proc/${second.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)![1]) / 1024;
    reader.end();
    await second.end('SIGTERM');
    return { rssMb, storedPerSecond: documents / seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
