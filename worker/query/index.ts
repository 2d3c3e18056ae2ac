export { countPlan, FindCursor, type FoundRow, PlanScan, type ReadView } from './find.ts';
export { parsePath } from './paths.ts';
export { type Plan, planFind } from './planner.ts';
export { compilePredicate, type Predicate, parseSelector } from './selector.ts';
export { applyChanges } from './update-operators.ts';
