/** What the store must hold: two maps, and the rules of the calls written down once more in the plainest way. */
import type { Changes, Operation, Selector } from './operation.ts';
import { type CollectionName, DEFINITIONS, type KillRow } from './row.ts';

export type Outcome = {
  /** Code of the refusal; the state is then as before. */
  readonly refused: string | undefined;
  /** What the call answers: how many rows for the calls about many. */
  readonly value: unknown;
  /** Keys of rows that may be different now. */
  readonly touched: readonly string[];
};

export class Table {
  readonly rows: Map<string, KillRow> = new Map();
  /** For drawing a key: `rows` has no nth. */
  readonly keys: string[] = [];
  readonly #places = new Map<string, number>();
  readonly #keysByEmail = new Map<string, string>();
  readonly #hasUnique: boolean;

  constructor(name: CollectionName) {
    this.#hasUnique = name === 'items';
  }

  set(row: KillRow): void {
    const before = this.rows.get(row.id);
    if (before === undefined) this.#places.set(row.id, this.keys.push(row.id) - 1);
    else this.#keysByEmail.delete(before.email);
    this.rows.set(row.id, row);
    this.#keysByEmail.set(row.email, row.id);
  }

  remove(key: string): boolean {
    const row = this.rows.get(key);
    if (row === undefined) return false;
    this.rows.delete(key);
    this.#keysByEmail.delete(row.email);
    const place = this.#places.get(key)!;
    this.#places.delete(key);
    const last = this.keys.pop()!;
    if (last !== key) {
      this.keys[place] = last;
      this.#places.set(last, place);
    }
    return true;
  }

  /** Whether a row of another key has the unique value. */
  isTaken({ id, email }: KillRow): boolean {
    const holder = this.#hasUnique ? this.#keysByEmail.get(email) : undefined;
    return holder !== undefined && holder !== id;
  }

  matching(selector: Selector): KillRow[] {
    const fields = Object.entries(selector) as [keyof KillRow, string][];
    return [...this.rows.values()].filter((row) => fields.every(([field, value]) => row[field] === value));
  }
}

export class Model {
  readonly items: Table = new Table('items');
  readonly notes: Table = new Table('notes');

  /** With the rows in the order of their keys, so that two models of the same rows draw the same keys. */
  static of(rows: { readonly [name in CollectionName]: Iterable<KillRow> }): Model {
    const model = new Model();
    for (const name of Object.keys(DEFINITIONS) as CollectionName[]) {
      const sorted = [...rows[name]].sort((a, b) => (a.id < b.id ? -1 : 1));
      for (const row of sorted) model[name].set(row);
    }
    return model;
  }

  apply(operation: Operation): Outcome {
    const table = this[operation.collection];
    switch (operation.type) {
      case 'create':
        if (table.rows.has(operation.row.id)) return refused('collection/duplicate-key');
        return this.#setAll(table, [operation.row]);
      case 'put':
        return this.#setAll(table, [operation.row]);
      case 'createMany':
        if (operation.rows.some(({ id }) => table.rows.has(id))) return refused('collection/duplicate-key');
        return { ...this.#setAll(table, operation.rows), value: operation.rows.length };
      case 'update': {
        const row = table.rows.get(operation.key);
        if (row === undefined) return { refused: undefined, value: undefined, touched: [] };
        return this.#setAll(table, [changed(row, operation.changes)]);
      }
      case 'updateMany': {
        const rows = table.matching(operation.selector).map((row) => changed(row, operation.changes));
        return { ...this.#setAll(table, rows), value: rows.length };
      }
      case 'delete': {
        const value = table.remove(operation.key);
        return { refused: undefined, value, touched: [operation.key] };
      }
      case 'deleteMany': {
        const touched = table.matching(operation.selector).map(({ id }) => id);
        for (const key of touched) table.remove(key);
        return { refused: undefined, value: touched.length, touched };
      }
      case 'compact':
        return { refused: undefined, value: undefined, touched: [] };
    }
  }

  /** The workload never draws the same unique value twice within one call. */
  #setAll(table: Table, rows: readonly KillRow[]): Outcome {
    if (rows.some((row) => table.isTaken(row))) return refused('collection/duplicate-value');
    for (const row of rows) table.set(row);
    return { refused: undefined, value: rows.length === 1 ? rows[0] : undefined, touched: rows.map(({ id }) => id) };
  }
}

const refused = (code: string): Outcome => ({ refused: code, value: undefined, touched: [] });

function changed(row: KillRow, { $inc, $set, $push }: Changes): KillRow {
  return {
    ...row,
    ...$set,
    ...($inc === undefined ? {} : { rank: row.rank + $inc.rank }),
    ...($push === undefined ? {} : { tags: [...row.tags, $push.tags] }),
  };
}
