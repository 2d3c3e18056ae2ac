/** Changing one place of a row: containers on the way are copied, all others are shared with the row before. */
import { isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { arrayIndex } from './paths.ts';
import { refuseUpdate } from './update-errors.ts';

/** Elements that one update may add to an array by writing behind its end: a typing error must not fill memory. */
export const ARRAY_GAP_MAX: number = 10_000;

export type Target = { readonly operator: string; readonly path: string; readonly segments: readonly string[] };

/** From the value at the target (`undefined`: missing) to the new one (`undefined`: remove). */
export type Change = (current: unknown) => unknown;

/**
 * The row with the change made; the same object when the change answered the value that is there. Objects missing on
 * the way are made, but only when there is a value to hold. Throws `update/not-a-container` when a value cannot be
 * stored because something else than an object or array stands on the way.
 */
export function changeAt(row: Row, target: Target, change: Change): Row {
  return changeIn(row, target, 0, change) as Row;
}

function changeIn(container: unknown, target: Target, depth: number, change: Change): unknown {
  if (depth === target.segments.length) return change(container);
  const segment = target.segments[depth]!;
  if (Array.isArray(container)) return changeElement(container, segment, target, depth, change);
  if (container === undefined || isPlainObject(container)) {
    const object = container ?? {};
    const before = Object.hasOwn(object, segment) ? object[segment] : undefined;
    const after = changeIn(before, target, depth + 1, change);
    if (Object.is(after, before)) return container;
    if (after !== undefined) return { ...object, [segment]: after };
    const { [segment]: _removed, ...rest } = object;
    return rest;
  }
  const after = changeIn(undefined, target, target.segments.length, change);
  if (after === undefined) return container;
  return refuseUpdate(
    'not-a-container',
    target,
    'object-or-array',
    `'${segment}' has no place in a ${nameOf(container)}`,
  );
}

function changeElement(
  array: readonly unknown[],
  segment: string,
  target: Target,
  depth: number,
  change: Change,
): unknown {
  const index = arrayIndex(segment);
  const before = index < 0 ? undefined : array[index];
  const after = changeIn(before, target, depth + 1, change);
  // Removing must not move what is behind: null takes the place.
  if (Object.is(after, before) || (after === undefined && before === null)) return array;
  if (index < 0)
    return refuseUpdate('not-a-container', target, 'array-index', `'${segment}' is not an index of an array`);
  if (index - array.length > ARRAY_GAP_MAX) {
    return refuseUpdate('array-gap', target, 'array-gap', `Index ${index} is too far behind the end of the array`);
  }
  const copy = [...array];
  while (copy.length < index) copy.push(null);
  copy[index] = after === undefined ? null : after;
  return copy;
}

/** What an error calls a value that is there. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? Object.prototype.toString.call(value).slice(8, -1).toLowerCase() : typeof value;
}
