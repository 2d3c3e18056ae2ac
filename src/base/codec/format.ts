/**
 * Numbers of the row format that reach disk and log (FORMAT.md). All of them are permanent: never renumbered, only
 * added to, under a new version.
 */

export const CODEC_VERSION: number = 1;

/** Kinds of cells, in the order in which a mixed column lists its parts. */
export const KIND_NULL: number = 0;
export const KIND_BOOLEAN: number = 1;
export const KIND_NUMBER: number = 2;
export const KIND_STRING: number = 3;
export const KIND_DATE: number = 4;
export const KIND_BINARY: number = 5;
export const KIND_ARRAY: number = 6;
export const KIND_OBJECT: number = 7;
/** A column header below 8 is its only kind; MIXED is followed by a bit mask of the kinds present. */
export const MIXED: number = 8;

/** Bits of a number, by the code that a number vector starts with. */
export const NUMBER_BITS: readonly number[] = [0, 1, 2, 4, 8, 16, 24, 32, 40, 48];
/** The code of raw float64. */
export const NUMBER_FLOAT: number = 10;

/**
 * More cells than this never take zero bits. So the bytes that remain bound every count that a decoder believes, and
 * damaged bytes cannot make it allocate without end.
 */
export const FREE_CELLS_MAX: number = 256;

/** The place of Uint8Array in BINARY_TYPES. */
export const BINARY_UINT8 = 3;

export const BINARY_TYPES: readonly string[] = [
  'ArrayBuffer',
  'DataView',
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Float16Array',
];

/** Names that reach a prototype when they are assigned or walked (S5). */
export function isForbiddenKey(name: string): boolean {
  return name === '__proto__' || name === 'constructor' || name === 'prototype';
}
