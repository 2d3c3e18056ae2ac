/** Errors about rows in the application's words: which collection, which key, which place in its array. */
import { assertRow } from '../base/codec/index.ts';
import type { Row } from '../base/row.ts';
import { StoreError } from '../base/store-error.ts';
import type { Issue } from '../schema/standard-schema.ts';

/** The collection that a call belongs to, and its key field: what errors name. */
export type Owner = {
  readonly name: string;
  readonly key: string;
  /** The transaction that its calls belong to. */
  readonly tx?: number | undefined;
};

/** Wrong rows that one error names. */
export const ROW_PROBLEMS_MAX: number = 20;

export type RowProblem = {
  /** Place in the array that was given. */
  readonly row: number;
  readonly key: unknown;
  readonly issues: readonly Issue[];
};

/** What the codec has against a row, as issues; none when it can be stored. */
export function storageIssues(row: Row): readonly Issue[] {
  try {
    assertRow(row, 0);
    return [];
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { path, found } = error.details;
    return [{ path: String(path), message: error.message.replace('Row 0', 'Document'), rule: error.code, found }];
  }
}

/** The one error of a call that was given one row. */
export function invalidDocument(owner: Owner, key: unknown, issues: readonly Issue[]): StoreError {
  const [first] = issues;
  return new StoreError(
    'collection/invalid-document',
    `${owner.name}: the document with ${owner.key} ${JSON.stringify(key)} is refused: ${first?.message}`,
    { details: { collection: owner.name, key, issues } },
  );
}

/** The one error of a call that was given many. */
export function invalidDocuments(owner: Owner, problems: readonly RowProblem[]): StoreError {
  const [first] = problems;
  return new StoreError(
    'collection/invalid-document',
    `${owner.name}: ${problems.length} documents are refused; the first, at place ${first?.row}: ${first?.issues[0]?.message}`,
    {
      details: { collection: owner.name, rows: problems },
      hint: `Nothing was stored. At most ${ROW_PROBLEMS_MAX} are named.`,
    },
  );
}

/** Finds what the codec refused in the rows of a call. `answer` is there when the application gave one row, not many. */
export function attributed(
  error: StoreError,
  owner: Owner | undefined,
  rows: readonly Row[] | undefined,
  answer: unknown,
): StoreError {
  if (owner === undefined || rows === undefined) return error;
  if (answer !== undefined) return invalidDocument(owner, rows[0]?.[owner.key], storageIssues(rows[0]!));
  const problems: RowProblem[] = [];
  noteProblems(owner, rows, problems);
  return invalidDocuments(owner, problems);
}

/** Adds what the codec has against rows; `places` says where they stood. */
export function noteProblems(
  { key }: Owner,
  rows: readonly Row[],
  problems: RowProblem[],
  places?: readonly number[],
): void {
  for (let at = 0; at < rows.length && problems.length < ROW_PROBLEMS_MAX; at++) {
    const row = rows[at];
    const issues = storageIssues(row!);
    if (issues.length > 0) problems.push({ row: places?.[at] ?? at, key: row?.[key], issues });
  }
}
