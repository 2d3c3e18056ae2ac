/**
 * The order of values and the meaning of paths, written down plainly: no encoding, no index, no plan. It shares nothing
 * with the store, so that both are wrong alike only when the rule was misread twice.
 */
import type { Row } from '../../src/base/row.ts';

const RANKS = ['null', 'number', 'string', 'object', 'array', 'binary', 'boolean', 'date'] as const;

function kindOf(value: unknown): (typeof RANKS)[number] {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') {
    return typeof value as 'number' | 'string' | 'boolean';
  }
  if (Array.isArray(value)) return 'array';
  if (value instanceof Date) return 'date';
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer ? 'binary' : 'object';
}

export const rankOf = (value: unknown): number => RANKS.indexOf(kindOf(value));
export const isPlain = (value: unknown): value is Row => kindOf(value) === 'object';

/** Negative, zero or positive. Missing and null are the same; NaN is the lowest number; 0 and -0 are the same. */
export function compareValues(a: unknown, b: unknown): number {
  const ranks = rankOf(a) - rankOf(b);
  if (ranks !== 0) return ranks;
  switch (kindOf(a)) {
    case 'null':
      return 0;
    case 'number':
      return compareNumbers(a as number, b as number);
    case 'date':
      return compareNumbers((a as Date).getTime(), (b as Date).getTime());
    case 'boolean':
      return Number(a) - Number(b);
    case 'string':
      return (a as string) < (b as string) ? -1 : a === b ? 0 : 1;
    case 'array':
      return compareArrays(a as readonly unknown[], b as readonly unknown[]);
    case 'object':
      return compareObjects(a as Row, b as Row);
    case 'binary':
      return compareArrays(
        [(a as Uint8Array).length, ...(a as Uint8Array)],
        [(b as Uint8Array).length, ...(b as Uint8Array)],
      );
  }
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareArrays(a: readonly unknown[], b: readonly unknown[]): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const order = compareValues(a[at], b[at]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareObjects(a: Row, b: Row): number {
  const left = Object.entries(a).filter(([, value]) => value !== undefined);
  const right = Object.entries(b).filter(([, value]) => value !== undefined);
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const [leftName, leftValue] = left[at]!;
    const [rightName, rightValue] = right[at]!;
    const order =
      rankOf(leftValue) - rankOf(rightValue) ||
      compareValues(leftName, rightName) ||
      compareValues(leftValue, rightValue);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Numbers before strings. */
export const compareKeys = (a: unknown, b: unknown): number => compareValues(a, b);

/** All values that a path leads to, through arrays of objects on the way. */
export function* leavesAt(value: unknown, segments: readonly string[], at = 0): Generator<unknown> {
  if (at === segments.length) {
    if (value !== undefined) yield value;
    return;
  }
  const segment = segments[at]!;
  if (Array.isArray(value)) {
    if (/^\d+$/.test(segment)) yield* leavesAt(value[Number(segment)], segments, at + 1);
    for (const element of value) if (isPlain(element)) yield* leavesAt(element, segments, at);
    return;
  }
  if (isPlain(value) && Object.hasOwn(value, segment)) yield* leavesAt(value[segment], segments, at + 1);
}
