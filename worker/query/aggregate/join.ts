/**
 * Finds the rows of another collection by the values of one field, for many rows at once: by its primary key or an index
 * where there is one, else by one scan that makes a table of all values. Rows come in the order of their primary key,
 * so the answer does not depend on the way.
 */
import type { Row } from '../../../src/base/row.ts';
import { type CollectionState, valuesAt } from '../../indexes/index.ts';
import { type FoundRow, PlanScan, type ReadView } from '../find.ts';
import { planFind } from '../planner.ts';
import { IN_OPERANDS_MAX } from '../selector.ts';
import { BATCH_ROWS, ROWS_HELD_MAX } from './limits.ts';
import { tooLarge } from './pipeline-errors.ts';
import { identityOf } from './values.ts';

/** A collection at a snapshot. */
export type JoinSource = { readonly collection: CollectionState; readonly view: ReadView };

/** Largest collection of which a table is made. Larger ones without an index are scanned for each batch. */
const TABLE_ROWS_MAX = 200_000;

type RowsByValue = Map<unknown, FoundRow[]>;

export class Join {
  readonly #source: JoinSource;
  readonly #field: string;
  readonly #segments: readonly string[];
  readonly #path: string;
  #table: RowsByValue | undefined;

  constructor(source: JoinSource, field: string, path: string) {
    this.#source = source;
    this.#field = field;
    this.#segments = field.split('.');
    this.#path = path;
  }

  /** The matching rows for each list of values: rows that have one of them at the field, each once. */
  async find(lists: readonly (readonly unknown[])[], rest: () => unknown): Promise<readonly (readonly Row[])[]> {
    const wanted = new Map<unknown, unknown>();
    for (const values of lists) for (const value of values) wanted.set(identityOf(value), value ?? null);
    const found = await this.#lookUp(wanted, rest);
    return lists.map((values) => rowsOf(found, values));
  }

  async #lookUp(wanted: ReadonlyMap<unknown, unknown>, rest: () => unknown): Promise<RowsByValue> {
    if (this.#table !== undefined) return this.#table;
    const { collection, view } = this.#source;
    const rows: RowsByValue = new Map();
    const values = [...wanted.values()];
    for (let from = 0; from < values.length; from += IN_OPERANDS_MAX) {
      const operands = values.slice(from, from + IN_OPERANDS_MAX);
      const plan = planFind(collection, { selector: { [this.#field]: { $in: operands } }, sort: [] });
      if (plan.access === 'scan' && view.primary.count <= TABLE_ROWS_MAX) {
        const all = planFind(collection, { selector: {}, sort: [] });
        this.#table = new Map();
        await this.#gather(new PlanScan(view, all), this.#table, undefined, rest);
        sortByKey(this.#table);
        return this.#table;
      }
      await this.#gather(new PlanScan(view, plan), rows, wanted, rest);
    }
    sortByKey(rows);
    return rows;
  }

  async #gather(
    scan: PlanScan,
    rows: RowsByValue,
    wanted: ReadonlyMap<unknown, unknown> | undefined,
    rest: () => unknown,
  ): Promise<void> {
    let held = 0;
    while (!scan.isDone) {
      const found: FoundRow[] = [];
      await scan.pull(BATCH_ROWS, found);
      for (const each of found) {
        for (const identity of identitiesAt(each.row, this.#segments)) {
          if (wanted !== undefined && !wanted.has(identity)) continue;
          const list = rows.get(identity);
          if (list === undefined) rows.set(identity, [each]);
          // A row is found once more when operands are looked up in parts.
          else if (list.at(-1)!.key !== each.key) list.push(each);
        }
      }
      held += found.length;
      if (held > ROWS_HELD_MAX) throw tooLarge(this.#path, 'rows to join', ROWS_HELD_MAX);
      await rest();
    }
  }
}

/** The values by which a row joins others: elements of arrays one by one, null when there is none. */
export function joinValues(row: Row, segments: readonly string[]): readonly unknown[] {
  const values = valuesAt(row, segments);
  return values.length === 0 ? [null] : values.flat();
}

/** What a selector would find the row by: each value, and each element of an array. */
function identitiesAt(row: Row, segments: readonly string[]): ReadonlySet<unknown> {
  const identities = new Set<unknown>();
  const values = valuesAt(row, segments);
  for (const value of values) {
    identities.add(identityOf(value));
    if (Array.isArray(value)) for (const element of value) identities.add(identityOf(element));
  }
  return values.length === 0 ? identities.add(null) : identities;
}

function sortByKey(rows: RowsByValue): void {
  for (const list of rows.values()) if (list.length > 1) list.sort(byKey);
}

const byKey = (a: FoundRow, b: FoundRow): number => (a.key < b.key ? -1 : a.key === b.key ? 0 : 1);

function rowsOf(found: RowsByValue, values: readonly unknown[]): readonly Row[] {
  if (values.length === 1) return (found.get(identityOf(values[0])) ?? []).map(({ row }) => row);
  const byRow = new Map<string, FoundRow>();
  for (const value of values) for (const each of found.get(identityOf(value)) ?? []) byRow.set(each.key, each);
  return [...byRow.values()].sort(byKey).map(({ row }) => row);
}
