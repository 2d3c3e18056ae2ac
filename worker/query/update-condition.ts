/** Conditions of $pull: a value, or comparison operators, or fields of the elements with either. */
import { isPlainObject } from '../../src/base/codec/index.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { encodeComponent } from '../indexes/index.ts';
import { getPath, parsePath } from './paths.ts';

export type Condition = (value: unknown) => boolean;

/** Whether two values have the same place in the order of the store: -0 is 0, and objects must agree in key order. */
export function sameInOrder(a: unknown, b: unknown): boolean {
  return a === b || encodeComponent(a) === encodeComponent(b);
}

const COMPARISONS: Readonly<Record<string, (operand: unknown, path: string) => Condition>> = {
  $eq: (operand) => equals(operand),
  $ne: (operand) => not(equals(operand)),
  $gt: (operand) => ordered(operand, (value, limit) => value > limit),
  $gte: (operand) => ordered(operand, (value, limit) => value >= limit),
  $lt: (operand) => ordered(operand, (value, limit) => value < limit),
  $lte: (operand) => ordered(operand, (value, limit) => value <= limit),
  $in: (operand, path) => anyOf(operand, '$in', path),
  $nin: (operand, path) => not(anyOf(operand, '$nin', path)),
};

/** What $pull removes from the array at `path`. Throws `update/unknown-operator` for what is not a simple condition. */
export function pullCondition(operand: unknown, path: string): Condition {
  if (!isPlainObject(operand)) return (element) => sameInOrder(element, operand);
  const names = Object.keys(operand);
  if (names.some((name) => name.startsWith('$'))) return comparisons(operand, names, path);
  const conditions = names.map((name) => {
    parsePath(name);
    const condition = fieldCondition(operand[name], path);
    return (element: unknown): boolean => isPlainObject(element) && condition(getPath(element, name));
  });
  return (element) => isPlainObject(element) && conditions.every((condition) => condition(element));
}

function fieldCondition(operand: unknown, path: string): Condition {
  if (isPlainObject(operand)) {
    const names = Object.keys(operand);
    if (names.some((name) => name.startsWith('$'))) return comparisons(operand, names, path);
  }
  return equals(operand);
}

function comparisons(operand: Fields, names: readonly string[], path: string): Condition {
  const conditions = names.map((name) => {
    if (!Object.hasOwn(COMPARISONS, name)) {
      throw new StoreError('update/unknown-operator', `$pull does not know the operator '${name}' (at '${path}').`, {
        details: { operator: '$pull', path, rule: 'known-condition', found: name },
        hint: `Conditions of $pull are values and ${Object.keys(COMPARISONS).join(' ')}.`,
      });
    }
    return COMPARISONS[name]!(operand[name], path);
  });
  return (value) => conditions.every((condition) => condition(value));
}

type Fields = Readonly<Record<string, unknown>>;

/** As in a selector, an array also answers for each of its elements. */
function withElements(condition: Condition): Condition {
  return (value) => condition(value) || (Array.isArray(value) && value.some(condition));
}

const equals = (operand: unknown): Condition => withElements((value) => sameInOrder(value, operand));
const not =
  (condition: Condition): Condition =>
  (value) =>
    !condition(value);

function ordered(operand: unknown, holds: (value: string, limit: string) => boolean): Condition {
  const limit = encodeComponent(operand);
  const isNumber = typeof operand === 'number';
  return withElements((value) => {
    // NaN is the lowest number for sorting, but it is neither above nor below any number.
    if (isNumber && Number.isNaN(value) !== Number.isNaN(operand)) return false;
    const key = encodeComponent(value);
    return key[0] === limit[0] && holds(key, limit);
  });
}

function anyOf(operand: unknown, operator: string, path: string): Condition {
  if (!Array.isArray(operand)) {
    throw new StoreError('update/invalid-operand', `${operator} of $pull needs an array (at '${path}').`, {
      details: { operator: '$pull', path, rule: 'array' },
    });
  }
  const conditions = operand.map(equals);
  return (value) => conditions.some((condition) => condition(value));
}
