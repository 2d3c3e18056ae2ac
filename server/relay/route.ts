/** Where a connection wants to go, by the path of its URL. */
import type { Key } from '../../src/base/row.ts';
import {
  COLLECTION_BYTES_MAX,
  KEY_BYTES_MAX,
  NAME_PATTERN,
  type RowName,
  STORE_NAME_BYTES_MAX,
} from '../../src/protocol/sync/index.ts';

/** The store of rooms. No name of a client's store begins with a dollar sign. */
export const ROOMS = '$rooms';

export type Route =
  | { readonly type: 'sync'; readonly store: string }
  /** A document for stock clients: a row, or a room of the application's own. */
  | { readonly type: 'document'; readonly store: string; readonly row: RowName };

/** `/sync/<store>`, `/doc/<store>/<collection>/<key>` (`?key=number` for a number) or `/room/<name>`. */
export function routeOf(path: string, query: URLSearchParams): Route | undefined {
  const [, kind, ...encoded] = path.split('/');
  const parts = encoded.map(decoded);
  if (parts.some((part) => part === undefined || part === '')) return undefined;
  const [first = '', second = '', third = ''] = parts as string[];
  if (kind === 'sync' && parts.length === 1 && isStoreName(first)) return { type: 'sync', store: first };
  if (kind === 'room' && parts.length === 1 && byteLength(first) <= KEY_BYTES_MAX) {
    return { type: 'document', store: ROOMS, row: { collection: 'room', key: first } };
  }
  if (kind !== 'doc' || parts.length !== 3 || !isStoreName(first)) return undefined;
  const key = keyOf(third, query);
  if (key === undefined || byteLength(second) > COLLECTION_BYTES_MAX) return undefined;
  return { type: 'document', store: first, row: { collection: second, key } };
}

export const isStoreName = (name: string): boolean => NAME_PATTERN.test(name) && name.length <= STORE_NAME_BYTES_MAX;

function keyOf(text: string, query: URLSearchParams): Key | undefined {
  if (query.get('key') !== 'number') return byteLength(text) <= KEY_BYTES_MAX ? text : undefined;
  const key = Number(text);
  if (text.trim() !== text || !Number.isFinite(key)) return undefined;
  return key === 0 ? 0 : key;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

const byteLength = (text: string): number => Buffer.byteLength(text);
