/**
 * Places in the order of a query, for keyset paging: what the row there is sorted by, and its key. A place needs no row:
 * the next page begins after it, whatever has been inserted or deleted meanwhile.
 */
import { isPlainObject } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { SortOrder } from '../../src/protocol/definition.ts';
import { encodeComponent, encodePrimaryKey } from '../indexes/index.ts';
import type { Projection } from './projection.ts';
import { type FoundRow, RowOrder } from './sort.ts';

export type Position = {
  /** Encoded values, one for each path of the sort. */
  readonly values: readonly string[];
  /** The encoded primary key. */
  readonly key: string;
};

/** What a cursor belongs to. */
export type CursorScope = {
  readonly collection: string;
  readonly keyField: string;
  readonly sort: SortOrder;
  readonly projection: Projection | undefined;
};

/** Longest cursor that is read, in characters. */
const CURSOR_LENGTH_MAX = 1_000_000;
const CURSOR_VERSION = 1;
/** Types of encoded values. */
const ENCODED_VALUE = /^[1-8]/;

/** `after` is a cursor that a page has given, or a row. Throws `query/invalid-cursor`. */
export function toPosition(after: unknown, scope: CursorScope): Position {
  if (typeof after === 'string') return decodeCursor(after, scope);
  if (isPlainObject(after)) return positionOfRow(after, scope);
  throw invalidCursor(scope, 'is neither a cursor nor a row');
}

/** The place of a row, as a text for whoever asks for the next page. Opaque; safe in an address. */
export function encodeCursor({ key, row }: FoundRow, { collection, sort }: CursorScope): string {
  const content = [CURSOR_VERSION, collection, sort, key, ...valuesOf(row, sort)];
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function decodeCursor(cursor: string, scope: CursorScope): Position {
  const [version, collection, sort, key, ...values] = readCursor(cursor, scope);
  if (version !== CURSOR_VERSION) throw invalidCursor(scope, 'is damaged, or of another version');
  if (collection !== scope.collection) throw invalidCursor(scope, 'belongs to another collection');
  if (JSON.stringify(sort) !== JSON.stringify(scope.sort)) throw invalidCursor(scope, 'belongs to another sort');
  const isRight =
    typeof key === 'string' &&
    values.length === scope.sort.length &&
    values.every((value) => typeof value === 'string' && ENCODED_VALUE.test(value));
  if (!isRight) throw invalidCursor(scope, 'is damaged');
  return { key, values: values as readonly string[] };
}

function readCursor(cursor: string, scope: CursorScope): readonly unknown[] {
  try {
    if (cursor.length > CURSOR_LENGTH_MAX) throw new RangeError('too long');
    const binary = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const content: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (Array.isArray(content)) return content;
  } catch {
    // Told below, as any other content that is none.
  }
  throw invalidCursor(scope, 'is damaged');
}

function positionOfRow(row: Row, scope: CursorScope): Position {
  const { keyField, sort, projection } = scope;
  const key = row[keyField];
  if (typeof key !== 'string' && typeof key !== 'number') throw invalidCursor(scope, `has no key in ${keyField}`);
  const lost = projection && sort.find(([path]) => !projection.keeps(path));
  // A row without the path would stand where rows have none, which is the wrong place.
  if (lost !== undefined) throw invalidCursor(scope, `lacks ${lost[0]}, which the projection leaves out`);
  try {
    return { key: encodePrimaryKey(key as Key), values: valuesOf(row, sort) };
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    throw invalidCursor(scope, 'is no row of a collection', cause);
  }
}

const valuesOf = (row: Row, sort: SortOrder): readonly string[] =>
  new RowOrder(sort).valuesOf(row).map(encodeComponent);

function invalidCursor({ collection }: CursorScope, rule: string, cause?: unknown): StoreError {
  return new StoreError('query/invalid-cursor', `Query of ${collection}: after ${rule}.`, {
    details: { collection, path: 'after', rule },
    hint: 'Pass what the last page gave as next, with the same sort; or the last row, with all that it is sorted by.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Whether rows come after a place in the order of a sort. */
export function isAfter({ values, key }: Position, sort: SortOrder): (found: FoundRow) => boolean {
  const order = new RowOrder(sort);
  const last = sort.at(-1)?.[1] ?? 1;
  return (found) => {
    const own = order.valuesOf(found.row);
    for (let i = 0; i < sort.length; i += 1) {
      const code = encodeComponent(own[i]);
      if (code !== values[i]) return code < values[i]! === (sort[i]![1] === -1);
    }
    return last === 1 ? found.key > key : found.key < key;
  };
}
