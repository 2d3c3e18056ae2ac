/**
 * Reading a dotted path of a row. Stored values are never functions, so what comes from a prototype is told apart by
 * its type, and no own-property test is needed on this hot path (S5: forbidden names are refused before).
 */
import type { Row } from '../../src/base/row.ts';

export type FieldReader = (row: Row) => unknown;

/** The value at a path, without looking into arrays on the way; `undefined` when it is missing. */
export function fieldReader(path: string): FieldReader {
  if (!path.includes('.')) {
    return (row) => {
      const value = row[path];
      return typeof value === 'function' ? undefined : value;
    };
  }
  const segments = path.split('.');
  return (row) => {
    let value: unknown = row;
    for (const segment of segments) {
      if (!isObject(value)) return undefined;
      value = value[segment];
      if (typeof value === 'function') return undefined;
    }
    return value;
  };
}

/**
 * All values that a selector sees at a path: through arrays of objects on the way, as MongoDB does. An array at the end
 * is one value here; its elements are the caller's concern. Answers [] when the path is missing everywhere.
 */
export function valuesAt(row: Row, segments: readonly string[], from = 0): readonly unknown[] {
  let value: unknown = row;
  for (let depth = from; depth < segments.length; depth += 1) {
    const segment = segments[depth]!;
    if (Array.isArray(value)) {
      const found: unknown[] = [];
      if (/^(?:0|[1-9]\d{0,9})$/.test(segment) && value[Number(segment)] !== undefined) {
        found.push(...valuesIn(value[Number(segment)], segments, depth + 1));
      }
      for (const element of value) {
        if (isObject(element)) found.push(...valuesAt(element, segments, depth));
      }
      return found;
    }
    if (!isObject(value)) return [];
    value = value[segment];
    if (value === undefined || typeof value === 'function') return [];
  }
  return [value];
}

/** Whether an array stands on the way or at the end of a path: an index with one entry per row cannot answer for it. */
export function meetsArray(row: Row, segments: readonly string[]): boolean {
  let value: unknown = row;
  for (const segment of segments) {
    if (Array.isArray(value)) return true;
    if (!isObject(value)) return false;
    value = value[segment];
  }
  return Array.isArray(value);
}

const valuesIn = (value: unknown, segments: readonly string[], from: number): readonly unknown[] => {
  if (from === segments.length) return [value];
  return isObject(value) || Array.isArray(value) ? valuesAt(value as Row, segments, from) : [];
};

const isObject = (value: unknown): value is Row =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Date) &&
  !(value instanceof ArrayBuffer) &&
  !ArrayBuffer.isView(value);
