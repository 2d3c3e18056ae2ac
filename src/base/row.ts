/** Plain shared data types: what a document is, on every side. */

/** What a document may hold. `undefined` properties count as absent; array holes and `undefined` elements become null. */
export type FieldValue =
  | null
  | boolean
  | number
  | string
  | Date
  | ArrayBuffer
  | ArrayBufferView
  | readonly FieldValue[]
  | { readonly [key: string]: FieldValue | undefined };

/** A document: a plain object. Rows are immutable once the engine or the client has them. */
export type Row = { readonly [field: string]: unknown };

/** A primary key. */
export type Key = string | number;
