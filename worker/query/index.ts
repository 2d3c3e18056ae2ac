export {
  AggregateCursor,
  compileGroup,
  compilePipeline,
  type Grouping,
  type GroupPlan,
  type JoinSource,
  joinValues,
  type KeptGroups,
  keptGroups,
  type Pipeline,
} from './aggregate/index.ts';
export { countPlan, FindCursor } from './find.ts';
export { chosenRows, collectionsOf, type Include, Includer, parseIncludes } from './include.ts';
export { IncludeCursor } from './include-cursor.ts';
export { parsePath } from './paths.ts';
export { PlanScan } from './plan-scan.ts';
export { type FindPlan, followsFilter, type Plan, planFind } from './planner/index.ts';
export { compileProjection, type Projection } from './projection.ts';
export type { ReadView } from './read-view.ts';
export { checkScan } from './scan-limit.ts';
export {
  AnyOf,
  compilePredicate,
  encodedValuesAt,
  type Interest,
  interestOf,
  type Predicate,
  parseSelector,
  type SelectorNode,
} from './selector/index.ts';
export { compareRows, type FoundRow, type SortReader, sortReader } from './sort.ts';
export { createRest } from './time-slice.ts';
export { applyChanges } from './update-operators.ts';
