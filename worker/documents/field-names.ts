/** Names of plain fields as the root map of a row's document has them, and names of ours beside. Permanent. */
import { isForbiddenKey } from '../../src/base/codec/index.ts';

/** Names of ours in that map begin with it; names of the application that do so get another one before. */
const OURS = '$';
/** True in the map of a row that was deleted. */
export const DELETED = '$deleted';
/** Before the name of a field with a type: the field is there, though nothing may be in it. */
export const PRESENT = '$:';

/**
 * The time of the last change, for collections whose conflicts are decided by it: of the whole row, and, with a colon and
 * the name of the field behind it, of a field that was changed since the row was made.
 */
export const TIME = '$@';
export const timeName = (field: string): string => `${TIME}:${field}`;

export const storedName = (field: string): string => (field.startsWith(OURS) ? OURS + field : field);

/** The field that a name in the map stands for; undefined for names of ours. */
export function nameOf(stored: string): string | undefined {
  if (!stored.startsWith(OURS)) return isForbiddenKey(stored) ? undefined : stored;
  return stored.startsWith(OURS + OURS) ? stored.slice(OURS.length) : undefined;
}
