/**
 * Groups of rows: one pass, no array of rows. Groups come out in the order of their `_id`, so the answer does not depend
 * on the order in which rows were read.
 *
 * Whoever keeps a result up to date may keep the `Grouping` instead: `add` and `remove` rows, and read `rows()` again.
 */
import type { Row } from '../../../src/base/row.ts';
import { ACCUMULATORS, type Accumulator, createCount } from './accumulators.ts';
import { assertNames, type ExpressionCompiler } from './expression.ts';
import { compileKey, type GroupKey, GroupNumbers } from './group-key.ts';
import { GROUPS_MAX } from './limits.ts';
import { invalidPipeline, tooLarge, unknownOperator, wrongOperand } from './pipeline-errors.ts';
import { compareValues, isPlainObject } from './values.ts';

/** A checked `$group`. One plan may be opened more than once. */
export type GroupPlan = {
  /** Whether the answer may depend on the order in which rows come. */
  readonly isOrdered: boolean;
  open(): Grouping;
};

type Column = { readonly name: string; readonly make: () => Accumulator; readonly isOrdered: boolean };

/** `spec`: `{ _id: expression, field: { $accumulator: expression }, ... }`. */
export function compileGroup(spec: unknown, path: string, compiler: ExpressionCompiler): GroupPlan {
  if (!isPlainObject(spec)) throw wrongOperand(path, 'takes an object');
  if (!Object.hasOwn(spec, '_id')) throw wrongOperand(path, 'lacks _id; null makes one group of all');
  const { _id, ...fields } = spec;
  const key = compileKey(_id, `${path}._id`, compiler);
  return groupPlan(key, compileColumns(fields, path, compiler), path);
}

export function groupPlan(key: GroupKey, columns: readonly Column[], path: string): GroupPlan {
  return {
    isOrdered: columns.some(({ isOrdered }) => isOrdered),
    open: () => new Grouping(key, columns, path),
  };
}

/** The fields of `$group`, and of the output of `$bucket`. */
export function compileColumns(
  fields: Readonly<Record<string, unknown>>,
  path: string,
  compiler: ExpressionCompiler,
): readonly Column[] {
  return Object.entries(fields).map(([name, accumulator]): Column => {
    const place = `${path}.${name}`;
    if (name.includes('.') || name.startsWith('$')) throw wrongOperand(place, 'is no name of a field');
    assertNames(name, [name], place);
    const [operator = '', ...others] = isPlainObject(accumulator) ? Object.keys(accumulator) : [];
    if (!operator.startsWith('$') || others.length > 0) {
      throw invalidPipeline(place, 'takes one accumulator, as { $sum: 1 }');
    }
    const kind = Object.hasOwn(ACCUMULATORS, operator) ? ACCUMULATORS[operator] : undefined;
    if (kind === undefined) throw unknownOperator('accumulator', operator, place, ACCUMULATORS);
    const operand = (accumulator as Record<string, unknown>)[operator];
    const at = `${place}.${operator}`;
    if (operator === '$count' && !(isPlainObject(operand) && Object.keys(operand).length === 0)) {
      throw wrongOperand(at, 'takes {}');
    }
    const evaluate = compiler.compile(operand, at);
    const { isOrdered } = kind;
    // Whole numbers: their multiples are what adding them one by one gives.
    const isCount = operator === '$sum' && Number.isSafeInteger(operand);
    return { name, isOrdered, make: isCount ? () => createCount(operand as number) : () => kind.make(evaluate, at) };
  });
}

export class Grouping {
  readonly #path: string;
  readonly #names: readonly string[];
  readonly #accumulators: readonly Accumulator[];
  readonly #groups: GroupNumbers;
  readonly #ids: unknown[] = [];
  readonly #sizes: number[] = [];

  constructor(key: GroupKey, columns: readonly Column[], path: string) {
    this.#groups = new GroupNumbers(key);
    this.#path = path;
    this.#names = columns.map(({ name }) => name);
    this.#accumulators = columns.map(({ make }) => make());
  }

  add(rows: readonly Row[]): void {
    const groups: number[] = [];
    const open = (id: unknown): number => this.#open(id);
    for (let i = 0; i < rows.length; i++) {
      const group = this.#groups.numberOf(rows[i]!, open);
      this.#sizes[group]!++;
      groups.push(group);
    }
    for (const accumulator of this.#accumulators) accumulator.addAll(rows, groups);
  }

  /**
   * Takes a row out that was added before, as it was then. Answers false when the result that is left cannot be told
   * exactly; the grouping must then be given up.
   */
  remove(row: Row): boolean {
    // A group without rows is gone: its accumulators need not be right, and its number is not used again.
    const group = this.#groups.leave(row, (number) => --this.#sizes[number]! === 0);
    if (group === undefined) return false;
    if (this.#sizes[group] === 0) return true;
    let isExact = true;
    for (const accumulator of this.#accumulators) isExact = accumulator.remove(row, group) && isExact;
    return isExact;
  }

  /** One row for each group, ascending by `_id`. */
  rows(): Row[] {
    const groups = this.#groups.numbers();
    const ids = this.#ids;
    groups.sort((a, b) => compareValues(ids[a], ids[b]));
    return groups.map((group) => {
      const row: Record<string, unknown> = { _id: ids[group] };
      for (let i = 0; i < this.#names.length; i++) row[this.#names[i]!] = this.#accumulators[i]!.value(group);
      return row;
    });
  }

  #open(id: unknown): number {
    if (this.#groups.size >= GROUPS_MAX) throw tooLarge(this.#path, 'groups', GROUPS_MAX);
    for (const accumulator of this.#accumulators) accumulator.open();
    this.#sizes.push(0);
    return this.#ids.push(id) - 1;
  }
}
