/**
 * JSON Schema validation of rows. A schema is interpreted, never compiled to code (S10). Valid rows, which are nearly
 * all, are accepted by a quick check of the common keywords; whatever it does not accept is judged by the full
 * validator, whose word is final.
 */

import { type OutputUnit, type SchemaDraft, Validator } from '@cfworker/json-schema';
import { isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { acceptorOf } from './json-schema-accept.ts';
import { checkSchema } from './json-schema-check.ts';

export type SchemaProblem = {
  /** Dotted path in the row; '' is the row itself. */
  readonly path: string;
  /** The keyword of the schema that does not hold. */
  readonly rule: string;
  readonly message: string;
};

export type RowValidator = (row: Row) => readonly SchemaProblem[];

/** Problems named of one row; more would only be longer. */
const PROBLEMS_MAX = 20;
const VALID: readonly SchemaProblem[] = [];

/**
 * A validator that answers [] for a valid row. Dates count as their ISO string (an invalid date as null), binary as an
 * object without properties, and `undefined` properties as absent. Throws `collection/invalid-schema` for a schema that
 * is wrong in itself, so that it is refused when the collection is defined.
 */
export function createValidator(schema: Readonly<Record<string, unknown>>): RowValidator {
  const own = checkSchema(schema);
  const accepts = acceptorOf(own);
  const validator = new Validator(own, draftOf(own), false);
  return (row) => {
    if (accepts?.(row)) return VALID;
    const { valid, errors } = validator.validate(jsonView(row));
    return valid ? VALID : problemsOf(errors).slice(0, PROBLEMS_MAX);
  };
}

function draftOf(schema: Readonly<Record<string, unknown>>): SchemaDraft {
  const version = /draft-0(4|6|7)|2019-09/.exec(String(schema['$schema'] ?? ''));
  if (version === null) return '2020-12';
  return version[1] === undefined ? '2019-09' : version[1] === '4' ? '4' : '7';
}

/** The value as JSON has it; the same object where nothing differs. */
function jsonView(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (Array.isArray(value)) return value.map(jsonView);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (!isPlainObject(value)) return {};
  const view: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) if (field !== undefined) view[name] = jsonView(field);
  return view;
}

/** Keywords whose error only says that another one follows. */
const OUTER_RULES = new Set([
  '$ref',
  '$recursiveRef',
  'additionalItems',
  'additionalProperties',
  'allOf',
  'dependencies',
  'dependentSchemas',
  'if',
  'items',
  'patternProperties',
  'prefixItems',
  'properties',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
/** Keywords whose inner errors are alternatives and would confuse. */
const CLOSED_RULES = /\/(?:anyOf|oneOf|not|contains|propertyNames)(?:\/|$)/;

function problemsOf(errors: readonly OutputUnit[]): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  let outerRule = '';
  for (const { keyword, keywordLocation, instanceLocation, error } of errors) {
    if (OUTER_RULES.has(keyword)) {
      outerRule = keyword;
      continue;
    }
    if (CLOSED_RULES.test(keywordLocation.slice(0, -keyword.length))) continue;
    // "The false schema" means that the property or element must not be there.
    const rule = keyword === 'false' ? outerRule : keyword;
    const missing = keyword === 'required' ? /"(.*)"/.exec(error)?.[1] : undefined;
    const path = pathOf(instanceLocation);
    problems.push({
      path: missing === undefined ? path : path === '' ? missing : `${path}.${missing}`,
      rule,
      message: keyword === 'false' ? 'The schema does not allow this.' : error,
    });
  }
  // Every invalid row has a problem, whatever the validator calls it.
  return problems.length > 0
    ? problems
    : [{ path: '', rule: errors[0]?.keyword ?? 'schema', message: errors[0]?.error ?? '' }];
}

/** `#/a~1b/0` as `a/b.0`. */
function pathOf(pointer: string): string {
  const segments = pointer.split('/').slice(1);
  return segments.map((segment) => decodeURIComponent(segment).replaceAll('~1', '/').replaceAll('~0', '~')).join('.');
}
