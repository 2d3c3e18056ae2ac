/**
 * The rows that a live find knows: the first ones of everything that matches, in order. With a limit it keeps some more
 * than are shown, so that a row which leaves is followed by one that is at hand (LIVE-4).
 *
 * Invariant: `entries` is a gapless prefix of all matching rows; `isComplete` says that nothing lies behind it.
 */
import { assert } from '../../src/base/assert.ts';
import type { Row } from '../../src/base/row.ts';
import type { Entry, RowOrder } from './row-order.ts';

/** Rows beyond the edge, at least and at most; in between as many as are shown. */
const RESERVE_MIN = 32;
const RESERVE_MAX = 1_000;

/** Before every place: a new result is told even when nothing of it is shown. */
const NEW = -1;

export type WindowBounds = { readonly skip: number; readonly limit: number | undefined };

export class ResultWindow {
  /** How many rows a fill should bring. Undefined: all. */
  readonly capacity: number | undefined;
  readonly #order: RowOrder;
  readonly #skip: number;
  /** Where the shown part ends. */
  readonly #end: number;
  /** Entries are cut back to the capacity when they are more than this. */
  readonly #lengthMax: number;
  #entries: Entry[] = [];
  #isComplete = false;
  /** The first shown place that has changed since it was asked. */
  #changedFrom = NEW;

  constructor(order: RowOrder, { skip, limit }: WindowBounds) {
    this.#order = order;
    this.#skip = skip;
    this.#end = limit === undefined ? Number.POSITIVE_INFINITY : skip + limit;
    const reserve = Math.min(Math.max(RESERVE_MIN, limit ?? 0), RESERVE_MAX);
    this.capacity = limit === undefined ? undefined : this.#end + reserve;
    this.#lengthMax = this.#end + 2 * reserve;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** Whether shown places are empty although there may be rows for them. */
  get isShort(): boolean {
    return !this.#isComplete && this.#entries.length < this.#end;
  }

  /** Takes the first rows from the engine, at most `capacity`. Entries that are known already keep their identity. */
  fill(rows: readonly Row[]): void {
    const known = new Map(this.#entries.map((entry) => [entry.key, entry]));
    this.#entries = rows.map((row) => {
      const entry = this.#order.entryOf(row);
      return known.get(entry.key) ?? entry;
    });
    this.#isComplete = this.capacity === undefined || rows.length < this.capacity;
    this.#changedFrom = NEW;
  }

  /** What is known may be out of date. */
  forget(): void {
    this.#entries = [];
    this.#isComplete = false;
  }

  /** `before` and `after` are versions of one row; undefined where the row does not match. */
  patch(before: Row | undefined, after: Row | undefined): void {
    const entry = after === undefined ? undefined : this.#order.entryOf(after);
    if (before !== undefined) {
      const isUnmoved = entry !== undefined && this.#order.isUnmoved(before, entry.row);
      const old = isUnmoved ? entry : this.#order.entryOf(before);
      const place = this.#order.placeOf(this.#entries, old);
      if (place < this.#entries.length) {
        assert(this.#entries[place]!.key === old.key, 'A row that matched stands at its place.');
        this.#changedAt(place);
        if (entry !== undefined && (isUnmoved || this.#order.compare(old, entry) === 0)) {
          this.#entries[place] = entry;
          return;
        }
        this.#entries.splice(place, 1);
      } else assert(!this.#isComplete, 'A row that matched is known.');
    }
    if (entry !== undefined) this.#insert(entry);
  }

  #insert(entry: Entry): void {
    const place = this.#order.placeOf(this.#entries, entry);
    // Behind the edge there are rows that are not known, maybe before this one.
    if (place === this.#entries.length && !this.#isComplete) return;
    this.#entries.splice(place, 0, entry);
    this.#changedAt(place);
    if (this.#entries.length <= this.#lengthMax) return;
    this.#entries.length = this.capacity!;
    this.#isComplete = false;
  }

  #changedAt(place: number): void {
    if (place < this.#changedFrom) this.#changedFrom = place;
  }

  /** The shown rows when any of them may have changed since the last time, else undefined. */
  takeShown(): readonly Entry[] | undefined {
    if (this.#changedFrom >= this.#end) return undefined;
    this.#changedFrom = Number.POSITIVE_INFINITY;
    return this.#entries.slice(this.#skip, this.#end);
  }
}
