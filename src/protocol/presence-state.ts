/** What somebody may say of themselves to all who are here: plain JSON, and little of it (R17). */
import { isForbiddenKey, isPlainObject } from '../base/codec/index.ts';

export type PresenceValue =
  | null
  | boolean
  | number
  | string
  | readonly PresenceValue[]
  | { readonly [name: string]: PresenceValue | undefined };
export type PresenceState = { readonly [name: string]: PresenceValue | undefined };

/** Of the JSON, in UTF-8: with ids and lengths it fits into a frame of 16 KiB. */
export const PRESENCE_BYTES_MAX = 16_000;
/** Fields of all objects in it together. */
export const PRESENCE_FIELDS_MAX = 64;
/** Objects and arrays inside of each other. */
export const PRESENCE_DEPTH_MAX = 8;
/** What one participant sends in a second, and one device for all of its tabs. */
export const PRESENCE_PER_SECOND = 20;

/** Why a value is no state, as the end of a sentence that names it; undefined when it is one. */
export function presenceProblem(state: unknown): string | undefined {
  if (!isPlainObject(state)) return 'is no plain object';
  const fields = { left: PRESENCE_FIELDS_MAX };
  return problemOf(state, PRESENCE_DEPTH_MAX, fields, '');
}

function problemOf(value: unknown, depth: number, fields: { left: number }, path: string): string | undefined {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : `has the number ${value} at ${path}, which JSON has not`;
    case 'object':
      return value === null ? undefined : problemInside(value, depth, fields, path);
    default:
      return `has a ${typeof value} at ${path}, which JSON has not`;
  }
}

function problemInside(value: object, depth: number, fields: { left: number }, path: string): string | undefined {
  if (depth === 0) return `is nested deeper than ${PRESENCE_DEPTH_MAX}`;
  if (Array.isArray(value)) {
    for (const [at, inner] of value.entries()) {
      const problem = problemOf(inner, depth - 1, fields, `${path}[${at}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  if (!isPlainObject(value)) return `has an object that is not plain at ${path}`;
  for (const [name, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    if (isForbiddenKey(name)) return `has a field ${name}`;
    fields.left -= 1;
    if (fields.left < 0) return `has more than ${PRESENCE_FIELDS_MAX} fields`;
    const problem = problemOf(inner, depth - 1, fields, path === '' ? name : `${path}.${name}`);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
