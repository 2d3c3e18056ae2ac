/** What the relay holds in memory while devices use it, with few and with many rows stored. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RowChange } from '../../src/protocol/sync/index.ts';
import { type Device, openDevice, setFields } from '../../test/server/device.ts';
import { type RelayProcess, startRelayProcess } from './relay-process.ts';

const PAGE = 1_000_000;
const BATCH_ROWS = 1_000;
/** The same use of small and large stores: pages of a first sync, and edits of rows all over the store. */
const PAGES = 200;
const EDITS = 6_000;
const EDITS_AT_ONCE = 50;
/** A million rows are stored in some minutes, and folded while they come. */
const FOLD_MS_MAX = 600_000;

export type MemoryFigures = {
  /** Of the process, in MB: what it has allocated, and all that is resident, which includes pages of LevelDB's files. */
  readonly ownMb: number;
  readonly residentMb: number;
  readonly storedPerSecond: number;
};

export async function measureMemory(
  root: string,
  documents: number,
  log: (line: string) => void,
): Promise<MemoryFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'relay-perf-'));
  try {
    const startMs = performance.now();
    await fill(root, folder, documents, log);
    const storedPerSecond = documents / ((performance.now() - startMs) / 1000);
    // Anew, so that nothing is left of filling it.
    const relay = await startRelayProcess(root, ['--data', folder, '--open']);
    await use(relay, documents, log);
    const figures = memoryOf(relay.pid);
    await relay.end('SIGTERM');
    return { ...figures, storedPerSecond };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fill(root: string, folder: string, documents: number, log: (line: string) => void): Promise<void> {
  const relay = await startRelayProcess(root, ['--data', folder, '--open']);
  const device = await openDevice(relay.url, { store: 'bench' });
  const { update } = setFields('x', { title: 'a document', done: false, priority: 3, tags: ['a', 'b'] });
  for (let sequence = 1; sequence <= documents / BATCH_ROWS; sequence++) {
    const from = (sequence - 1) * BATCH_ROWS;
    const changes = Array.from({ length: BATCH_ROWS }, (_, n) => ({ collection: 'tasks', key: from + n, update }));
    await push(device, sequence, changes);
  }
  await relay.folded({ deadlineMs: FOLD_MS_MAX, log });
  device.end();
  await relay.end('SIGTERM');
}

async function use(relay: RelayProcess, documents: number, log: (line: string) => void): Promise<void> {
  const device = await openDevice(relay.url, { store: 'bench' });
  await device.next('welcome');
  let after = { sequence: 0, ordinal: 0 };
  for (let request = 1; request <= PAGES; request++) {
    device.send({ type: 'rows', request, after, bytesMax: PAGE });
    const { rows, isComplete } = await device.next('row-page');
    after = isComplete ? { sequence: 0, ordinal: 0 } : rows.at(-1)!.at;
  }
  for (let n = 0; n < EDITS; n += EDITS_AT_ONCE) {
    const changes = Array.from({ length: EDITS_AT_ONCE }, (_, index) => {
      const key = Math.floor(((n + index) * documents) / EDITS);
      return { ...setFields('x', { done: true }), key };
    });
    await push(device, 1 + n / EDITS_AT_ONCE, changes);
  }
  await relay.folded({ deadlineMs: FOLD_MS_MAX, log });
  device.end();
}

/** Takes the acknowledgement away: they would all be looked through at each push. */
async function push(device: Device, sequence: number, changes: readonly RowChange[]): Promise<void> {
  await device.push(sequence, changes);
  await device.next('ack');
}

function memoryOf(pid: number): { readonly ownMb: number; readonly residentMb: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string): number => Number(status.match(new RegExp(`${name}:\\s+(\\d+) kB`))![1]) / 1024;
  return { ownMb: mb('RssAnon'), residentMb: mb('VmRSS') };
}
