/** The accumulators that are operators too: over their arguments, or over the elements of the only one. */
import { compareValues, isMissing } from '../values.ts';
import { type Operator, type Operators, variadic } from './operator.ts';

const over = (apply: (values: readonly unknown[]) => unknown): Operator =>
  variadic(1, Number.POSITIVE_INFINITY, (values) =>
    apply(values.length === 1 && Array.isArray(values[0]) ? values[0] : values),
  );

const numbersOf = (values: readonly unknown[]): readonly number[] =>
  values.filter((value): value is number => typeof value === 'number');
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** `sign` 1 for the largest, -1 for the smallest. Null and missing do not take part. */
const extreme = (sign: 1 | -1): Operator =>
  over((values) => {
    let best: unknown = null;
    for (const value of values) {
      if (!isMissing(value) && (best === null || compareValues(value, best) * sign > 0)) best = value;
    }
    return best;
  });

export const ACCUMULATED: Operators = {
  $avg: over((values) => {
    const numbers = numbersOf(values);
    return numbers.length === 0 ? null : sum(numbers) / numbers.length;
  }),
  $max: extreme(1),
  $min: extreme(-1),
  $sum: over((values) => sum(numbersOf(values))),
};
