/** Rows as Yjs documents. The only layer of the worker that knows Yjs. */
export { RowDocument } from './row-document.ts';
