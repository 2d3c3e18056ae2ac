/**
 * What a row must have to matter to a query: one condition that every matching row fulfils, of a kind that can be looked
 * up. It may let through rows that do not match; it never keeps one back that does (LIVE-2).
 */
import type { Key, Row } from '../../src/base/row.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import { encodePrimaryKey } from '../indexes/index.ts';
import {
  compilePredicate,
  followsFilter,
  type Interest,
  interestOf,
  type Predicate,
  parseSelector,
  type SelectorNode,
} from '../query/index.ts';
import type { Watch } from './live-result.ts';

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

export type Accepts = Predicate;

/** Which rows a find has, whatever its skip and limit. */
export function acceptsOf(
  { selector, after }: Pick<FindSpec, 'selector' | 'after'>,
  scope: Parameters<typeof followsFilter>[1],
): Accepts {
  const accepts = compilePredicate(parseSelector(selector));
  if (after === undefined) return accepts;
  const follows = followsFilter(after, scope);
  const { keyField } = scope;
  return (row: Row) => accepts(row) && follows({ key: encodePrimaryKey(row[keyField] as Key), row });
}

/** Each collection once: what matters for two reasons matters whatever it holds. */
export function watchesOf(collection: string, selector: SelectorNode, others: readonly Watch[]): readonly Watch[] {
  const byCollection = new Map<string, Watch>();
  for (const watch of [{ collection, interest: narrowestOf(interestOf(selector)) }, ...others]) {
    const isFirst = !byCollection.has(watch.collection);
    byCollection.set(watch.collection, isFirst ? watch : { ...watch, interest: undefined });
  }
  return [...byCollection.values()];
}
