/** Update operators on arrays: $push, $pull, $addToSet, $pop. */
import { assertValue, isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { encodeComponent } from '../indexes/index.ts';
import { getPath, parsePath } from './paths.ts';
import { pullCondition } from './update-condition.ts';
import { refuseUpdate } from './update-errors.ts';
import { type Change, nameOf, type Target } from './update-path.ts';
import { storable } from './update-value.ts';

type Fields = Readonly<Record<string, unknown>>;
type Sort = (elements: unknown[]) => unknown[];

/** A value, or `{ $each, $position, $slice, $sort }`: inserted, then sorted, then cut. */
export function push(operand: unknown, target: Target): Change {
  const modifiers = modifiersOf(operand, target, ['$each', '$position', '$slice', '$sort']);
  const added = valuesToAdd(operand, modifiers, target);
  const position = wholeNumber(modifiers, '$position', target);
  const slice = wholeNumber(modifiers, '$slice', target);
  const sort = sortOf(modifiers?.['$sort'], target);
  return (current) => {
    const before = arrayOf(current, target);
    if (added.length === 0 && sort === undefined && slice === undefined) return current ?? [];
    const at = position === undefined ? before.length : position < 0 ? Math.max(before.length + position, 0) : position;
    let after = [...before.slice(0, at), ...added, ...before.slice(at)];
    if (sort !== undefined) after = sort(after);
    if (slice !== undefined) after = slice < 0 ? after.slice(slice) : after.slice(0, slice);
    return unlessSame(current, after);
  };
}

/** Adds a value, or each of `$each`, unless the array has it. */
export function addToSet(operand: unknown, target: Target): Change {
  const added = valuesToAdd(operand, modifiersOf(operand, target, ['$each']), target);
  return (current) => {
    const before = arrayOf(current, target);
    const known = new Set(before.map(encodeComponent));
    const fresh = added.filter((value) => {
      const key = encodeComponent(value);
      return !known.has(key) && known.add(key);
    });
    return current !== undefined && fresh.length === 0 ? current : [...before, ...fresh];
  };
}

export function pull(operand: unknown, target: Target): Change {
  assertValue(operand, target.path);
  const goes = pullCondition(operand, target.path);
  return (current) => {
    if (current === undefined) return undefined;
    const before = arrayOf(current, target);
    const after = before.filter((element) => !goes(element));
    return after.length === before.length ? current : after;
  };
}

export function pop(operand: unknown, target: Target): Change {
  if (operand !== 1 && operand !== -1) {
    return refuseUpdate('invalid-operand', target, '1-or--1', '$pop takes 1 (the last element) or -1 (the first)');
  }
  return (current) => {
    if (current === undefined) return undefined;
    const before = arrayOf(current, target);
    if (before.length === 0) return current;
    return operand === 1 ? before.slice(0, -1) : before.slice(1);
  };
}

function arrayOf(current: unknown, target: Target): readonly unknown[] {
  if (current === undefined) return [];
  if (Array.isArray(current)) return current;
  return refuseUpdate('wrong-type', target, 'array', `The field holds a ${nameOf(current)}, not an array`);
}

function unlessSame(current: unknown, after: readonly unknown[]): unknown {
  const same =
    Array.isArray(current) &&
    current.length === after.length &&
    current.every((each, index) => Object.is(each, after[index]));
  return same ? current : after;
}

function modifiersOf(operand: unknown, target: Target, known: readonly string[]): Fields | undefined {
  if (!isPlainObject(operand) || !Object.keys(operand).some((name) => name.startsWith('$'))) return undefined;
  const unknown = Object.keys(operand).find((name) => !known.includes(name));
  if (unknown !== undefined)
    refuseUpdate('unknown-operator', target, 'known-modifier', `${target.operator} does not know '${unknown}'`);
  return operand;
}

function valuesToAdd(operand: unknown, modifiers: Fields | undefined, target: Target): readonly unknown[] {
  if (modifiers === undefined) return storable([operand], target.path) as readonly unknown[];
  const each = modifiers['$each'];
  if (!Array.isArray(each))
    return refuseUpdate('invalid-operand', target, 'array', '$each must be there and be an array');
  return storable(each, target.path) as readonly unknown[];
}

function wholeNumber(modifiers: Fields | undefined, name: string, target: Target): number | undefined {
  const value = modifiers?.[name];
  if (value === undefined) return undefined;
  return Number.isInteger(value)
    ? (value as number)
    : refuseUpdate('invalid-operand', target, 'integer', `${name} must be an integer`);
}

function sortOf(order: unknown, target: Target): Sort | undefined {
  if (order === undefined) return undefined;
  if (order === 1 || order === -1) return sortBy([[encodeComponent, order]]);
  if (
    !isPlainObject(order) ||
    Object.keys(order).length === 0 ||
    Object.values(order).some((way) => way !== 1 && way !== -1)
  ) {
    return refuseUpdate('invalid-operand', target, 'sort', '$sort must be 1, -1 or an object of paths with 1 or -1');
  }
  return sortBy(
    Object.entries(order).map(([path, way]) => {
      parsePath(path);
      return [
        (element) => encodeComponent(isPlainObject(element) ? getPath(element as Row, path) : undefined),
        way as 1 | -1,
      ];
    }),
  );
}

function sortBy(orders: readonly (readonly [key: (element: unknown) => string, way: 1 | -1])[]): Sort {
  return (elements) => {
    const keyed = elements.map((element) => ({ element, keys: orders.map(([key]) => key(element)) }));
    keyed.sort((a, b) => {
      for (const [index, [, way]] of orders.entries()) {
        const [left, right] = [a.keys[index]!, b.keys[index]!];
        if (left !== right) return left < right ? -way : way;
      }
      return 0;
    });
    return keyed.map(({ element }) => element);
  };
}
