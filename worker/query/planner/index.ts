export { describePlan } from './describe.ts';
export { hintFor } from './hint.ts';
export type { FindPlan, KeySource, Plan, RangeGroup, RangeSource, Source } from './plan.ts';
export { planFind } from './planner.ts';
export { followsFilter } from './sort-by-index.ts';
