export { AggregateCursor, type AggregateOptions } from './aggregate-cursor.ts';
export { compileGroup, type Grouping, type GroupPlan } from './group.ts';
export { Join, type JoinSource, joinValues } from './join.ts';
export { type KeptGroups, keptGroups } from './kept-groups.ts';
export { compilePipeline, type Pipeline } from './pipeline.ts';
export type { Run } from './stages/stage.ts';
