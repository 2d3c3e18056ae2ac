/**
 * The rows of one include that somebody refers to, by value: loaded when a value is asked for first, kept up by the
 * changes of their collection, and let go of when nobody refers to the value any more.
 */
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';
import { encodeComponent, encodePrimaryKey } from '../indexes/index.ts';
import {
  AnyOf,
  compilePredicate,
  encodedValuesAt,
  type FoundRow,
  type Include,
  type Predicate,
  parseSelector,
} from '../query/index.ts';
import type { LiveSource } from './live-source.ts';

/** Rows that one live query may hold of other collections. */
export const INCLUDED_ROWS_MAX: number = 500_000;
/** Values that are looked up at once. */
const OPERANDS_MAX = 1_000;
/** Rows asked of the engine at a time. */
const LOAD_ROWS = 1_000;

export type ValueRows<User> = {
  readonly value: unknown;
  /** By key, ascending. Undefined until they are loaded. */
  rows: FoundRow[] | undefined;
  /** Who was joined by the value. */
  readonly users: Set<User>;
  /** Nobody is any more. */
  end(): void;
};

/** `User`: who is joined by values. */
export class IncludedValues<User> {
  readonly include: Include;
  readonly #source: LiveSource;
  readonly #keyField: string;
  readonly #scanRowsMax: number | undefined;
  readonly #segments: readonly string[];
  readonly #accepts: Predicate;
  readonly #byValue = new Map<string, ValueRows<User>>();
  readonly #missing = new Map<string, ValueRows<User>>();
  /** Shared by the includes of a query. */
  readonly #held: { rows: number };

  constructor(
    source: LiveSource,
    include: Include,
    { held, scanRowsMax }: { readonly held: { rows: number }; readonly scanRowsMax: number | undefined },
  ) {
    this.#scanRowsMax = scanRowsMax;
    this.#source = source;
    this.include = include;
    this.#keyField = source.keyField(include.from);
    this.#segments = include.foreign.split('.');
    this.#accepts = compilePredicate(parseSelector(include.where ?? {}));
    this.#held = held;
  }

  of(value: unknown): ValueRows<User> {
    const code = encodeComponent(value);
    let list = this.#byValue.get(code);
    if (list === undefined) {
      const end = (): void => {
        this.#byValue.delete(code);
        this.#missing.delete(code);
        this.#held.rows -= list?.rows?.length ?? 0;
      };
      list = { value, rows: undefined, users: new Set(), end };
      this.#byValue.set(code, list);
      this.#missing.set(code, list);
    }
    return list;
  }

  /** The rows of several values, each once, in the order of their keys; undefined when some are not loaded. */
  rowsOf(lists: readonly ValueRows<User>[]): readonly Row[] | undefined {
    const [first] = lists;
    if (first === undefined) return [];
    if (lists.length === 1) return first.rows?.map(({ row }) => row);
    const byKey = new Map<string, Row>();
    for (const { rows } of lists) {
      if (rows === undefined) return undefined;
      for (const { key, row } of rows) byKey.set(key, row);
    }
    return [...byKey.keys()].sort().map((key) => byKey.get(key)!);
  }

  /** Reads the rows of all values that are not known. At once when their pages are in memory. */
  load(isWanted: () => boolean): MaybePromise<void> {
    while (this.#missing.size > 0) {
      const part = new Map([...this.#missing].slice(0, OPERANDS_MAX));
      const { from, foreign, where } = this.include;
      const equal = { [foreign]: new AnyOf([...part.values()].map(({ value }) => value)) };
      const cursor = this.#source.find(from, {
        selector: where === undefined ? equal : { $and: [equal, where] },
        sort: [[this.#keyField, 1]],
        limit: undefined,
        skip: 0,
        scanRowsMax: this.#scanRowsMax,
      });
      const found = new Map<string, FoundRow[]>([...part.keys()].map((code) => [code, []]));
      const reading = this.#read(cursor, found, isWanted);
      if (reading instanceof Promise) return reading.then((isDone) => (isDone ? this.#take(part, found) : undefined));
      this.#take(part, found);
    }
  }

  #read(cursor: RowCursor, found: Map<string, FoundRow[]>, isWanted: () => boolean): MaybePromise<boolean> {
    try {
      for (;;) {
        const chunk = cursor.next(LOAD_ROWS);
        if (chunk instanceof Promise) return this.#readOn(cursor, chunk, found, isWanted);
        this.#gather(chunk.rows, found);
        if (chunk.done) return true;
      }
    } catch (error) {
      cursor.close();
      throw error;
    }
  }

  async #readOn(
    cursor: RowCursor,
    first: ReturnType<RowCursor['next']>,
    found: Map<string, FoundRow[]>,
    isWanted: () => boolean,
  ): Promise<boolean> {
    try {
      for (let chunk = await first; ; chunk = await cursor.next(LOAD_ROWS)) {
        this.#gather(chunk.rows, found);
        if (chunk.done) return true;
        if (!isWanted()) return false;
      }
    } finally {
      cursor.close();
    }
  }

  #gather(rows: readonly Row[], found: Map<string, FoundRow[]>): void {
    for (const row of rows) {
      const key = encodePrimaryKey(row[this.#keyField] as Key);
      for (const code of encodedValuesAt(row, this.#segments)) {
        const list = found.get(code);
        // An array may have a value twice.
        if (list === undefined || list.at(-1)?.key === key) continue;
        list.push({ key, row });
        this.#hold();
      }
    }
  }

  #hold(): void {
    this.#held.rows += 1;
    if (this.#held.rows > INCLUDED_ROWS_MAX) throw tooManyRows(this.include);
  }

  #take(part: ReadonlyMap<string, ValueRows<User>>, found: ReadonlyMap<string, FoundRow[]>): void {
    for (const [code, list] of part) {
      list.rows = found.get(code)!;
      this.#missing.delete(code);
    }
  }

  /** A change of a row. Lists that are not loaded yet will be read with it. */
  apply(key: string, before: Row | undefined, row: Row | undefined, outdate: (user: User) => void): void {
    if (before !== undefined && this.#accepts(before)) {
      this.#each(before, ({ rows, users }) => {
        const at = placeOf(rows!, key);
        if (rows![at]?.key !== key) return;
        rows!.splice(at, 1);
        this.#held.rows -= 1;
        for (const user of users) outdate(user);
      });
    }
    if (row !== undefined && this.#accepts(row)) {
      this.#each(row, ({ rows, users }) => {
        const at = placeOf(rows!, key);
        if (rows![at]?.key === key) rows![at] = { key, row };
        else {
          rows!.splice(at, 0, { key, row });
          this.#hold();
        }
        for (const user of users) outdate(user);
      });
    }
  }

  #each(row: Row, visit: (list: ValueRows<User>) => void): void {
    for (const code of encodedValuesAt(row, this.#segments)) {
      const list = this.#byValue.get(code);
      if (list?.rows !== undefined) visit(list);
    }
  }
}

/** The first place that is not before a key. */
function placeOf(rows: readonly FoundRow[], key: string): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (rows[middle]!.key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

const tooManyRows = ({ from, path }: Include): StoreError =>
  new StoreError('query/live-too-large', `A live query includes more than ${INCLUDED_ROWS_MAX} rows.`, {
    details: { collection: from, path, limit: INCLUDED_ROWS_MAX },
    hint: 'Give the query a limit, or the include a condition that fewer rows fulfil.',
  });
