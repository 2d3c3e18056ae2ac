/**
 * Sorting rows by several paths. Rows that are equal in all of them come in the order of their keys, in the direction of
 * the last path; without paths, in the order of their keys. So the order of an answer is fixed by its rows (QRY-2).
 */
import type { Row } from '../../src/base/row.ts';
import type { SortOrder } from '../../src/protocol/definition.ts';
import { parsePath } from './paths.ts';
import { valuesSeenAt } from './selector/index.ts';
import { compareValues } from './value-order.ts';

/** A row with its encoded primary key. */
export type FoundRow = { readonly key: string; readonly row: Row };
type Direction = 1 | -1;
export type SortReader = (row: Row) => unknown;

/** A row among others, with what it is sorted by. */
export type SortedRow = FoundRow & { readonly values: readonly unknown[] };

/** Most rows that are kept in a heap. Above it, sorting all of them costs less. */
export const TOP_ROWS_MAX = 10_000;

export class RowOrder {
  readonly #readers: readonly SortReader[];
  readonly #directions: readonly Direction[];
  readonly #last: Direction;

  constructor(sort: SortOrder) {
    this.#readers = sort.map(([path, direction]) => sortReader(path, direction));
    this.#directions = sort.map(([, direction]) => direction);
    this.#last = sort.at(-1)?.[1] ?? 1;
  }

  /** What a row is sorted by, path after path. */
  valuesOf(row: Row): readonly unknown[] {
    return this.#readers.map((read) => read(row));
  }

  keyed(key: string, row: Row): SortedRow {
    return { key, row, values: this.valuesOf(row) };
  }

  /** Whether the first path alone puts a row behind another one. */
  isBehind(row: Row, other: SortedRow): boolean {
    return compareValues(this.#readers[0]!(row), other.values[0]) * this.#directions[0]! > 0;
  }

  readonly compare = (a: SortedRow, b: SortedRow): number => {
    const directions = this.#directions;
    for (let i = 0; i < directions.length; i += 1) {
      const order = compareValues(a.values[i], b.values[i]);
      if (order !== 0) return order * directions[i]!;
    }
    return a.key === b.key ? 0 : (a.key < b.key ? -1 : 1) * this.#last;
  };
}

/** Compares rows in the order of a sort, for whoever keeps rows in it. */
export function compareRows(sort: SortOrder): (a: FoundRow, b: FoundRow) => number {
  const order = new RowOrder(sort);
  return (a, b) => order.compare(order.keyed(a.key, a.row), order.keyed(b.key, b.row));
}

/**
 * The value at a path that a sort goes by. Where arrays give several, it is the lowest for an ascending sort and the
 * highest for a descending one; an empty array counts as missing.
 */
export function sortReader(path: string, direction: Direction): SortReader {
  const segments = parsePath(path);
  const [field = ''] = segments;
  const isPlain = segments.length === 1 && !(field in Object.prototype);
  return (row) => {
    if (isPlain) {
      const value = row[field];
      if (!Array.isArray(value)) return value;
    }
    const values = valuesSeenAt(row, segments).flatMap((value) =>
      Array.isArray(value) && value.length > 0 ? value : [emptyIsMissing(value)],
    );
    let found = values[0];
    for (let i = 1; i < values.length; i += 1) {
      if (compareValues(values[i], found) * direction < 0) found = values[i];
    }
    return found;
  };
}

const emptyIsMissing = (value: unknown): unknown => (Array.isArray(value) ? undefined : value);

/** Takes rows one by one and keeps those that come first, at most `limit` of them. */
export class TopRows {
  readonly #order: RowOrder;
  readonly #limit: number;
  /** A heap: a row comes after both of its children, so the first one is the last of all. */
  readonly #heap: SortedRow[] = [];

  constructor(order: RowOrder, limit: number) {
    this.#order = order;
    this.#limit = limit;
  }

  add(key: string, found: Row): void {
    const heap = this.#heap;
    if (heap.length < this.#limit) {
      heap.push(this.#order.keyed(key, found));
      this.#rise(heap.length - 1);
      return;
    }
    // Most rows are turned away by the first path alone.
    if (this.#limit === 0 || this.#order.isBehind(found, heap[0]!)) return;
    const row = this.#order.keyed(key, found);
    if (this.#order.compare(row, heap[0]!) > 0) return;
    heap[0] = row;
    this.#sink();
  }

  /** The rows in order. */
  sorted(): readonly SortedRow[] {
    return this.#heap.sort(this.#order.compare);
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const row = heap[from]!;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (this.#order.compare(heap[above]!, row) >= 0) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = row;
  }

  #sink(): void {
    const heap = this.#heap;
    const row = heap[0]!;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.#order.compare(heap[below + 1]!, heap[below]!) > 0) below += 1;
      if (this.#order.compare(heap[below]!, row) <= 0) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = row;
  }
}
