/**
 * Removing many rows in one commit. They go in chunks, each of which is read, taken out of the trees one after the
 * other, and let go of: so memory is bounded by the keys, however large the rows are, and other calls run in between.
 * The head is between two states meanwhile; nobody reads it, and whoever fails half way takes it back.
 */
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import { type CollectionState, sortEntries } from '../indexes/index.ts';
import { BlobRow, KeyReader, NOT_RESIDENT, PAGE_MISS, type PageSpace, type Tree } from '../pages/index.ts';
import type { StoreState } from './store-state.ts';

/** From so many rows on, chunks pay. */
export const DELETE_TOGETHER_MIN = 256;
const CHUNK_ROWS = 16_000;
/** Large values of one chunk, which are in memory together. */
const CHUNK_BLOB_BYTES: number = 8 * 1024 * 1024;

export type RowDeletes = {
  /** Ascending. */
  readonly keys: readonly string[];
  /**
   * What was removed, chunk by chunk and encoded, for those who have to be told: rows would take several times the
   * space. Undefined when nobody has to be.
   */
  readonly removed: Uint8Array[] | undefined;
  readonly freedBlobs: number[];
};

type Chunk = { readonly keys: string[]; readonly rows: Row[]; readonly blobs: number[]; readonly end: number };

/** `between` is awaited between chunks; what it throws ends the work. Keys of no row are passed over. */
export async function deleteRows(
  state: StoreState,
  collection: CollectionState,
  { keys, removed, freedBlobs }: RowDeletes,
  between: () => Promise<void>,
): Promise<void> {
  const { space } = state;
  for (let at = 0; at < keys.length; ) {
    const chunk = await space.whenResident(() => readChunk(state, collection, keys, at));
    for (const index of collection.indexes) {
      await removeAll(space, index.tree, sortEntries(chunk.rows.map(index.entriesOf, index), chunk.keys));
      await between();
    }
    await removeAll(space, collection.primary, chunk.keys);
    if (chunk.rows.length > 0) removed?.push(encodeRows(chunk.rows));
    for (const blob of chunk.blobs) freedBlobs.push(blob);
    at = chunk.end;
    state.trim();
    await between();
  }
}

export function* deleteEvents(
  collection: CollectionState,
  { removed }: RowDeletes,
  origin: ChangeEvent['origin'] = 'local',
): Generator<ChangeEvent> {
  for (const batch of removed ?? []) {
    for (const before of decodeRows(batch)) {
      yield { type: 'delete', key: collection.keyOf(before), row: undefined, before, origin };
    }
  }
}

function readChunk(state: StoreState, { primary }: CollectionState, keys: readonly string[], from: number): Chunk {
  const reader = new KeyReader(primary.space, primary.head);
  const found: unknown[] = [];
  const end = Math.min(keys.length, from + CHUNK_ROWS);
  for (let at = from; at < end; at += 1) found.push(reader.read(keys[at]!));
  // Pages that are missing have all been asked for: one load brings a level of them.
  if (found.includes(NOT_RESIDENT)) throw PAGE_MISS;
  const chunk = { keys: [] as string[], rows: [] as Row[], blobs: [] as number[], end };
  let blobBytes = 0;
  let isMissing = false;
  for (const [at, stored] of found.entries()) {
    if (stored === undefined) continue;
    if (stored instanceof BlobRow) {
      if (blobBytes > CHUNK_BLOB_BYTES) {
        chunk.end = from + at;
        break;
      }
      blobBytes += stored.bytes;
      chunk.blobs.push(stored.blob);
    }
    try {
      chunk.rows.push(state.wholeRow(stored));
      chunk.keys.push(keys[from + at]!);
    } catch (error) {
      if (error !== PAGE_MISS) throw error;
      isMissing = true;
    }
  }
  if (isMissing) throw PAGE_MISS;
  return chunk;
}

async function removeAll(space: PageSpace, tree: Tree, keys: readonly string[]): Promise<void> {
  const progress = { at: 0 };
  await space.whenResident(() => {
    const reader = new KeyReader(tree.space, tree.head);
    let isResident = true;
    for (let at = progress.at; at < keys.length; at += 1) if (!reader.isResident(keys[at]!)) isResident = false;
    if (!isResident) throw PAGE_MISS;
    tree.removeSorted(keys, progress);
  });
}
