/** Rows as Yjs documents. The only layer of the worker that knows Yjs. */
export { missingFrom, stateVectorOf } from './difference.ts';
export { freshRow } from './fresh-row.ts';
export { rowOfProjection } from './projection.ts';
export { type ChangeTimes, clockOf, RowDocument } from './row-document.ts';
export { assertCarries } from './unfit.ts';
