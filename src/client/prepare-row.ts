/** What happens to a document on the page before it is sent: key, schema. The codec checks the rest while it encodes. */
import type { Row } from '../base/row.ts';
import type { StoreError } from '../base/store-error.ts';
import { type Issue, plainIssues } from '../schema/standard-schema.ts';
import type { CollectionContext } from './collection-context.ts';
import { invalidDocument, storageIssues } from './row-problem.ts';

/** A document that is not stored, and why. */
export class Refusal {
  readonly key: unknown;
  readonly issues: readonly Issue[];
  /** The error of a call that was given this document alone. */
  readonly error: StoreError;

  constructor(context: CollectionContext, row: unknown, issues: readonly Issue[]) {
    this.key = (row as Row | null | undefined)?.[context.key];
    this.issues = issues;
    this.error = invalidDocument(context, this.key, issues);
  }
}

type Prepared = Row | Refusal;

/** The row to be stored. Answers at once, unless the schema has to wait. */
export function prepareRow(context: CollectionContext, input: unknown): Prepared | Promise<Prepared> {
  const prototype: unknown = typeof input === 'object' && input !== null ? Object.getPrototypeOf(input) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    // Filling in the key would make a plain object of a class instance.
    const issues = storageIssues(input as Row);
    if (issues.length > 0) return new Refusal(context, input, issues);
  }
  const { key: field } = context;
  let row = input as Row;
  if (row[field] === undefined) {
    const key = context.createKey();
    row = { [field]: key, ...row, [field]: key };
  }
  return context.schema === undefined ? row : checkSchema(context, row);
}

/** The schema's verdict. Its output is what is stored; the key survives a schema that does not know it. */
export function checkSchema(context: CollectionContext, row: Row): Prepared | Promise<Prepared> {
  const { key: field } = context;
  const verdict = context.schema!['~standard'].validate(row);
  const toPrepared = (result: Awaited<typeof verdict>): Prepared => {
    if (result.issues !== undefined) return new Refusal(context, row, plainIssues(result.issues));
    const output = result.value as Row;
    if (typeof output !== 'object' || output === null) return output;
    return output[field] === undefined ? { [field]: row[field], ...output, [field]: row[field] } : output;
  };
  return verdict instanceof Promise ? verdict.then(toPrepared) : toPrepared(verdict);
}
