/**
 * What fits a field with a type. The engine refuses the rest at the write (without knowing Yjs), and row documents rely
 * on it (worker/documents).
 */
import { isPlainObject } from '../base/codec/index.ts';
import { type FieldType, isWellFormed } from './field-types.ts';

/** In words, for the hint of an error. */
export const FITS: { readonly [Type in FieldType]: string } = {
  text: 'a string',
  list: 'an array',
  counter: 'a finite number',
  set: 'an array of null, booleans, numbers, strings and dates',
  map: 'a plain object',
};

/** Why a value is none of a type, as the end of a sentence about its field; undefined when it is one. */
export function fitProblem(type: FieldType, value: unknown): string | undefined {
  return PROBLEMS[type](value);
}

const PROBLEMS: { readonly [Type in FieldType]: (value: unknown) => string | undefined } = {
  text(value) {
    if (typeof value !== 'string') return 'is no string';
    return isWellFormed(value) ? undefined : 'has half of a surrogate pair';
  },
  list: (value) => (Array.isArray(value) ? undefined : 'is no array'),
  counter: (value) => (typeof value === 'number' && Number.isFinite(value) ? undefined : 'is no finite number'),
  set(value) {
    if (!Array.isArray(value)) return 'is no array';
    const at = value.findIndex((element) => !isElement(element));
    return at < 0 ? undefined : `has an element at ${at} that is not null, a boolean, a number, a string or a date`;
  },
  map(value) {
    if (!isPlainObject(value)) return 'is no plain object';
    return hasSoundNames(value) ? undefined : 'has a name with half of a surrogate pair';
  },
};

function isElement(element: unknown): boolean {
  if (typeof element === 'string') return isWellFormed(element);
  if (element === null || element === undefined) return true;
  return typeof element === 'boolean' || typeof element === 'number' || element instanceof Date;
}

const hasSoundNames = (object: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(object).every(
    ([name, value]) => isWellFormed(name) && (!isPlainObject(value) || hasSoundNames(value)),
  );
