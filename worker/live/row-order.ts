/**
 * The order of a result. Values are encoded once for each row, and compared as strings from then on. Ties are broken
 * by primary key in the direction of the last sorted path, as everywhere (QRY-2); without a sort the order is that of
 * keys, because a plan's own order could not be patched (LIVE-3).
 */
import type { Key, Row } from '../../src/base/row.ts';
import type { SortOrder } from '../../src/protocol/definition.ts';
import { encodeComponent, encodePrimaryKey } from '../indexes/index.ts';
import { type SortReader, sortReader } from '../query/index.ts';

/** A row in a result. Replaced, never changed. */
export type Entry = {
  readonly row: Row;
  /** Encoded primary key. */
  readonly key: string;
  /** Encoded values of the sorted paths. */
  readonly values: readonly string[];
};

export class RowOrder {
  /** To ask the engine with: it always names what the order is. */
  readonly sort: SortOrder;
  readonly #keyField: string;
  readonly #readers: readonly SortReader[];
  readonly #directions: readonly (1 | -1)[];
  readonly #keyDirection: 1 | -1;

  constructor(sort: SortOrder, keyField: string) {
    // What follows the key cannot matter: no two rows share one.
    const at = sort.findIndex(([path]) => path === keyField);
    const before = at === -1 ? sort : sort.slice(0, at);
    this.sort = sort.length === 0 ? [[keyField, 1]] : sort;
    this.#keyField = keyField;
    this.#readers = before.map(([path, direction]) => sortReader(path, direction));
    this.#directions = before.map(([, direction]) => direction);
    this.#keyDirection = (at === -1 ? sort.at(-1) : sort[at])?.[1] ?? 1;
  }

  entryOf(row: Row): Entry {
    const values: string[] = [];
    for (const read of this.#readers) values.push(encodeComponent(read(row)));
    return { row, key: encodePrimaryKey(row[this.#keyField] as Key), values };
  }

  /** Whether two versions of one row stand at one place for sure: without encoding what they are sorted by. */
  isUnmoved(before: Row, after: Row): boolean {
    for (const read of this.#readers) if (read(before) !== read(after)) return false;
    return true;
  }

  /** Negative, zero or positive; zero for versions of one row with equal sorted values only. */
  compare(a: Entry, b: Entry): number {
    const directions = this.#directions;
    for (let i = 0; i < directions.length; i += 1) {
      const left = a.values[i]!;
      const right = b.values[i]!;
      if (left !== right) return left < right ? -directions[i]! : directions[i]!;
    }
    if (a.key === b.key) return 0;
    return a.key < b.key ? -this.#keyDirection : this.#keyDirection;
  }

  /** The first place in a sorted array that is not before `entry`. */
  placeOf(entries: readonly Entry[], entry: Entry): number {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compare(entries[middle]!, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
