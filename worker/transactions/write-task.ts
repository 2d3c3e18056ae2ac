/**
 * A write on its way: first prepared against the head without changing it, then applied. Both may throw PAGE_MISS and
 * are then repeated; applying is idempotent (see CollectionState).
 */
import { encodeRows, estimateRowBytes } from '../../src/base/codec/index.ts';
import { toBlobId } from '../../src/base/ids.ts';
import { ROW_BYTES_MAX } from '../../src/base/limits.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import { type CollectionState, decodePrimaryKey, entryList, type StoredRow } from '../indexes/index.ts';
import { BlobRow, KeyReader, NOT_RESIDENT, PAGE_MISS, wantKey } from '../pages/index.ts';
import type { BlobWrite } from '../storage/index.ts';
import type { CatalogueChange, Operation } from './commit-format.ts';
import { deleteEvents, type RowDeletes } from './delete-rows.ts';
import type { RowInserts } from './row-inserts.ts';
import type { StoreState } from './store-state.ts';

/** What happens to one row. */
export type RowChange = {
  readonly key: string;
  /** The row now stored, whole, and its blob when it has one. */
  readonly before: Row | undefined;
  readonly freedBlob: number | undefined;
  /** undefined removes the row. */
  readonly after: StoredRow | undefined;
};

export type PreparedWrite = {
  readonly collection: CollectionState;
  /** Ascending by key where there are many: neighbours share their path. */
  readonly changes: readonly RowChange[];
  /** Instead of changes. */
  readonly inserts?: RowInserts;
  /** Instead of changes: many rows go, see `deleteRows`. */
  readonly deletes?: RowDeletes;
  /** Batches that hold the new rows in order, when the caller brought them encoded. */
  readonly encoded: readonly Uint8Array[] | undefined;
  readonly blobs: readonly BlobWrite[];
  /** Stored in the same commit. Such a write tells nobody of the rows that it changes: it is a migration's. */
  readonly catalogue?: CatalogueChange;
  /** Of other collections, in the same commit: a transaction's. */
  readonly more?: readonly PreparedWrite[];
  /** The answer to the caller. */
  readonly value: unknown;
};

/** A write of a commit for each of its collections. */
export const partsOf = (write: PreparedWrite): readonly PreparedWrite[] =>
  write.more === undefined ? [write] : [write, ...write.more];

/** Rows larger than this, encoded, live in the blob store: a page of large rows would be rewritten for each of them. */
export const ROW_INLINE_BYTES_MAX: number = 16 * 1024;

/** A new row as its tree will hold it, and the blob to write with it when it is large. */
export function storedRow(
  state: Pick<StoreState, 'nextBlob'>,
  collection: CollectionState,
  key: string,
  row: Row,
  blobs: BlobWrite[],
): StoredRow {
  if (estimateRowBytes(row) <= ROW_INLINE_BYTES_MAX / 2) return { stored: row, row };
  const bytes = encodeRows([row]);
  if (bytes.length > ROW_BYTES_MAX) {
    throw new StoreError(
      'collection/too-large',
      `A row of ${collection.spec.name} takes ${bytes.length} bytes; the limit is ${ROW_BYTES_MAX}.`,
      {
        details: {
          collection: collection.spec.name,
          key: collection.keyOf(row),
          bytes: bytes.length,
          limit: ROW_BYTES_MAX,
        },
        hint: 'Split the row, or keep large binary data in several rows.',
      },
    );
  }
  if (bytes.length <= ROW_INLINE_BYTES_MAX) return { stored: row, row };
  const id = toBlobId(state.nextBlob++);
  blobs.push({ id, bytes });
  return { stored: new BlobRow(key, id, bytes.length), row };
}

/** The present row under a key, whole, with the blob that replacing it would free. */
export function presentRow(
  state: Pick<StoreState, 'wholeRow'>,
  collection: CollectionState,
  key: string,
): { readonly before: Row; readonly freedBlob: number | undefined } | undefined {
  const stored = collection.primary.find(key);
  if (stored === undefined) return undefined;
  return { before: state.wholeRow(stored), freedBlob: stored instanceof BlobRow ? stored.blob : undefined };
}

/** The present rows under many keys. May throw PAGE_MISS, when all that is missing has been asked for. */
export function presentRows(
  state: Pick<StoreState, 'wholeRow'>,
  collection: CollectionState,
  keys: readonly string[],
): readonly ReturnType<typeof presentRow>[] {
  let isMissing = false;
  const rows = keys.map((key) => {
    try {
      return presentRow(state, collection, key);
    } catch (error) {
      if (error !== PAGE_MISS) throw error;
      isMissing = true;
      return undefined;
    }
  });
  if (isMissing) throw PAGE_MISS;
  return rows;
}

/** Which of the keys are there. May throw PAGE_MISS, when all that is missing has been asked for. */
export function presentKeys({ primary }: CollectionState, keys: readonly string[]): readonly boolean[] {
  const reader = new KeyReader(primary.space, primary.head);
  const found = keys.map((key) => reader.read(key));
  if (found.includes(NOT_RESIDENT)) throw PAGE_MISS;
  return found.map((value) => value !== undefined);
}

/**
 * Changes all trees of the collection. May throw PAGE_MISS, when all that is missing has been asked for; then it is
 * repeated.
 */
export function applyWrite(write: PreparedWrite): void {
  const { collection, changes, inserts } = write;
  try {
    inserts?.apply(collection);
    for (const { key, before, after } of changes) {
      if (after !== undefined) collection.put(key, after, before);
      else collection.remove(key, before!);
    }
  } catch (error) {
    if (error === PAGE_MISS) wantPages(write);
    throw error;
  }
}

/** What has been applied is asked for again, which costs a look at the cache. */
function wantPages({ collection, changes, inserts }: PreparedWrite): void {
  inserts?.want(collection);
  for (const { key } of changes) wantKey(collection.primary.space, collection.primary.root, key);
  for (const index of collection.indexes) {
    const { space, root } = index.tree;
    for (const { key, before, after } of changes) {
      const old = before && index.entriesOf(before);
      const next = after && index.entriesOf(after.row);
      // Most changes leave most indexes alone.
      if (typeof old === 'string' && old === next) continue;
      for (const entries of [old, next]) for (const entry of entryList(entries)) wantKey(space, root, entry + key);
    }
  }
}

export function operationsOf({
  collection,
  changes,
  inserts,
  deletes,
  encoded,
  catalogue,
}: PreparedWrite): readonly Operation[] {
  if (encoded !== undefined) return [{ type: 'put', collection: collection.id, rows: [], encoded }];
  if (inserts !== undefined) return [{ type: 'put', collection: collection.id, rows: inserts.rows }];
  if (deletes !== undefined) return [{ type: 'delete', collection: collection.id, keys: deletes.keys }];
  const operations: Operation[] = [];
  const rows: Row[] = [];
  const keys: string[] = [];
  for (const { key, after } of changes) {
    if (after === undefined) keys.push(key);
    else if (after.stored instanceof BlobRow) {
      const { blob, bytes } = after.stored;
      operations.push({ type: 'put-blob', collection: collection.id, key, blob, bytes });
    } else rows.push(after.stored);
  }
  if (rows.length > 0) operations.push({ type: 'put', collection: collection.id, rows });
  if (keys.length > 0) operations.push({ type: 'delete', collection: collection.id, keys });
  if (catalogue !== undefined) operations.push({ type: 'catalogue', change: catalogue });
  return operations;
}

export function eventsOf(
  { collection, changes, inserts, deletes }: PreparedWrite,
  origin: ChangeEvent['origin'],
): readonly ChangeEvent[] {
  if (deletes !== undefined) return [...deleteEvents(collection, deletes, origin)];
  if (inserts !== undefined) {
    return inserts.rows.map((row) => ({
      type: 'create',
      key: collection.keyOf(row),
      row,
      before: undefined,
      origin,
    }));
  }
  return changes.map(({ key, before, after }) => ({
    type: after === undefined ? 'delete' : before === undefined ? 'create' : 'update',
    key: keyOf(collection, key, after),
    row: after?.row,
    before,
    origin,
  }));
}

const keyOf = (collection: CollectionState, key: string, after: StoredRow | undefined): Key =>
  after === undefined ? decodePrimaryKey(key) : collection.keyOf(after.row);
