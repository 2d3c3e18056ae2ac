import {
  BINARY_TYPES,
  KIND_ARRAY,
  KIND_BINARY,
  KIND_BOOLEAN,
  KIND_DATE,
  KIND_NULL,
  KIND_NUMBER,
  KIND_OBJECT,
  KIND_STRING,
} from './format.ts';

const { getPrototypeOf, hasOwn, prototype: plain } = Object;

/** Kind of a cell, or -1 for what cannot be stored. `undefined` is null here: only array elements come so far. */
export function kindOf(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return KIND_STRING;
    case 'number':
      return KIND_NUMBER;
    case 'boolean':
      return KIND_BOOLEAN;
    case 'undefined':
      return KIND_NULL;
    case 'object':
      if (value === null) return KIND_NULL;
      if (isPlainObject(value)) return KIND_OBJECT;
      if (Array.isArray(value)) return KIND_ARRAY;
      if (value instanceof Date) return KIND_DATE;
      return binaryType(value) < 0 ? (tagOf(value) === 'Date' ? KIND_DATE : -1) : KIND_BINARY;
    default:
      return -1;
  }
}

/** Also true of plain objects of another realm (a frame): their prototype is the end of its chain. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = getPrototypeOf(value);
  return (
    prototype === plain ||
    prototype === null ||
    (getPrototypeOf(prototype) === null && hasOwn(prototype, 'isPrototypeOf'))
  );
}

/** Number of a binary type in the format, or -1. */
export function binaryType(value: object): number {
  const type = BINARY_TYPES.indexOf(tagOf(value));
  return type === 0 || ArrayBuffer.isView(value) ? type : -1;
}

/** 'Date', 'Uint8Array', 'Map' ...: the same for subclasses and for values of another realm. */
export function tagOf(value: unknown): string {
  return plain.toString.call(value).slice(8, -1);
}
