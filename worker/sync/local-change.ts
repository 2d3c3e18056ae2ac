/** What the application has changed in a row, as a change of its document. */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { isWellFormed } from '../../src/protocol/field-types.ts';
import { KEY_BYTES_MAX, type RowName } from '../../src/protocol/sync/index.ts';
import type { ChangeTimes, RowDocument } from '../documents/index.ts';
import type { Held } from './held-rows.ts';
import { rowId } from './row-id.ts';

/** Of a row's id, as the key of its state: the longest that the engine takes. */
const ID_LENGTH_MAX = 1024;

/** Why a row's key cannot travel; undefined when it can. */
export function nameProblem({ collection, key }: RowName): string | undefined {
  if (typeof key === 'number') return undefined;
  if (!isWellFormed(key)) return 'Its key has half of a surrogate pair.';
  // At most three bytes a unit, and escaped twice: the length of most keys tells.
  if (3 * key.length <= KEY_BYTES_MAX && collection.length + 4 * key.length < ID_LENGTH_MAX / 2) return undefined;
  const bytes = new TextEncoder().encode(key).length;
  return bytes > KEY_BYTES_MAX || !isIdStorable(collection, key) ? 'Its key is too long.' : undefined;
}

function isIdStorable(collection: string, key: string): boolean {
  try {
    return encodedLength(rowId(collection, key)) <= ID_LENGTH_MAX;
  } catch (error) {
    // The key of the row itself is too long for the engine: anybody can send such a one.
    if (error instanceof StoreError) return false;
    throw error;
  }
}

/** As the engine writes it: control characters up to the tabulator count twice. */
function encodedLength(id: string): number {
  let length = id.length;
  for (let at = 0; at < id.length; at++) if (id.charCodeAt(at) < 10) length++;
  return length;
}

/**
 * Brings a document to what the row holds. Of a row that is held aside, what has changed since then goes into what the
 * document has: the rest of the row is not what others have. Answers the update, if there is one.
 */
export function putLocal(
  document: RowDocument,
  row: Row | undefined,
  held: Held | undefined,
  times?: ChangeTimes,
): Uint8Array | undefined {
  // Nothing is there on either side: it was deleted, or the beginning of its document has not come yet.
  if (row === undefined && readDocument(document) === undefined) return undefined;
  if (held === undefined) return document.put(row, times);
  const base = held.base ?? undefined;
  if (deepEqual(base, row)) return undefined;
  const others = readDocument(document);
  if (row === undefined || others === undefined || others instanceof StoreError) return document.put(row, times);
  const merged: Record<string, unknown> = { ...others };
  for (const field of new Set([...Object.keys(base ?? {}), ...Object.keys(row)])) {
    if (deepEqual(base?.[field], row[field])) continue;
    if (row[field] === undefined) delete merged[field];
    else merged[field] = row[field];
  }
  return document.put(merged, times);
}

/** The row of a document, or why it is none: other clients may write what they like into documents. */
export function readDocument(document: RowDocument): Row | undefined | StoreError {
  try {
    return document.row;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}
