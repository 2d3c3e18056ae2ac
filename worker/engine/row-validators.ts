/**
 * What is asked of the rows of each collection: its JSON Schema, and that fields with a type hold what that type can. What
 * other devices have written is not refused for the latter: their row documents give what fits, or what was there before
 * the field had its type. Collections without either have no validator, and pay nothing.
 */
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { fitProblem } from '../../src/protocol/field-fit.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import type { RowIssue, RowValidator } from '../transactions/index.ts';
import { createValidator } from './json-schema.ts';

/** By collection. `local`: of what this store's application writes. `remote`: of what other devices have done. */
export type RowValidators = {
  readonly local: ReadonlyMap<string, RowValidator>;
  readonly remote: ReadonlyMap<string, RowValidator>;
};

/** Throws `collection/invalid-schema`. */
export function createRowValidators(collections: readonly CollectionSpec[]): RowValidators {
  const local = new Map<string, RowValidator>();
  const remote = new Map<string, RowValidator>();
  for (const { name, jsonSchema, fields = {} } of collections) {
    const ofSchema = jsonSchema && createValidator(jsonSchema);
    const ofTypes = Object.keys(fields).length > 0 ? typesValidator(fields) : undefined;
    if (ofSchema !== undefined) remote.set(name, ofSchema);
    const both = ofSchema && ofTypes ? bothOf(ofTypes, ofSchema) : (ofSchema ?? ofTypes);
    if (both !== undefined) local.set(name, both);
  }
  return { local, remote };
}

const FITTING: readonly RowIssue[] = [];

function typesValidator(types: FieldTypes): RowValidator {
  const typed = Object.entries(types);
  return (row) => {
    let issues: RowIssue[] | undefined;
    for (const [field, type] of typed) {
      const value = row[field];
      const message = value === undefined ? undefined : fitProblem(type, value);
      if (message === undefined) continue;
      issues ??= [];
      issues.push({ path: field, rule: 'type', message, type });
    }
    return issues ?? FITTING;
  };
}

const bothOf =
  (first: RowValidator, second: RowValidator): RowValidator =>
  (row) => {
    const issues = first(row);
    return issues.length > 0 ? [...issues, ...second(row)] : second(row);
  };
