/** How far this store has come with the relay's log: rows of `$sync.meta`. Permanent. */
import type { Row } from '../../src/base/row.ts';
import type { RowCursor } from '../../src/protocol/sync/index.ts';
import { SYNC_META } from '../../src/protocol/sync-worker.ts';
import type { StoreVerbs } from './store-client.ts';

const CURSOR = 'cursor';
const ROWS = 'rows';
const OWN = 'own';

/** What is here of the log. */
export type CursorRow = {
  readonly id: typeof CURSOR;
  /** Of the log; empty before the first welcome. */
  readonly epoch: string;
  /** All batches up to it are here. */
  readonly sequence: number;
  /** Counts logs: a log that has lost something, or another one, has to be asked for everything. */
  readonly generation: number;
};

/**
 * Rows that are being asked for. `first`: nothing was here. `newer`: what changed behind the cursor, since the log does
 * not have the batches any more. `all`: the log is another one, or has lost something.
 */
export type RowsRow = {
  readonly id: typeof ROWS;
  readonly kind: 'first' | 'newer' | 'all';
  /** Up to here they are stored. */
  readonly after: RowCursor;
  readonly rows: number;
};

/** States that the relay may not have are being pushed, in the order of their ids; up to `after` they are in the outbox. */
export type OwnRow = { readonly id: typeof OWN; readonly after: string };

export type Place = {
  readonly cursor: CursorRow;
  readonly rows: RowsRow | undefined;
  readonly own: OwnRow | undefined;
};

export const START: Place = {
  cursor: { id: CURSOR, epoch: '', sequence: 0, generation: 0 },
  rows: undefined,
  own: undefined,
};

export async function readPlace(store: StoreVerbs): Promise<Place> {
  const [cursor, rows, own] = await store.getMany(SYNC_META, [CURSOR, ROWS, OWN]);
  return {
    cursor: (cursor as CursorRow | undefined) ?? START.cursor,
    rows: rows as RowsRow | undefined,
    own: own as OwnRow | undefined,
  };
}

/** Writes what differs. */
export async function writePlace(tx: StoreVerbs, before: Place, after: Place): Promise<void> {
  const put: Row[] = [];
  const gone: string[] = [];
  for (const part of ['cursor', 'rows', 'own'] as const) {
    if (after[part] === before[part]) continue;
    if (after[part] === undefined) gone.push(before[part]!.id);
    else put.push(after[part] as unknown as Row);
  }
  await tx.put(SYNC_META, put);
  if (gone.length > 0) await tx.delete(SYNC_META, gone);
}

export const atCursor = (place: Place, sequence: number): Place => ({
  ...place,
  cursor: { ...place.cursor, sequence },
});

export const askingRows = (place: Place, kind: RowsRow['kind'], after: RowCursor): Place => ({
  ...place,
  rows: { id: ROWS, kind, after, rows: 0 },
});

export const pushingOwn = (place: Place, after: string): Place => ({ ...place, own: { id: OWN, after } });
