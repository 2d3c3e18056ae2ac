export { LIVE_QUERIES_MAX, LiveQueries } from './live-queries.ts';
export type { LiveSource } from './live-source.ts';
export { outputDifference } from './output-difference.ts';
