/** Whether an index has the order of a sort, and where a place in that order is in it. */
import type { SortOrder } from '../../../src/protocol/definition.ts';
import { COMPONENT_END } from '../../indexes/index.ts';
import { type CursorScope, isAfter, type Position, toPosition } from '../position.ts';
import type { FoundRow } from '../sort.ts';
import type { TreeUse } from './tree-use.ts';

/**
 * The sort with the key as its last path, which no other row shares: so it fixes every place. The key goes in the
 * direction of the path before it, which is how it stands in every index.
 */
export function toFullSort(sort: SortOrder, keyField: string): SortOrder {
  const at = sort.findIndex(([path]) => path === keyField);
  if (at >= 0) return sort.slice(0, at + 1);
  return [...sort, [keyField, sort.at(-1)?.[1] ?? 1]];
}

/** Whether rows come behind what a query was given as `after`. Throws `query/invalid-cursor`. */
export function followsFilter(after: unknown, scope: CursorScope): (found: FoundRow) => boolean {
  const sort = toFullSort(scope.sort, scope.keyField);
  return isAfter(toPosition(after, { ...scope, sort }), sort);
}

/** The direction in which a use gives a full sort; undefined when it does not. */
export function orderOf(use: TreeUse, sort: SortOrder, keyField: string): 1 | -1 | undefined {
  const { index, fixed, isOrdered, ranges, hasRepeats } = use;
  if (index === undefined || hasRepeats) return undefined;
  const { on, multi } = index.spec;
  const isOneValue = fixed === on.length;
  if (!isOneValue && (!isOrdered || multi || ranges.length > 1)) return undefined;
  const open = openSort(use, sort);
  const direction = sort.at(-1)![1];
  if (open.some(([, each]) => each !== direction)) return undefined;
  const given = [...on.slice(fixed), keyField];
  // Paths of the index that the sort does not name would come between it and the key.
  if (open.length !== given.length || !open.every(([path], at) => path === given[at])) return undefined;
  return direction;
}

/** Most ranges that are merged: each has its place in memory, and all are compared for each row. */
const MERGED_MAX = 64;

/** The direction in which each group of a use gives a full sort, so that merging them gives it; undefined when not. */
export function mergedOrderOf(use: TreeUse, sort: SortOrder, keyField: string): 1 | -1 | undefined {
  const { index, isOrdered, groups, chosen } = use;
  if (index === undefined || !isOrdered || groups.length < 2 || groups.length > MERGED_MAX) return undefined;
  const direction = sort.at(-1)![1];
  const given = [...index.spec.on.slice(chosen), keyField];
  const isGiven =
    sort.length === given.length && sort.every(([path, each], at) => path === given[at] && each === direction);
  return isGiven ? direction : undefined;
}

/** Paths of a sort that are not fixed to one value. In an index that folds case, none is: only the folded value is. */
function openSort({ index, fixed, isOrdered }: TreeUse, sort: SortOrder): SortOrder {
  const { on, multi } = index!.spec;
  const fixedPaths = isOrdered && !multi ? on.slice(0, fixed) : [];
  return sort.filter(([path]) => !fixedPaths.includes(path));
}

/** The key in the index of a place in the order of a sort that the groups of a use have. */
export function positionInGroup({ index, chosen }: TreeUse, prefix: string, { values, key }: Position): string {
  const open = index!.spec.on.slice(chosen).map((_, at) => values[at]! + COMPONENT_END);
  return prefix + open.join('') + key;
}

/** The key in the index of a place in the order of a sort that the index has. */
export function positionKey({ index, fixed, prefix }: TreeUse, sort: SortOrder, { values, key }: Position): string {
  const open = index!.spec.on
    .slice(fixed)
    .map((path) => values[sort.findIndex(([each]) => each === path)]! + COMPONENT_END);
  return prefix + open.join('') + key;
}
