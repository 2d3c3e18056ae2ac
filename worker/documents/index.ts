/** Rows as Yjs documents. The only layer of the worker that knows Yjs. */
export type { FieldType } from './field-kind.ts';
export { assertFieldTypes, type FieldTypes, RowDocument } from './row-document.ts';
