export { AggregateCursor, type AggregateOptions } from './aggregate-cursor.ts';
export { compileGroup, type Grouping, type GroupPlan } from './group.ts';
export type { JoinSource } from './join.ts';
export { type KeptGroups, keptGroups } from './kept-groups.ts';
export { compilePipeline, type Pipeline } from './pipeline.ts';
