/** Goal: keys that are taken without a look at their bytes are such as the wire and the engine take. */
import { describe, expect, test } from 'vitest';
import { KEY_BYTES_MAX } from '../../src/protocol/sync/index.ts';
import { nameProblem } from '../../worker/sync/local-change.ts';
import { rowId } from '../../worker/sync/row-id.ts';

const COLLECTION = 'c'.repeat(64);
const ID_LENGTH_MAX = 1024;
/** Control characters are escaped in the id, and their escapes once more where it is a key itself. */
const storedLength = (id: string): number => [...id].reduce((sum, unit) => sum + (unit < '\n' ? 2 : 1), 0);

function idLength(key: string): number {
  try {
    return storedLength(rowId(COLLECTION, key));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

describe('what is wrong with a key', () => {
  test.each(['a', '\u0000', '\u0007', '\n', '\u20ac'])('of many times %j', (unit) => {
    for (let length = 1; length <= KEY_BYTES_MAX + 1; length++) {
      const key = unit.repeat(length);
      const isTooLong = new TextEncoder().encode(key).length > KEY_BYTES_MAX || idLength(key) > ID_LENGTH_MAX;
      expect(nameProblem({ collection: COLLECTION, key }), `${length} times`).toBe(
        isTooLong ? 'Its key is too long.' : undefined,
      );
    }
  });
});
