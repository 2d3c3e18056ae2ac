/**
 * Chooses how to read: by primary key, through one index, or by a scan of the collection. The best index is the one
 * whose leading paths have the most equalities, then a range, then the wanted order. Ties in a sort are broken by
 * the primary key in the direction of the last sorted path, so the answer does not depend on the plan (QRY-2).
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, SortOrder } from '../../src/protocol/definition.ts';
import {
  COMPONENT_END,
  type CollectionState,
  encodeComponent,
  encodePrimaryKey,
  type IndexState,
} from '../indexes/index.ts';
import type { KeyRange } from '../pages/index.ts';
import { parsePath } from './paths.ts';
import {
  conjunctsOf,
  type Interest,
  interestOf,
  interestOfField,
  isExactInterest,
  parseSelector,
  type SelectorNode,
  tagOf,
} from './selector/index.ts';

/** A condition on one path, and the part of the selector that it comes from. */
type Condition = Interest & {
  readonly node: SelectorNode;
  /** Whether the condition says all that the part does, where no array stands at the path. */
  readonly isExact: boolean;
};
type Equality = Extract<Condition, { type: 'equals' }>;
type Range = Extract<Condition, { type: 'range' }>;

const isEquality = (condition: Condition): condition is Equality => condition.type === 'equals';
const isRange = (condition: Condition): condition is Range => condition.type === 'range';
const ENCODED_NULL = encodeComponent(null);

export type Plan = {
  /** undefined: the primary tree. */
  readonly index: IndexState | undefined;
  readonly access: 'key' | 'index' | 'scan';
  /** In the order of the scan, not overlapping. */
  readonly ranges: readonly KeyRange[];
  readonly reverse: boolean;
  readonly isSorted: boolean;
  /** Conditions that the ranges do not answer. */
  readonly residual: readonly SelectorNode[];
  /** Whether a row may come more than once. */
  readonly hasRepeats: boolean;
};

/** The character after COMPONENT_END: above every key that continues a component, below every longer component. */
const AFTER_END = String.fromCharCode(COMPONENT_END.charCodeAt(0) + 1);

/** Ends a bound that lies just above a value. */
const JUST_ABOVE = '\u0000';

type Candidate = Plan & { readonly score: number };

export function planFind(collection: CollectionState, find: Pick<FindSpec, 'selector' | 'sort'>): Plan {
  const parts = conjunctsOf(parseSelector(find.selector));
  const conditions = parts.flatMap(conditionsOf);
  for (const [path, direction] of find.sort) {
    parsePath(path);
    if (direction !== 1 && direction !== -1) {
      throw new StoreError('query/wrong-operand', `The sort direction at ${path} must be 1 or -1.`, {
        details: { path },
      });
    }
  }
  let best: Candidate = planPrimary(collection, parts, conditions, find.sort);
  for (const index of collection.indexes) {
    const candidate = planIndex(index, parts, conditions, find.sort, collection.spec.key);
    if (candidate !== undefined && candidate.score > best.score) best = candidate;
  }
  return best;
}

function conditionsOf(node: SelectorNode): readonly Condition[] {
  if (node.type !== 'field') return interestOf(node).map((interest) => ({ ...interest, node, isExact: false }));
  return interestOfField(node).map((interest) => ({ ...interest, node, isExact: isExactInterest(node) }));
}

function planPrimary(
  collection: CollectionState,
  parts: readonly SelectorNode[],
  conditions: readonly Condition[],
  sort: SortOrder,
): Candidate {
  const keyField = collection.spec.key;
  const reverse = sort.length > 0 && sort[0]![1] === -1;
  const isSorted = sort.length === 0 || sort[0]![0] === keyField;
  const equal = conditions.filter(isEquality).find(({ path }) => path === keyField);
  const base = { index: undefined, reverse, isSorted, residual: parts, hasRepeats: false };
  if (equal !== undefined) {
    const keys = equal.equals
      .map(primaryFromComponent)
      .filter((key) => key !== undefined)
      .sort();
    const ranges = keys.map((key) => ({ from: key, to: `${key}\u0000` }));
    return { ...base, access: 'key', ranges: reverse ? ranges.reverse() : ranges, score: 100 };
  }
  const range = primaryRange(conditions.filter(isRange).filter(({ path }) => path === keyField));
  if (range !== undefined)
    return { ...base, access: 'key', ranges: [range], score: 5 + (isSorted && sort.length > 0 ? 3 : 0) };
  return {
    ...base,
    access: 'scan',
    ranges: [{ from: undefined, to: undefined }],
    score: isSorted && sort.length > 0 ? 3 : 0,
  };
}

/** A number component is '2' and digits, a string component '3' and content; primary keys have '\b' or nothing instead. */
function primaryFromComponent(component: string): string | undefined {
  if (component.endsWith(JUST_ABOVE)) {
    const below = primaryFromComponent(component.slice(0, -1));
    return below === undefined ? undefined : below + JUST_ABOVE;
  }
  // The empty key has a character of its own, to come after numbers.
  if (tagOf(component) === STRING_TAG) return component.slice(1) || encodePrimaryKey('');
  return tagOf(component) === NUMBER_TAG ? COMPONENT_END + component.slice(1) : undefined;
}

const STRING_TAG = tagOf(encodeComponent(''));
const NUMBER_TAG = tagOf(encodeComponent(0));

/** Bounds on the key; what they let through of another type, the residual conditions refuse. */
function primaryRange(conditions: readonly Range[]): KeyRange | undefined {
  if (conditions.length === 0) return undefined;
  let from: string | undefined;
  let to: string | undefined;
  for (const { low, high } of conditions) {
    const above = low.length === 1 ? undefined : primaryFromComponent(low);
    const below = high.length === 1 ? undefined : primaryFromComponent(high);
    if (above !== undefined && (from === undefined || above > from)) from = above;
    if (below !== undefined && (to === undefined || below < to)) to = below;
  }
  return { from, to };
}

function planIndex(
  index: IndexState,
  parts: readonly SelectorNode[],
  conditions: readonly Condition[],
  sort: SortOrder,
  keyField: string,
): Candidate | undefined {
  const { spec } = index;
  if (index.state !== 'ready') return undefined;
  if (!spec.multi && index.meetsArrays) return undefined;
  const implied = impliedParts(index, parts);
  if (implied === undefined) return undefined;
  const openParts = parts.filter((part) => !implied.includes(part));
  const open = conditions.filter(({ node }) => !implied.includes(node));
  if (spec.multi) return planMulti(index, openParts, open);
  const isExact = !spec.caseInsensitive;
  const used: Condition[] = [];
  let prefixes = [''];
  let depth = 0;
  for (; depth < spec.on.length; depth += 1) {
    const equal = open.filter(isEquality).find(({ path }) => path === spec.on[depth]);
    // Several values give several ranges; only the last of the equalities may, to keep ranges few and in order.
    if (equal === undefined || prefixes.length > 1) break;
    used.push(equal);
    prefixes = prefixes.flatMap((prefix) =>
      equal.equals.map((value) => prefix + indexed(index, value) + COMPONENT_END),
    );
  }
  const equalities = depth;
  const bounds = prefixes.length > 1 ? [] : open.filter(isRange).filter(({ path }) => path === spec.on[depth]);
  const canRange = bounds.length > 0 && isExact && sameTag(bounds);
  if (canRange) used.push(...bounds);
  if (!answersMissing(index, used)) return undefined;
  const order = isExact && prefixes.length === 1 ? sortDirection(spec.on, equalities, sort, keyField) : undefined;
  if (used.length === 0 && order === undefined) return undefined;
  const reverse = order === -1;
  const ranges = canRange
    ? [boundedRange(prefixes[0]!, bounds)]
    : [...new Set(prefixes)]
        .sort()
        .map((prefix) => ({ from: prefix, to: prefix === '' ? undefined : afterPrefix(prefix) }));
  return {
    index,
    access: 'index',
    ranges: reverse ? ranges.reverse() : ranges,
    reverse,
    isSorted: sort.length === 0 || order !== undefined,
    residual: isExact ? without(openParts, used) : openParts,
    hasRepeats: false,
    score:
      equalities * 10 + (canRange ? 5 : 0) + (order !== undefined && sort.length > 0 ? 3 : 0) + (spec.unique ? 1 : 0),
  };
}

const without = (parts: readonly SelectorNode[], used: readonly Condition[]): readonly SelectorNode[] =>
  parts.filter((part) => !used.some(({ node, isExact }) => isExact && node === part));

/** A row has an entry for each element, so bounds that different elements may fulfil cannot be joined into one range. */
function planMulti(
  index: IndexState,
  openParts: readonly SelectorNode[],
  open: readonly Condition[],
): Candidate | undefined {
  const [path] = index.spec.on;
  const fitting = open.filter((condition) => condition.path === path && !touchesNullOrArray(condition));
  const equal = fitting.find(isEquality);
  const chosen = equal ?? (index.spec.caseInsensitive ? undefined : fitting[0]);
  if (chosen === undefined) return undefined;
  const ranges =
    chosen.type === 'equals'
      ? [...new Set(chosen.equals.map((value) => indexed(index, value) + COMPONENT_END))]
          .sort()
          .map((prefix) => ({ from: prefix, to: afterPrefix(prefix) }))
      : [boundedRange('', [chosen])];
  const isExact = !index.spec.caseInsensitive;
  return {
    index,
    access: 'index',
    ranges,
    reverse: false,
    isSorted: false,
    residual: isExact ? without(openParts, [chosen]) : openParts,
    hasRepeats: chosen.type === 'range' || chosen.equals.length > 1,
    score: chosen.type === 'equals' ? 10 : 5,
  };
}

const touchesNullOrArray = (condition: Condition): boolean =>
  condition.type === 'equals' ? condition.equals.some(isNullOrArray) : isNullOrArray(condition.low);
const isNullOrArray = (encoded: string): boolean => encoded === ENCODED_NULL || tagOf(encoded) === ARRAY_TAG;
const ARRAY_TAG = tagOf(encodeComponent([]));

/** The operand as the index holds it. */
function indexed(index: IndexState, encoded: string): string {
  return index.spec.caseInsensitive && tagOf(encoded) === STRING_TAG ? index.foldEncoded(encoded) : encoded;
}

/** The parts that a partial index answers by its existence, or undefined when the query does not imply its `where`. */
function impliedParts(index: IndexState, parts: readonly SelectorNode[]): readonly SelectorNode[] | undefined {
  if (index.spec.where === undefined) return [];
  const implied: SelectorNode[] = [];
  for (const needed of conjunctsOf(parseSelector(index.spec.where))) {
    const same = parts.find((part) => JSON.stringify(part) === JSON.stringify(needed));
    if (same === undefined) return undefined;
    implied.push(same);
  }
  return implied;
}

/** A sparse index has no entry for rows that lack all its paths, so some used condition must refuse missing values. */
function answersMissing(index: IndexState, used: readonly Condition[]): boolean {
  if (!index.spec.sparse) return true;
  return used.some((condition) =>
    condition.type === 'equals' ? !condition.equals.includes(ENCODED_NULL) : tagOf(condition.low) !== ENCODED_NULL,
  );
}

const sameTag = (bounds: readonly Range[]): boolean => new Set(bounds.map(({ low }) => tagOf(low))).size === 1;

const afterPrefix = (prefix: string): string => prefix.slice(0, -1) + AFTER_END;

function boundedRange(prefix: string, bounds: readonly Range[]): KeyRange {
  let from = prefix;
  let to: string | undefined;
  for (const { low, high } of bounds) {
    const [above, below] = [prefix + edge(low), prefix + edge(high)];
    if (above > from) from = above;
    if (to === undefined || below < to) to = below;
  }
  return { from, to };
}

/** A bound just above a value, as a bound above all entries of it. */
const edge = (bound: string): string => (bound.endsWith(JUST_ABOVE) ? bound.slice(0, -1) + AFTER_END : bound);

/** The direction in which an index gives a sort, behind `equalities` fixed paths; undefined when it does not. */
function sortDirection(
  on: readonly string[],
  equalities: number,
  sort: SortOrder,
  keyField: string,
): 1 | -1 | undefined {
  const fixed = on.slice(0, equalities);
  const open = sort.filter(([path]) => !fixed.includes(path));
  if (sort.length === 0) return 1;
  // The tie-break follows the last sorted path: a fixed one must agree with the others.
  const direction = sort[sort.length - 1]![1];
  if (open.some(([, each]) => each !== direction)) return undefined;
  const given = [...on.slice(equalities), keyField];
  if (!open.every(([path], at) => path === given[at])) return undefined;
  // Paths of the index behind the sorted ones would break ties before the primary key does.
  return open.length >= on.length - equalities ? direction : undefined;
}
