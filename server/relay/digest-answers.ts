/** What a device is told to find out whether it has the same as the relay: digests of rows, and the states of some. */
import type { Platform } from '../../src/base/platform.ts';
import {
  type Digest,
  type Digests,
  PAGE_BYTES_MAX,
  type RowChange,
  type RowDigest,
  rowDigest,
  type StatePage,
  type States,
} from '../../src/protocol/sync/index.ts';
import type { StoreLog } from '../log/index.ts';

/** The event loop is given back at least so often. */
const SLICE_MS = 8;
/** Of states in one answer; one is always sent whole. */
const STATES_BYTES: number = PAGE_BYTES_MAX / 8;

export async function digestsOf(
  log: StoreLog,
  { request, after, rowsMax }: Digest,
  platform: Platform,
): Promise<Digests> {
  const read = await log.statesAfter(after, Math.max(rowsMax, 1));
  const rows: RowDigest[] = [];
  let sliceMs = platform.now();
  for (const { collection, key, state } of read.rows) {
    rows.push({ collection, key, digest: rowDigest({ collection, key }, state) });
    if (platform.now() - sliceMs < SLICE_MS) continue;
    await platform.yieldTask();
    sliceMs = platform.now();
  }
  const { head, rowCount } = log;
  return { type: 'digests', request, isLast: read.isLast, through: read.through, head, rowCount, rows };
}

export async function statesOf(log: StoreLog, { request, rows }: States): Promise<StatePage> {
  const states = await log.states(rows);
  const page: RowChange[] = [];
  let bytes = 0;
  for (const [index, { collection, key }] of rows.entries()) {
    const state = states[index]?.state;
    if (state === undefined) continue;
    bytes += state.length;
    if (page.length > 0 && bytes > STATES_BYTES) break;
    page.push({ collection, key, update: state });
  }
  return { type: 'state-page', request, rows: page };
}
