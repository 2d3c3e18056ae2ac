/** Objects. Null or missing gives null, unless said otherwise. */
import { assertValue } from '../../../../src/base/codec/index.ts';

import { isMissing, isPlainObject } from '../values.ts';
import { mustArray, mustObject, mustText, named, type Operators, unaryOrNull, variadic } from './operator.ts';

type Fields = Record<string, unknown>;

/** Later objects win; null counts as empty. */
export function mergeInto(target: Fields, value: unknown, path: string): void {
  if (isMissing(value)) return;
  Object.assign(target, mustObject(value, path));
}

function mergeObjects(values: readonly unknown[], path: string): Fields {
  const merged: Fields = {};
  const [only] = values;
  for (const value of values.length === 1 && Array.isArray(only) ? only : values) mergeInto(merged, value, path);
  return merged;
}

function objectToArray(value: unknown, path: string): readonly Fields[] {
  return Object.entries(mustObject(value, path)).map(([k, v]) => ({ k, v }));
}

/** Pairs as `[name, value]` or `{ k, v }`. */
function arrayToObject(value: unknown, path: string): Fields {
  const result: Fields = {};
  for (const pair of mustArray(value, path)) {
    const [name, field] = Array.isArray(pair) ? pair : isPlainObject(pair) ? [pair['k'], pair['v']] : [];
    setOwn(result, mustText(name, path), field, path);
  }
  return result;
}

function setOwn(target: Fields, name: string, value: unknown, path: string): void {
  // Names come from data here, so a forbidden one is met only now (S5).
  assertValue({ [name]: null }, path);
  if (value === undefined) delete target[name];
  else target[name] = value;
}

export const OBJECTS: Operators = {
  $arrayToObject: unaryOrNull(arrayToObject),
  $getField: (operand, path, compiler) => {
    const bare = !isPlainObject(operand) || Object.keys(operand).some((name) => name.startsWith('$'));
    return named(['field'], ['input'], ({ field, input }) => {
      const name = mustText(field, path);
      return isPlainObject(input) && Object.hasOwn(input, name) ? input[name] : undefined;
    })(bare ? { field: operand, input: '$$CURRENT' } : { input: '$$CURRENT', ...operand }, path, compiler);
  },
  $mergeObjects: variadic(0, Number.POSITIVE_INFINITY, mergeObjects),
  $objectToArray: unaryOrNull(objectToArray),
  $setField: named(['field', 'input', 'value'], [], ({ field, input, value }, path) => {
    if (isMissing(input)) return null;
    const result = { ...mustObject(input, path) };
    setOwn(result, mustText(field, path), value, path);
    return result;
  }),
};
