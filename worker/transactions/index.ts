export { Checkpointer, type CheckpointerOptions } from './checkpointer.ts';
export { aborted } from './commit-errors.ts';
export type { CatalogueChange } from './commit-format.ts';
export type { CommitHistory } from './commit-history.ts';
export { Committer } from './committer.ts';
export { type LockName, type LockOwner, LockTable } from './lock-table.ts';
export {
  type PrepareContext,
  prepareCreates,
  prepareDeleteMany,
  prepareWrite,
  previewUpdate,
  type RowIssue,
  type RowValidator,
} from './prepare.ts';
export { prepareCommit } from './prepare-commit.ts';
export { type MigratedRows, migrationFailed, prepareMigrated } from './prepare-migrated.ts';
export { type Condition, conflict, ReadSet } from './read-set.ts';
export { type Recovered, recover } from './recovery.ts';
export { type NetChanges, StoreFork } from './store-fork.ts';
export type { StoreState } from './store-state.ts';
export { studyRows } from './studied-rows.ts';
export { SyncMarks } from './sync-marks.ts';
export { type PreparedWrite, presentRow } from './write-task.ts';
