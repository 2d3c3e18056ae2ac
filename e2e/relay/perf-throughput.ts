/** One writer, 100 readers: how many updates a second a server takes and shows to all of them. */
import { WebSocket } from 'ws';
import * as Y from 'yjs';
import type { Dialect, PerfServer } from './perf-servers.ts';

export const CLIENTS = 100;
/** Sent and not yet seen by the first reader. */
const WINDOW = 64;
/** Before the clock runs: servers are fresh processes, whose code is not compiled yet. */
const WARM_UPDATES = 500;
const RUN_MS_MAX = 120_000;
/** Fields of the document, written over in turn. */
const FIELDS = 50;

/** Updates per second. Rejects when a reader does not get all, or the first one another document than was written. */
export async function measureThroughput(root: string, server: PerfServer, updateCount: number): Promise<number> {
  const running = await server.start(root);
  try {
    return await fanOut(running.url, server.dialect(), edits(WARM_UPDATES + updateCount));
  } finally {
    await running.end();
  }
}

type Edits = { readonly updates: readonly Uint8Array[]; readonly fields: unknown };

/** What one client writes in one session: each update is one struct. */
function edits(count: number): Edits {
  const doc = new Y.Doc({ guid: 'row' });
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let n = 0; n < count; n++) doc.getMap('fields').set(`f${n % FIELDS}`, n);
  return { updates, fields: doc.getMap('fields').toJSON() };
}

async function fanOut(url: string, dialect: Dialect, { updates, fields }: Edits): Promise<number> {
  const readers = await Promise.all(Array.from({ length: CLIENTS }, () => connect(url, dialect)));
  const writer = await connect(url, dialect);
  // Greetings are answered by then, and the readers follow.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const seen = readers.map(() => 0);
  const frames: Uint8Array[] = [];
  let sent = 0;
  let warmMs = 0;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Saw ${Math.min(...seen)} of ${updates.length}.`)), RUN_MS_MAX);
    const send = (): void => {
      for (; sent < updates.length && sent - seen[0]! < WINDOW; sent++) {
        writer.send(dialect.updateFrame(updates[sent]!, sent + 1));
        if (sent === WARM_UPDATES) warmMs = performance.now();
      }
    };
    let readersLeft = CLIENTS;
    for (const [index, reader] of readers.entries()) {
      reader.on('message', (frame: Buffer) => {
        const count = dialect.countIn(frame);
        if (count === 0) return;
        seen[index]! += count;
        if (index === 0) {
          frames.push(frame);
          send();
        }
        if (seen[index]! < updates.length || --readersLeft > 0) return;
        clearTimeout(timer);
        resolve();
      });
    }
    send();
  });
  const seconds = (performance.now() - warmMs) / 1000;
  for (const socket of [...readers, writer]) socket.terminate();
  assertShown(frames.flatMap(dialect.updatesIn), fields);
  return (updates.length - WARM_UPDATES) / seconds;
}

function assertShown(updates: readonly Uint8Array[], fields: unknown): void {
  const doc = new Y.Doc({ guid: 'row' });
  for (const update of updates) Y.applyUpdate(doc, update);
  const shown = JSON.stringify(sorted(doc.getMap('fields').toJSON()));
  if (shown !== JSON.stringify(sorted(fields as object))) throw new Error(`A reader was shown ${shown}.`);
}

const sorted = (fields: object): unknown => Object.entries(fields).toSorted(([a], [b]) => (a < b ? -1 : 1));

async function connect(url: string, { path, greeting }: Dialect): Promise<WebSocket> {
  const socket = new WebSocket(url + path);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.send(greeting[0]!);
  for (const frame of greeting.slice(1)) {
    await new Promise((resolve) => socket.once('message', resolve));
    socket.send(frame);
  }
  return socket;
}
