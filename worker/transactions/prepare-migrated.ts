/**
 * A batch of migrated rows, checked like any write and stored in one commit with how far the migration has come: so no
 * row is migrated twice, or not at all, whenever a crash comes.
 */
import { assert } from '../../src/base/assert.ts';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { type CollectionState, decodePrimaryKey, encodePrimaryKey } from '../indexes/index.ts';
import { PAGE_MISS } from '../pages/index.ts';
import type { BlobWrite } from '../storage/index.ts';
import type { CatalogueChange } from './commit-format.ts';
import { checkSchema, LONG_KEY_ROW_BYTES, type RowValidator } from './prepare.ts';
import type { StoreState } from './store-state.ts';
import { type PreparedWrite, presentRow, type RowChange, storedRow } from './write-task.ts';

export type MigratedRows = {
  /** Encoded keys of present rows that follow each other in the primary tree, ascending. */
  readonly keys: readonly string[];
  /** What the rows have become, in the same order. */
  readonly rows: readonly Row[];
  readonly from: number;
  readonly to: number;
  readonly progress: CatalogueChange;
  readonly validate: RowValidator | undefined;
};

/** Against the head, without changing it. Throws PAGE_MISS, or `collection/migration-failed`, and then nothing is stored. */
export function prepareMigrated(
  state: StoreState,
  collection: CollectionState,
  { keys, rows, from, to, progress, validate }: MigratedRows,
): PreparedWrite {
  assert(rows.length === keys.length, 'A migration gives as many rows as it was given.');
  const changes: RowChange[] = [];
  const blobs: BlobWrite[] = [];
  const [first = ''] = keys;
  // Rows from here on are replaced by this batch or by later ones: only what was migrated can be in the way.
  const ignored = { has: (owner: string): boolean => owner >= first };
  const together = { ignored, seen: new Map<string, string>() };
  for (const [at, key] of keys.entries()) {
    const row = rows[at]!;
    try {
      if (encodePrimaryKey(collection.keyOf(row)) !== key) throw keyChanged(collection);
      if (validate !== undefined) checkSchema(collection, row, validate);
      collection.checkUnique(key, row, together);
      const present = presentRow(state, collection, key);
      assert(present !== undefined, 'Nobody else writes to a collection while it is migrated.');
      if (deepEqual(present.before, row)) continue;
      collection.checkKeyLengths(key, row, LONG_KEY_ROW_BYTES);
      changes.push({ key, ...present, after: storedRow(state, collection, key, row, blobs) });
    } catch (error) {
      if (error === PAGE_MISS || !(error instanceof StoreError)) throw error;
      throw migrationFailed(collection, { from, to, version: to, key: decodePrimaryKey(key), cause: error });
    }
  }
  return { collection, changes, encoded: undefined, blobs, catalogue: progress, value: undefined };
}

/** `version`: the step that failed. `cause`: an error, or what the page tells of one. */
export function migrationFailed(
  { spec }: CollectionState,
  {
    cause,
    ...facts
  }: {
    readonly from: number;
    readonly to: number;
    readonly version?: number;
    readonly key?: unknown;
    readonly cause: unknown;
  },
): StoreError {
  const where = facts.version === undefined ? '' : ` at document ${JSON.stringify(facts.key)}, step ${facts.version}`;
  const why = cause instanceof StoreError ? cause : undefined;
  return new StoreError(
    'collection/migration-failed',
    `Collection ${spec.name} cannot be brought from version ${facts.from} to ${facts.to}: it fails${where}: ${why?.message ?? cause}`,
    {
      details: {
        collection: spec.name,
        ...facts,
        ...(why === undefined ? { reason: String(cause) } : { reason: why.code, facts: why.details }),
      },
      cause,
      hint: 'Correct the migration, then reload: it goes on with the first document that is not migrated. No document was lost or half changed.',
    },
  );
}

const keyChanged = ({ spec }: CollectionState): StoreError =>
  new StoreError('update/changes-key', `A migration must not change the key, ${spec.key}.`, {
    details: { collection: spec.name, field: spec.key },
  });
