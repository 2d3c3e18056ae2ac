/**
 * `$sort` within a pipeline: stable, by the order of the store. An array sorts by its smallest element, descending by
 * its largest. With a `$limit` behind it no more than that many rows are kept.
 */
import type { Row } from '../../../../src/base/row.ts';
import type { SortOrder } from '../../../../src/protocol/definition.ts';
import { parsePath } from '../../paths.ts';
import { type SortReader, sortReader } from '../../sort.ts';
import { ROWS_HELD_MAX } from '../limits.ts';
import { tooLarge, wrongOperand } from '../pipeline-errors.ts';
import { compareValues, isPlainObject } from '../values.ts';
import { type CompileStage, NO_ROWS, type Stage } from './stage.ts';

type Keyed = { readonly row: Row; readonly keys: readonly unknown[] };

/** Rows beyond those wanted that gather before the surplus is dropped. */
const SURPLUS_ROWS = 1_024;

export const compileSort: CompileStage = (spec, path) => {
  const order = parseSort(spec, path);
  const readers = order.map(([field, direction]) => sortReader(field, direction));
  const directions = order.map(([, direction]) => direction);
  return { name: '$sort', order: 'matters', open: (_run, keep) => new Sort(readers, directions, keep, path) };
};

/** `{ path: 1 or -1, ... }`. */
export function parseSort(spec: unknown, path: string): SortOrder {
  const entries = isPlainObject(spec) ? Object.entries(spec) : [];
  if (entries.length === 0) throw wrongOperand(path, 'takes { path: 1 or -1 }');
  return entries.map(([field, direction]) => {
    if (direction !== 1 && direction !== -1) throw wrongOperand(`${path}.${field}`, 'takes 1 or -1');
    parsePath(field);
    return [field, direction];
  });
}

class Sort implements Stage {
  readonly isDone = false;
  readonly #readers: readonly SortReader[];
  readonly #directions: readonly (1 | -1)[];
  readonly #keep: number | undefined;
  readonly #path: string;
  #rows: Keyed[] = [];
  /** The last of the rows that are wanted, once there are as many: what does not come before it is not kept. */
  #worst: Keyed | undefined;

  constructor(readers: readonly SortReader[], directions: readonly (1 | -1)[], keep: number | undefined, path: string) {
    this.#readers = readers;
    this.#directions = directions;
    this.#keep = keep;
    this.#path = path;
  }

  push(rows: readonly Row[]): readonly Row[] {
    const readers = this.#readers;
    for (const row of rows) {
      if (this.#worst !== undefined && this.#isWorse(row)) continue;
      this.#rows.push({ row, keys: readers.map((read) => read(row)) });
    }
    if (this.#keep !== undefined && this.#rows.length > this.#keep * 2 + SURPLUS_ROWS) this.#cut(this.#keep);
    if (this.#rows.length > ROWS_HELD_MAX) throw tooLarge(this.#path, 'rows to sort', ROWS_HELD_MAX);
    return NO_ROWS;
  }

  finish(): readonly Row[] {
    this.#cut(this.#keep ?? this.#rows.length);
    const sorted = this.#rows.map(({ row }) => row);
    this.#rows = [];
    return sorted;
  }

  #isWorse(row: Row): boolean {
    for (let i = 0; i < this.#readers.length; i++) {
      const order = compareValues(this.#readers[i]!(row), this.#worst!.keys[i]) * this.#directions[i]!;
      if (order !== 0) return order > 0;
    }
    return true;
  }

  /** Stable, so of equal rows the earlier ones stay. */
  #cut(keep: number): void {
    const directions = this.#directions;
    this.#rows.sort((a, b) => {
      for (let i = 0; i < directions.length; i++) {
        const order = compareValues(a.keys[i], b.keys[i]);
        if (order !== 0) return order * directions[i]!;
      }
      return 0;
    });
    if (this.#rows.length <= keep) return;
    this.#rows.length = keep;
    this.#worst = this.#rows.at(-1);
  }
}
