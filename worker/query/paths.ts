/** Dotted paths into rows. No walk follows a prototype, and no path names one (S5). */
import { isForbiddenKey, isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';

/** Paths kept parsed. Applications use few; a flood of different ones only empties the cache. */
const PATHS_CACHED_MAX = 1_000;

const segmentsByPath = new Map<string, readonly string[]>();

/** The segments of a path, `a.b.0` as ['a', 'b', '0']. Throws `query/forbidden-path` for names of prototypes. */
export function parsePath(path: string): readonly string[] {
  const known = segmentsByPath.get(path);
  if (known !== undefined) return known;
  const segments = path.split('.');
  const forbidden = segments.find(isForbiddenKey);
  if (forbidden !== undefined) {
    throw new StoreError('query/forbidden-path', `The path '${path}' names a prototype.`, {
      details: { path, segment: forbidden },
    });
  }
  if (segmentsByPath.size >= PATHS_CACHED_MAX) segmentsByPath.clear();
  segmentsByPath.set(path, segments);
  return segments;
}

/** The value at a path, `undefined` when it is missing. A numeric segment is an index where it meets an array. */
export function getPath(row: Row, path: string): unknown {
  let value: unknown = row;
  for (const segment of parsePath(path)) {
    value = ownValue(value, segment);
    if (value === undefined) return undefined;
  }
  return value;
}

/** One step of a path: an own property of a plain object, or an element of an array. */
export function ownValue(container: unknown, segment: string): unknown {
  if (typeof container !== 'object' || container === null) return undefined;
  if (Array.isArray(container)) return container[arrayIndex(segment)];
  return isPlainObject(container) && Object.hasOwn(container, segment) ? (container as Row)[segment] : undefined;
}

/** The array index that a segment writes, or -1: '01' and '1e3' are names. */
export function arrayIndex(segment: string): number {
  return /^(?:0|[1-9]\d{0,9})$/.test(segment) ? Number(segment) : -1;
}
