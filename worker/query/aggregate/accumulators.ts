/**
 * Accumulators of groups, by column: one object holds the states of all groups, which are numbered from 0. So a group
 * costs a place in an array for each accumulator, and a batch of rows is added in one loop.
 */
import type { Row } from '../../../src/base/row.ts';
import type { Evaluate } from './expression.ts';
import { ELEMENTS_MAX } from './limits.ts';
import { tooLarge, wrongOperand } from './pipeline-errors.ts';
import { compareValues, identityOf, isMissing, isPlainObject } from './values.ts';

export interface Accumulator {
  /** A new group, with the next number. */
  open(): void;
  /** `rows[i]` belongs to group `groups[i]`. */
  addAll(rows: readonly Row[], groups: readonly number[]): void;
  /**
   * Takes a row out again that was added before. Answers false when the state that is left cannot be told exactly (the
   * largest value has gone, a sum of fractions): then the group must be accumulated anew.
   */
  remove(row: Row, group: number): boolean;
  /** Null for a group to which nothing was added. */
  value(group: number): unknown;
}

/** Makes an accumulator of one run. `evaluate` computes what is accumulated. */
export type AccumulatorMaker = (evaluate: Evaluate, path: string) => Accumulator;

/** Whether whole numbers stay exact. */
const isExact = (value: number): boolean => Number.isSafeInteger(value);

class Sum implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #sums: number[] = [];
  /** Numbers that a sum may have rounded: as long as there are any, none can be subtracted. */
  readonly #inexact: number[] = [];

  constructor(evaluate: Evaluate) {
    this.#evaluate = evaluate;
  }

  open(): void {
    this.#sums.push(0);
    this.#inexact.push(0);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    const evaluate = this.#evaluate;
    const sums = this.#sums;
    for (let i = 0; i < rows.length; i++) {
      const value = evaluate(rows[i]!);
      if (typeof value !== 'number') continue;
      const group = groups[i]!;
      const sum = sums[group]! + value;
      sums[group] = sum;
      if (!isExact(value) || !isExact(sum)) this.#inexact[group]!++;
    }
  }

  remove(row: Row, group: number): boolean {
    const value = this.#evaluate(row);
    if (typeof value !== 'number') return true;
    this.#sums[group]! -= value;
    return this.#inexact[group] === 0;
  }

  value(group: number): number {
    return this.#sums[group]!;
  }
}

class Average implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #sum: Sum;
  readonly #counts: number[] = [];

  constructor(evaluate: Evaluate) {
    this.#evaluate = evaluate;
    this.#sum = new Sum(evaluate);
  }

  open(): void {
    this.#sum.open();
    this.#counts.push(0);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    this.#sum.addAll(rows, groups);
    for (let i = 0; i < rows.length; i++) {
      if (typeof this.#evaluate(rows[i]!) === 'number') this.#counts[groups[i]!]!++;
    }
  }

  remove(row: Row, group: number): boolean {
    if (typeof this.#evaluate(row) === 'number') this.#counts[group]!--;
    return this.#sum.remove(row, group);
  }

  value(group: number): number | null {
    const count = this.#counts[group]!;
    return count === 0 ? null : this.#sum.value(group) / count;
  }
}

class Count implements Accumulator {
  readonly #step: number;
  readonly #counts: number[] = [];

  /** `step`: what each row counts, for `{ $sum: 1 }`. */
  constructor(step: number) {
    this.#step = step;
  }

  open(): void {
    this.#counts.push(0);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) this.#counts[groups[i]!]!++;
  }

  remove(_row: Row, group: number): boolean {
    this.#counts[group]!--;
    return true;
  }

  value(group: number): number {
    return this.#counts[group]! * this.#step;
  }
}

class Extreme implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #sign: 1 | -1;
  readonly #best: unknown[] = [];

  /** `sign` 1 keeps the largest value, -1 the smallest. Null and missing do not take part. */
  constructor(evaluate: Evaluate, sign: 1 | -1) {
    this.#evaluate = evaluate;
    this.#sign = sign;
  }

  open(): void {
    this.#best.push(null);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const value = this.#evaluate(rows[i]!);
      if (isMissing(value)) continue;
      const best = this.#best[groups[i]!];
      if (best === null || compareValues(value, best) * this.#sign > 0) this.#best[groups[i]!] = value;
    }
  }

  remove(row: Row, group: number): boolean {
    const value = this.#evaluate(row);
    // Another row may have had the same value; nobody has counted.
    return isMissing(value) || compareValues(value, this.#best[group]) !== 0;
  }

  value(group: number): unknown {
    return this.#best[group];
  }
}

/** The first or the last row's value, in the order in which rows come. */
class Edge implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #isLast: boolean;
  readonly #values: unknown[] = [];

  constructor(evaluate: Evaluate, edge: 'first' | 'last') {
    this.#evaluate = evaluate;
    this.#isLast = edge === 'last';
  }

  open(): void {
    this.#values.push(NOTHING);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const group = groups[i]!;
      if (this.#isLast || this.#values[group] === NOTHING) this.#values[group] = this.#evaluate(rows[i]!) ?? null;
    }
  }

  remove(): boolean {
    return false;
  }

  value(group: number): unknown {
    const value = this.#values[group];
    return value === NOTHING ? null : value;
  }
}

const NOTHING: unique symbol = Symbol('nothing');

class Push implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #path: string;
  readonly #lists: unknown[][] = [];
  #elements = 0;

  constructor(evaluate: Evaluate, path: string) {
    this.#evaluate = evaluate;
    this.#path = path;
  }

  open(): void {
    this.#lists.push([]);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const value = this.#evaluate(rows[i]!);
      if (value !== undefined) this.#lists[groups[i]!]!.push(value);
    }
    this.#elements += rows.length;
    if (this.#elements > ELEMENTS_MAX) throw tooLarge(this.#path, 'elements', ELEMENTS_MAX);
  }

  remove(): boolean {
    return false;
  }

  value(group: number): readonly unknown[] {
    return this.#lists[group]!.slice();
  }
}

class AddToSet implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #path: string;
  readonly #sets: Map<unknown, unknown>[] = [];
  #elements = 0;

  constructor(evaluate: Evaluate, path: string) {
    this.#evaluate = evaluate;
    this.#path = path;
  }

  open(): void {
    this.#sets.push(new Map());
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const value = this.#evaluate(rows[i]!);
      if (value === undefined) continue;
      const set = this.#sets[groups[i]!]!;
      const identity = identityOf(value);
      if (set.has(identity)) continue;
      set.set(identity, value);
      if (++this.#elements > ELEMENTS_MAX) throw tooLarge(this.#path, 'elements', ELEMENTS_MAX);
    }
  }

  remove(): boolean {
    return false;
  }

  value(group: number): readonly unknown[] {
    return [...this.#sets[group]!.values()];
  }
}

/** Standard deviation by Welford's method, which does not subtract large sums. */
class Deviation implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #isSample: boolean;
  readonly #counts: number[] = [];
  readonly #means: number[] = [];
  readonly #squares: number[] = [];

  constructor(evaluate: Evaluate, of: 'sample' | 'population') {
    this.#evaluate = evaluate;
    this.#isSample = of === 'sample';
  }

  open(): void {
    this.#counts.push(0);
    this.#means.push(0);
    this.#squares.push(0);
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const value = this.#evaluate(rows[i]!);
      if (typeof value !== 'number') continue;
      const group = groups[i]!;
      const count = ++this.#counts[group]!;
      const distance = value - this.#means[group]!;
      this.#means[group]! += distance / count;
      this.#squares[group]! += distance * (value - this.#means[group]!);
    }
  }

  remove(): boolean {
    return false;
  }

  value(group: number): number | null {
    const degrees = this.#counts[group]! - (this.#isSample ? 1 : 0);
    return degrees < 1 ? null : Math.sqrt(this.#squares[group]! / degrees);
  }
}

class MergeObjects implements Accumulator {
  readonly #evaluate: Evaluate;
  readonly #path: string;
  readonly #merged: Record<string, unknown>[] = [];

  constructor(evaluate: Evaluate, path: string) {
    this.#evaluate = evaluate;
    this.#path = path;
  }

  open(): void {
    this.#merged.push({});
  }

  addAll(rows: readonly Row[], groups: readonly number[]): void {
    for (let i = 0; i < rows.length; i++) {
      const value = this.#evaluate(rows[i]!);
      if (isMissing(value)) continue;
      if (!isPlainObject(value)) throw wrongOperand(this.#path, 'merges objects only');
      Object.assign(this.#merged[groups[i]!]!, value);
    }
  }

  remove(): boolean {
    return false;
  }

  value(group: number): unknown {
    return { ...this.#merged[group] };
  }
}

/** How many rows each group has. */
export const createCount = (step: number): Accumulator => new Count(step);

export type AccumulatorKind = {
  readonly make: AccumulatorMaker;
  /** Whether the answer may depend on the order of rows. */
  readonly isOrdered: boolean;
};

const free = (make: AccumulatorMaker): AccumulatorKind => ({ make, isOrdered: false });
const ordered = (make: AccumulatorMaker): AccumulatorKind => ({ make, isOrdered: true });

export const ACCUMULATORS: Readonly<Record<string, AccumulatorKind>> = {
  $addToSet: ordered((evaluate, path) => new AddToSet(evaluate, path)),
  $avg: free((evaluate) => new Average(evaluate)),
  $count: free(() => new Count(1)),
  $first: ordered((evaluate) => new Edge(evaluate, 'first')),
  $last: ordered((evaluate) => new Edge(evaluate, 'last')),
  $max: free((evaluate) => new Extreme(evaluate, 1)),
  $mergeObjects: ordered((evaluate, path) => new MergeObjects(evaluate, path)),
  $min: free((evaluate) => new Extreme(evaluate, -1)),
  $push: ordered((evaluate, path) => new Push(evaluate, path)),
  $stdDevPop: free((evaluate) => new Deviation(evaluate, 'population')),
  $stdDevSamp: free((evaluate) => new Deviation(evaluate, 'sample')),
  $sum: free((evaluate) => new Sum(evaluate)),
};
