/**
 * From the net changes of a transaction to writes against the head. What the transaction was told has been checked to be
 * still true; unique indexes are asked once more, since others may have taken a value that nobody had.
 */
import type { Row } from '../../src/base/row.ts';
import type { CollectionState } from '../indexes/index.ts';
import type { BlobWrite } from '../storage/index.ts';
import { checkUniqueTogether, LONG_KEY_ROW_BYTES } from './prepare.ts';
import type { NetChanges } from './store-fork.ts';
import type { StoreState } from './store-state.ts';
import { type PreparedWrite, presentRows, type RowChange, storedRow } from './write-task.ts';

/** One write, with those of further collections in `more`; undefined when nothing is left to be changed. */
export function prepareCommit(state: StoreState, net: NetChanges): PreparedWrite | undefined {
  const writes: PreparedWrite[] = [];
  for (const [name, rows] of net) {
    const write = prepareCollection(state, state.must(name), rows);
    if (write.changes.length > 0) writes.push(write);
  }
  const [first, ...more] = writes;
  return first && { ...first, more };
}

function prepareCollection(
  state: StoreState,
  collection: CollectionState,
  rows: ReadonlyMap<string, Row | undefined>,
): PreparedWrite {
  const changes: RowChange[] = [];
  const blobs: BlobWrite[] = [];
  const keys = [...rows.keys()].sort();
  for (const [at, present] of presentRows(state, collection, keys).entries()) {
    const key = keys[at]!;
    const row = rows.get(key);
    if (row !== undefined) {
      collection.checkKeyLengths(key, row, LONG_KEY_ROW_BYTES);
      const after = storedRow(state, collection, key, row, blobs);
      changes.push({ key, before: present?.before, freedBlob: present?.freedBlob, after });
    } else if (present !== undefined) changes.push({ key, ...present, after: undefined });
  }
  if (collection.indexes.some(({ spec }) => spec.unique)) {
    checkUniqueTogether(collection, changes, (error) => {
      throw error;
    });
  }
  return { collection, changes, encoded: undefined, blobs, value: undefined };
}
