/** A row of any collection as one text: the key of `$sync.states`, in the order of collection, then key. Permanent. */
import type { Key } from '../../src/base/row.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { decodePrimaryKey, encodePrimaryKey } from '../indexes/index.ts';

/** Below everything that names of collections are made of, and not in them. */
const SEPARATOR = ' ';
const BEHIND_SEPARATOR = '!';

export const rowId = (collection: string, key: Key): string => `${collection}${SEPARATOR}${encodePrimaryKey(key)}`;

export function rowNameOf(id: string): RowName {
  const at = id.indexOf(SEPARATOR);
  return { collection: id.slice(0, at), key: decodePrimaryKey(id.slice(at + 1)) };
}

/** All ids of a collection are between the two. */
export const statesOf = (collection: string): { readonly from: string; readonly to: string } => ({
  from: `${collection}${SEPARATOR}`,
  to: `${collection}${BEHIND_SEPARATOR}`,
});
