export { Checkpointer, type CheckpointerOptions } from './checkpointer.ts';
export type { CatalogueChange } from './commit-format.ts';
export { aborted, Committer } from './committer.ts';
export {
  type PrepareContext,
  prepareCreates,
  prepareDeleteMany,
  prepareWrite,
  previewUpdate,
  type RowValidator,
} from './prepare.ts';
export { type MigratedRows, migrationFailed, prepareMigrated } from './prepare-migrated.ts';
export { type Recovered, recover } from './recovery.ts';
export type { StoreState } from './store-state.ts';
export { studyRows } from './studied-rows.ts';
