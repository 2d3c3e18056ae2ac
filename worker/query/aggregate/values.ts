/** Values as expressions see them: `undefined` is a missing value. Order and equality are those of the store's keys. */
import { isPlainObject } from '../../../src/base/codec/index.ts';
import { encodeComponent } from '../../indexes/index.ts';

/**
 * What a Map can tell values apart by: scalars by themselves (missing is null, -0 is 0), dates and containers by their
 * encoded form behind a mark. A string that begins with the mark is encoded too, so that none is taken for another.
 */
export function identityOf(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.charCodeAt(0) === 0 ? `\u0000${encodeComponent(value)}` : value;
    case 'object':
      return value === null ? null : `\u0000${encodeComponent(value)}`;
    default:
      return value === undefined ? null : value;
  }
}

/** All but false, null, missing and 0. */
export const isTruthy = (value: unknown): boolean =>
  value !== false && value !== null && value !== undefined && value !== 0;

export const isMissing = (value: unknown): value is null | undefined => value === null || value === undefined;

export { compareValues } from '../value-order.ts';
export { isPlainObject };

/** The names of types that `$type` gives. Whole numbers of 32 bits are ints, as MongoDB's shell stores them. */
export function typeName(value: unknown): string {
  switch (typeof value) {
    case 'undefined':
      return 'missing';
    case 'boolean':
      return 'bool';
    case 'number':
      if (!Number.isInteger(value)) return 'double';
      return value >= -(2 ** 31) && value < 2 ** 31 ? 'int' : Number.isSafeInteger(value) ? 'long' : 'double';
    case 'object':
      if (value === null) return 'null';
      if (Array.isArray(value)) return 'array';
      if (value instanceof Date) return 'date';
      return isPlainObject(value) ? 'object' : 'binData';
    default:
      return typeof value;
  }
}
