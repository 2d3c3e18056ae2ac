/** Conditions on single paths, out of the parts of a selector, and what several of them on one path come to. */
import { type Interest, interestOf, interestOfField, isExactInterest, type SelectorNode } from '../selector/index.ts';

export type Condition = Interest & {
  /** The part of the selector that it comes from. */
  readonly node: SelectorNode;
  /** Whether it says all that the part does, where no array stands at the path. */
  readonly isExact: boolean;
};

/** What a value must be, encoded: one of several, or from `low` (included) to `high` (excluded). */
export type ValueSet =
  | { readonly type: 'points'; readonly points: readonly string[] }
  | { readonly type: 'interval'; readonly low: string; readonly high: string };

export function conditionsOf(node: SelectorNode): readonly Condition[] {
  if (node.type !== 'field') return interestOf(node).map((interest) => ({ ...interest, node, isExact: false }));
  return interestOfField(node).map((interest) => ({ ...interest, node, isExact: isExactInterest(node) }));
}

/** The values that fulfil all conditions at once. At least one condition. */
export function valuesOf(conditions: readonly Interest[]): ValueSet {
  let low = '';
  let high = HIGHEST;
  let points: readonly string[] | undefined;
  for (const condition of conditions) {
    if (condition.type === 'equals') {
      const { equals } = condition;
      points = points === undefined ? equals : points.filter((point) => equals.includes(point));
    } else {
      if (condition.low > low) low = condition.low;
      if (condition.high < high) high = condition.high;
    }
  }
  if (points === undefined) return { type: 'interval', low, high };
  return { type: 'points', points: points.filter((point) => point >= low && point < high) };
}

/** Above every encoded value: they begin with a digit. */
const HIGHEST = ':';

/** Whether a value that is in `inner` is always in `outer`. */
export function isWithin(inner: Interest, outer: ValueSet): boolean {
  if (outer.type === 'points')
    return inner.type === 'equals' && inner.equals.every((code) => outer.points.includes(code));
  if (inner.type === 'range') return inner.low >= outer.low && inner.high <= outer.high;
  return inner.equals.every((code) => code >= outer.low && code < outer.high);
}
