/**
 * Finds the rows of another collection by the values of one field, for many rows at once: by its primary key or an index
 * where there is one, else by one scan that makes a table of all values. Rows come in the order of their primary key,
 * so the answer does not depend on the way.
 */
import type { Row } from '../../../src/base/row.ts';
import type { Selector } from '../../../src/protocol/definition.ts';
import { type CollectionState, encodeComponent, valuesAt } from '../../indexes/index.ts';
import { PlanScan } from '../plan-scan.ts';
import { planFind } from '../planner/index.ts';
import type { ReadView } from '../read-view.ts';
import { checkScan } from '../scan-limit.ts';
import { AnyOf, encodedValuesAt } from '../selector/index.ts';
import type { FoundRow } from '../sort.ts';
import { BATCH_ROWS, ROWS_HELD_MAX } from './limits.ts';
import { tooLarge } from './pipeline-errors.ts';

/** A collection at a snapshot. */
export type JoinSource = {
  readonly collection: CollectionState;
  readonly view: ReadView;
  /** Most rows to read for a look-up that no index serves. */
  readonly scanRowsMax: number;
};

/** Values that are looked up at once. */
const OPERANDS_MAX = 1_000;
/** Largest collection of which a table is made. Larger ones without an index are scanned for each batch. */
const TABLE_ROWS_MAX = 200_000;

/** By encoded value. */
type RowsByValue = Map<string, FoundRow[]>;

export class Join {
  readonly #source: JoinSource;
  readonly #field: string;
  readonly #segments: readonly string[];
  readonly #path: string;
  readonly #where: Selector | undefined;
  #table: RowsByValue | undefined;

  /** `where`: what the other rows must fulfil as well. */
  constructor(source: JoinSource, field: string, path: string, where?: Selector) {
    this.#source = source;
    this.#field = field;
    this.#segments = field.split('.');
    this.#path = path;
    this.#where = where;
  }

  /** The matching rows for each list of values: rows that have one of them at the field, each once. */
  async find(lists: readonly (readonly unknown[])[], rest: () => unknown): Promise<readonly (readonly Row[])[]> {
    const wanted = new Map<string, unknown>();
    for (const values of lists) for (const value of values) wanted.set(encodeComponent(value), value ?? null);
    const found = await this.#lookUp(wanted, rest);
    return lists.map((values) => rowsOf(found, values));
  }

  async #lookUp(wanted: ReadonlyMap<string, unknown>, rest: () => unknown): Promise<RowsByValue> {
    if (this.#table !== undefined) return this.#table;
    const { collection, view, scanRowsMax } = this.#source;
    const rows: RowsByValue = new Map();
    const values = [...wanted];
    for (let from = 0; from < values.length; from += OPERANDS_MAX) {
      const part = new Map(values.slice(from, from + OPERANDS_MAX));
      const equal = { [this.#field]: new AnyOf([...part.values()]) };
      const selector = this.#where === undefined ? equal : { $and: [equal, this.#where] };
      const plan = planFind(collection, { selector, sort: [] });
      checkScan(plan, scanRowsMax);
      if (plan.access === 'scan' && plan.rows <= TABLE_ROWS_MAX) {
        const all = planFind(collection, { selector: this.#where ?? {}, sort: [] });
        this.#table = new Map();
        await this.#gather(new PlanScan(view, all), this.#table, undefined, rest);
        sortByKey(this.#table);
        return this.#table;
      }
      await this.#gather(new PlanScan(view, plan), rows, part, rest);
    }
    sortByKey(rows);
    return rows;
  }

  async #gather(
    scan: PlanScan,
    rows: RowsByValue,
    wanted: ReadonlyMap<string, unknown> | undefined,
    rest: () => unknown,
  ): Promise<void> {
    let held = 0;
    while (!scan.isDone) {
      const found: FoundRow[] = [];
      await scan.pull(BATCH_ROWS, (key, row) => found.push({ key, row }));
      for (const each of found) {
        for (const value of encodedValuesAt(each.row, this.#segments)) {
          if (wanted !== undefined && !wanted.has(value)) continue;
          const list = rows.get(value);
          if (list === undefined) rows.set(value, [each]);
          // An array may have a value twice.
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

function sortByKey(rows: RowsByValue): void {
  for (const list of rows.values()) if (list.length > 1) list.sort(byKey);
}

const byKey = (a: FoundRow, b: FoundRow): number => (a.key < b.key ? -1 : a.key === b.key ? 0 : 1);

function rowsOf(found: RowsByValue, values: readonly unknown[]): readonly Row[] {
  if (values.length === 1) return (found.get(encodeComponent(values[0])) ?? []).map(({ row }) => row);
  const byRow = new Map<string, FoundRow>();
  for (const value of values) for (const each of found.get(encodeComponent(value)) ?? []) byRow.set(each.key, each);
  return [...byRow.values()].sort(byKey).map(({ row }) => row);
}
