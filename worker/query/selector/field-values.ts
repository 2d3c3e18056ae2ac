/**
 * What a selector sees at a path of a row. A path leads through objects, by number into arrays, and through arrays into
 * the objects in them. Where it meets an object without the field, or anything else that has none, it sees `undefined`;
 * an array without objects on the way shows nothing at all, as MongoDB has it.
 */
import type { Row } from '../../../src/base/row.ts';
import { encodeComponent } from '../../indexes/index.ts';
import { arrayIndex } from '../paths.ts';
import type { Test } from './value-tests.ts';

type Fields = Readonly<Record<string, unknown>>;

/** Whether one of the values at a path passes. */
export function testAt(
  segments: readonly string[],
  test: Test,
  { looksIntoArrays }: { readonly looksIntoArrays: boolean },
): (row: Row) => boolean {
  const testEnd: Test = looksIntoArrays ? (value) => passes(value, test) : test;
  const [field = ''] = segments;
  if (segments.length > 1) return (row) => walk(row, segments, 0, testEnd);
  // Rows inherit functions only, and only under these names.
  if (field in Object.prototype) return (row) => testEnd(typeof row[field] === 'function' ? undefined : row[field]);
  return looksIntoArrays
    ? (row) => {
        const value = row[field];
        return typeof value === 'object' ? passes(value, test) : test(value);
      }
    : (row) => test(row[field]);
}

/** The encoded forms of all values at a path that a condition on it may be about: null for what is missing. */
export function encodedValuesAt(row: Row, segments: readonly string[]): readonly string[] {
  const found: string[] = [];
  const add = (value: unknown): boolean => {
    found.push(encodeComponent(value));
    return false;
  };
  walk(row, segments, 0, (value) => passes(value, add));
  return found;
}

/** All values at a path, `undefined` for what is missing; an array at its end is one value. */
export function valuesSeenAt(row: Row, segments: readonly string[]): readonly unknown[] {
  const found: unknown[] = [];
  walk(row, segments, 0, (value) => {
    found.push(value);
    return false;
  });
  return found;
}

/** The value itself, or one of its elements. */
function passes(value: unknown, test: Test): boolean {
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) if (test(value[i])) return true;
  }
  return test(value);
}

function walk(from: unknown, segments: readonly string[], start: number, testEnd: Test): boolean {
  let value = from;
  for (let depth = start; depth < segments.length; depth += 1) {
    if (Array.isArray(value)) return walkArray(value, segments, depth, testEnd);
    if (!hasFields(value)) return testEnd(undefined);
    value = value[segments[depth]!];
    if (typeof value === 'function') return testEnd(undefined);
  }
  return testEnd(value);
}

function walkArray(array: readonly unknown[], segments: readonly string[], depth: number, testEnd: Test): boolean {
  const place = arrayIndex(segments[depth]!);
  if (place >= 0 && place < array.length && walk(array[place], segments, depth + 1, testEnd)) return true;
  for (const element of array) {
    if (hasFields(element) && walk(element, segments, depth, testEnd)) return true;
  }
  return false;
}

function hasFields(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof ArrayBuffer) &&
    !ArrayBuffer.isView(value)
  );
}
