/** Rows as bytes: in pages, in the log and between threads. The format is permanent: FORMAT.md. */
export { assertRow, assertValue } from './check.ts';
export { type Column, type Columns, readColumns } from './columns.ts';
export { decodeRows } from './decode.ts';
export { encodeRows } from './encode.ts';
export { estimateRowBytes } from './estimate.ts';
export { BINARY_TYPES, isForbiddenKey } from './format.ts';
export { binaryType, isPlainObject } from './kind.ts';
