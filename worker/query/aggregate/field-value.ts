/**
 * Field paths of expressions: an array on the way gives the array of what its elements have there. Stored values are
 * never functions, so what comes from a prototype is told by its type.
 */
import type { Row } from '../../../src/base/row.ts';
import { isPlainObject } from './values.ts';

/** Reads a path of a row. */
export function compileField(segments: readonly string[]): (row: Row) => unknown {
  const [name = ''] = segments;
  if (segments.length === 1) {
    return (row) => {
      const value = row[name];
      return typeof value === 'function' ? undefined : value;
    };
  }
  return compileWalk(segments);
}

/** Reads a path of any value. */
export function compileWalk(segments: readonly string[]): (value: unknown) => unknown {
  return (value) => walk(value, segments, 0);
}

function walk(value: unknown, segments: readonly string[], from: number): unknown {
  let found = value;
  for (let depth = from; depth < segments.length; depth++) {
    if (Array.isArray(found)) {
      const values: unknown[] = [];
      for (const element of found) {
        // An array directly inside of an array is not looked into, as in MongoDB.
        const inner = isPlainObject(element) ? walk(element, segments, depth) : undefined;
        if (inner !== undefined) values.push(inner);
      }
      return values;
    }
    if (!isPlainObject(found)) return undefined;
    found = found[segments[depth]!];
    if (typeof found === 'function') return undefined;
  }
  return found;
}
