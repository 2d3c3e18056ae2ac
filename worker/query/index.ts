export {
  AggregateCursor,
  compileGroup,
  compilePipeline,
  type Grouping,
  type GroupPlan,
  type JoinSource,
  type Pipeline,
} from './aggregate/index.ts';
export { countPlan, FindCursor, type FoundRow, PlanScan, type ReadView } from './find.ts';
export { parsePath } from './paths.ts';
export { type Plan, planFind } from './planner.ts';
export {
  compilePredicate,
  encodedValuesAt,
  type Interest,
  interestOf,
  type Predicate,
  parseSelector,
  type SelectorNode,
} from './selector/index.ts';
export { applyChanges } from './update-operators.ts';
