/**
 * What a row must have to matter to a query: one condition that every matching row fulfils, of a kind that can be looked
 * up. It may let through rows that do not match; it never keeps one back that does (LIVE-2).
 */
import type { Interest } from '../query/index.ts';

/** A query with more operands is looked up by the span of them. */
const OPERANDS_MAX = 64;
/** Just above a string: below all that go on with it. */
const LOWEST = '\u0000';

/** The narrowest of conditions that must all hold. Undefined: any row may matter. */
export function narrowestOf(interests: readonly Interest[]): Interest | undefined {
  let best: Interest | undefined;
  for (const interest of interests) {
    const candidate = interest.type === 'equals' ? boundedEquals(interest) : joinedRange(interest, interests);
    if (best === undefined || rankOf(candidate) < rankOf(best)) best = candidate;
  }
  return best;
}

const rankOf = (interest: Interest): number =>
  interest.type === 'equals' ? interest.equals.length : OPERANDS_MAX + (interest.low.length > 1 ? 1 : 2);

function boundedEquals(interest: Interest & { readonly type: 'equals' }): Interest {
  const { path, segments, equals } = interest;
  if (equals.length <= OPERANDS_MAX) return interest;
  return { type: 'range', path, segments, low: equals[0]!, high: equals.at(-1)! + LOWEST };
}

/**
 * Elements of one array may fulfil the bounds apart. So a row is looked up by the span from its lowest to its highest
 * value, which meets what the ranges have in common whenever each of them is met.
 */
function joinedRange(first: Interest & { readonly type: 'range' }, all: readonly Interest[]): Interest {
  let { low, high } = first;
  for (const other of all) {
    if (other.type !== 'range' || other.path !== first.path) continue;
    if (other.low > low) low = other.low;
    if (other.high < high) high = other.high;
  }
  return { ...first, low, high };
}
