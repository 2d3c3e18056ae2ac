/** Rows as Yjs documents. The only layer of the worker that knows Yjs. */
export { freshRow } from './fresh-row.ts';
export { rowOfProjection } from './projection.ts';
export { RowDocument } from './row-document.ts';
