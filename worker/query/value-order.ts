/** The order of values, compared as they are where types are plain, and by their encoded form where they are not. */
import { encodeComponent } from '../indexes/index.ts';

/** Negative, zero or positive, as the encoded forms compare: missing and null are one, NaN is the lowest number. */
export function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return a < b ? -1 : a > b ? 1 : 0;
  const isMissingA = a === null || a === undefined;
  const isMissingB = b === null || b === undefined;
  if (isMissingA || isMissingB) return isMissingA ? (isMissingB ? 0 : -1) : 1;
  if (a instanceof Date && b instanceof Date) return compareNumbers(a.getTime(), b.getTime());
  const left = encodeComponent(a);
  const right = encodeComponent(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

function compareNumbers(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
}
