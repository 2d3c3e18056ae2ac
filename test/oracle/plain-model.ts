/** A collection as a Map: what the engine must agree with. */
import type { Key, Row } from '../../src/base/row.ts';
import type { IndexSpec, Selector, SortOrder } from '../../src/protocol/definition.ts';
import type { Changes } from '../../src/protocol/engine-api.ts';
import { applyChanges } from '../../worker/query/index.ts';
import { compareKeys, compareValues, leavesAt } from './plain-order.ts';
import { inOrder, matches } from './plain-selector.ts';

/** What a call must be refused with. */
export class Refusal extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

export class PlainModel {
  readonly rows: Map<Key, Row>;
  readonly #unique: readonly IndexSpec[];

  constructor(unique: readonly IndexSpec[], rows: ReadonlyMap<Key, Row> = new Map()) {
    this.#unique = unique;
    this.rows = new Map(rows);
  }

  copy(): PlainModel {
    return new PlainModel(this.#unique, this.rows);
  }

  get size(): number {
    return this.rows.size;
  }

  sorted(): readonly Row[] {
    return [...this.rows.values()].sort((a, b) => compareKeys(a['id'], b['id']));
  }

  create(rows: readonly Row[]): void {
    const keys = rows.map(({ id }) => id as Key);
    if (new Set(keys).size < keys.length || keys.some((key) => this.rows.has(key))) {
      throw new Refusal('collection/duplicate-key');
    }
    this.#replaceAll(rows);
  }

  put(rows: readonly Row[]): void {
    this.#replaceAll(rows);
  }

  update(key: Key, changes: Changes): Row | undefined {
    const before = this.rows.get(key);
    if (before === undefined) return undefined;
    const after = applyChanges(before, changes, 'id');
    this.#replaceAll([after]);
    return after;
  }

  updateMany(selector: Selector, changes: Changes): number {
    const after = this.select(selector).map((row) => applyChanges(row, changes, 'id'));
    this.#replaceAll(after);
    return after.length;
  }

  delete(key: Key): boolean {
    return this.rows.delete(key);
  }

  deleteMany(selector: Selector): number {
    const found = this.select(selector);
    for (const row of found) this.rows.delete(row['id'] as Key);
    return found.length;
  }

  select(selector: Selector): readonly Row[] {
    return [...this.rows.values()].filter((row) => matches(row, selector));
  }

  find(selector: Selector, sort: SortOrder): readonly Row[] {
    return inOrder(this.select(selector), sort);
  }

  distinct(path: string, selector: Selector): readonly unknown[] {
    const values = this.select(selector)
      .flatMap((row) => [...leavesAt(row, path.split('.'))])
      .flatMap((value) => (Array.isArray(value) ? value : [value]))
      .sort(compareValues);
    return values.filter((value, at) => at === 0 || compareValues(values[at - 1], value) !== 0);
  }

  /** All or nothing. */
  #replaceAll(rows: readonly Row[]): void {
    const next = new Map(this.rows);
    for (const row of rows) next.set(row['id'] as Key, row);
    for (const index of this.#unique) assertUnique(index, next);
    for (const row of rows) this.rows.set(row['id'] as Key, row);
  }
}

function assertUnique(index: IndexSpec, rows: ReadonlyMap<Key, Row>): void {
  const owners = new Map<string, Key>();
  for (const [key, row] of rows) {
    for (const value of valuesOf(index, row)) {
      const folded = index.caseInsensitive && typeof value === 'string' ? value.toUpperCase().toLowerCase() : value;
      const entry = `${typeof folded} ${String(folded)}`;
      if ((owners.get(entry) ?? key) !== key) throw new Refusal('collection/duplicate-value');
      owners.set(entry, key);
    }
  }
}

function valuesOf({ on, multi, sparse }: IndexSpec, row: Row): readonly unknown[] {
  const value = row[on[0]!];
  if (multi) return value === undefined ? [] : Array.isArray(value) ? value : [value];
  return value === undefined && sparse ? [] : [value ?? null];
}
