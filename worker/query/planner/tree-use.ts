/** What a selector can use of one tree: which ranges hold all rows that it wants, and what they answer by themselves. */
import { COMPONENT_END, encodeComponent, type IndexState } from '../../indexes/index.ts';
import type { KeyRange } from '../../pages/index.ts';
import { conjunctsOf, parseSelector, type SelectorNode, tagOf } from '../selector/index.ts';
import { type Condition, conditionsOf, isWithin, type ValueSet, valuesOf } from './conditions.ts';
import { intervalRange, mergedRanges, prefixRange, primaryRanges, RANGES_MAX } from './key-ranges.ts';
import type { RangeGroup } from './plan.ts';

export type TreeUse = {
  /** Undefined: the primary tree. */
  readonly index: IndexState | undefined;
  /** Ascending, not overlapping. */
  readonly ranges: readonly KeyRange[];
  /** Parts of the selector that the ranges answer. */
  readonly answered: readonly SelectorNode[];
  /** Parts that have helped to choose the ranges. */
  readonly used: readonly SelectorNode[];
  /** How many paths of an index are fixed to one value, and what its keys begin with for them. */
  readonly fixed: number;
  readonly prefix: string;
  /** How many leading paths have one of several values, and the ranges of each combination of them. */
  readonly chosen: number;
  readonly groups: readonly RangeGroup[];
  /** Whether the order of entries is that of values: not in an index that folds case. */
  readonly isOrdered: boolean;
  /** Whether a row may have several entries in the ranges. */
  readonly hasRepeats: boolean;
};

const NO_GROUPS = { chosen: 0, groups: [] } as const;
const ENCODED_NULL = encodeComponent(null);
const ARRAY_TAG = tagOf(encodeComponent([]));
const STRING_TAG = tagOf(encodeComponent(''));

/** The use of the primary tree: all of it, when no condition is on the key. */
export function primaryUse(keyField: string, conditions: readonly Condition[]): TreeUse {
  const own = conditions.filter(({ path }) => path === keyField);
  const values = own.length === 0 ? undefined : valuesOf(own);
  const ranges = values === undefined ? [{ from: undefined, to: undefined }] : primaryRanges(values);
  // Intervals may let keys of the other type through.
  const answered = values?.type === 'points' ? exactOnes(own) : [];
  const used = own.map(({ node }) => node);
  return {
    index: undefined,
    ranges,
    answered,
    used,
    fixed: 0,
    prefix: '',
    ...NO_GROUPS,
    isOrdered: true,
    hasRepeats: false,
  };
}

/** All uses of an index that are worth a look: one at most, or one for each part when rows have several entries. */
export function indexUses(
  index: IndexState,
  parts: readonly SelectorNode[],
  conditions: readonly Condition[],
): readonly TreeUse[] {
  const { spec } = index;
  if (index.state !== 'ready') return [];
  if (!spec.multi && index.meetsArrays) return [];
  const implied = impliedParts(index, parts, conditions);
  if (implied === undefined) return [];
  if (!spec.multi) return singleUse(index, conditions, implied);
  const onPath = conditions.filter((condition) => condition.path === spec.on[0] && !touchesNullOrArray(condition));
  return [...new Set(onPath.map(({ node }) => node))].flatMap((node) =>
    multiUse(
      index,
      onPath.filter((condition) => condition.node === node),
      implied,
    ),
  );
}

/** An index with one entry for each row: conditions on one path are about one value. */
function singleUse(
  index: IndexState,
  conditions: readonly Condition[],
  implied: readonly SelectorNode[],
): readonly TreeUse[] {
  const { on, caseInsensitive, sparse } = index.spec;
  const used: Condition[] = [];
  let prefixes: readonly string[] = [''];
  let ranges: readonly KeyRange[] | undefined;
  let depth = 0;
  for (const path of on) {
    const own = conditions.filter((condition) => condition.path === path);
    if (own.length === 0) break;
    const values = valuesOf(own);
    if (values.type === 'interval') {
      if (caseInsensitive) break;
      ranges = prefixes.map((prefix) => intervalRange(prefix, values));
      used.push(...own);
      break;
    }
    const points = indexed(index, values.points);
    if (prefixes.length * points.length > RANGES_MAX) break;
    prefixes = prefixes.flatMap((prefix) => points.map((point) => prefix + point + COMPONENT_END));
    used.push(...own);
    depth += 1;
  }
  // Rows that lack all paths of a sparse index have no entry, so some used condition must refuse them.
  if (sparse && !used.some(refusesMissing)) return [];
  return [
    {
      index,
      ranges: ranges ?? mergedRanges(prefixes.map(prefixRange)),
      answered: [...implied, ...(caseInsensitive ? [] : exactOnes(used))],
      used: used.map(({ node }) => node),
      fixed: prefixes.length === 1 ? depth : 0,
      prefix: prefixes.length === 1 ? prefixes[0]! : '',
      chosen: depth,
      groups: prefixes.map((prefix, at) => ({ prefix, range: ranges?.[at] ?? prefixRange(prefix) })),
      isOrdered: !caseInsensitive,
      hasRepeats: false,
    },
  ];
}

/** An index with an entry for each element: conditions may be joined only when they are about one element. */
function multiUse(index: IndexState, own: readonly Condition[], implied: readonly SelectorNode[]): readonly TreeUse[] {
  const isOneElement = own[0]!.node.type === 'field' && own[0]!.node.test.type === 'element';
  const values: ValueSet = valuesOf(isOneElement ? own : own.slice(0, 1));
  const { caseInsensitive } = index.spec;
  if (values.type === 'interval' && caseInsensitive) return [];
  const ranges =
    values.type === 'interval'
      ? [intervalRange('', values)]
      : indexed(index, values.points).map((point) => prefixRange(point + COMPONENT_END));
  return [
    {
      index,
      ranges,
      answered: [...implied, ...(caseInsensitive ? [] : exactOnes(own))],
      used: own.map(({ node }) => node),
      // Elements are in no order of rows, but those of one value are in the order of keys.
      fixed: ranges.length === 1 && values.type === 'points' ? 1 : 0,
      prefix: values.type === 'points' ? indexed(index, values.points)[0]! + COMPONENT_END : '',
      ...NO_GROUPS,
      isOrdered: !caseInsensitive,
      hasRepeats: values.type === 'interval' || values.points.length > 1,
    },
  ];
}

const exactOnes = (used: readonly Condition[]): readonly SelectorNode[] =>
  used.filter(({ isExact }) => isExact).map(({ node }) => node);

const touchesNullOrArray = (condition: Condition): boolean =>
  condition.type === 'equals' ? condition.equals.some(isNullOrArray) : isNullOrArray(condition.low);
const isNullOrArray = (encoded: string): boolean => encoded === ENCODED_NULL || tagOf(encoded) === ARRAY_TAG;

const refusesMissing = (condition: Condition): boolean =>
  condition.type === 'equals' ? !condition.equals.includes(ENCODED_NULL) : tagOf(condition.low) !== ENCODED_NULL;

/** Values as the index holds them: ascending, distinct. */
function indexed(index: IndexState, points: readonly string[]): readonly string[] {
  if (!index.spec.caseInsensitive) return points;
  const folded = points.map((point) => (tagOf(point) === STRING_TAG ? index.foldEncoded(point) : point));
  return [...new Set(folded)].sort();
}

/** The parts that a partial index answers by its existence, or undefined when the query does not imply its `where`. */
function impliedParts(
  index: IndexState,
  parts: readonly SelectorNode[],
  conditions: readonly Condition[],
): readonly SelectorNode[] | undefined {
  if (index.spec.where === undefined) return [];
  const answered: SelectorNode[] = [];
  for (const needed of conjunctsOf(parseSelector(index.spec.where))) {
    const text = JSON.stringify(needed);
    const same = parts.find((part) => JSON.stringify(part) === text);
    if (same !== undefined) answered.push(same);
    else if (!isImplied(needed, conditions)) return undefined;
  }
  return answered;
}

/** Whether a value that fulfils one of the conditions always fulfils `needed`. Both ask for some value at a path. */
function isImplied(needed: SelectorNode, conditions: readonly Condition[]): boolean {
  if (needed.type !== 'field') return false;
  const own = conditions.filter(({ path }) => path === needed.path);
  if (needed.test.type === 'exists') return own.some(refusesMissing);
  const [interest, ...more] = conditionsOf(needed);
  if (interest === undefined || !interest.isExact || more.length > 0) return false;
  const values = valuesOf([interest]);
  return own.some((condition) => isWithin(condition, values));
}
