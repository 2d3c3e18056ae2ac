/** The package's public names. */
export type { Key, Row } from './base/row.ts';
export { StoreError, type StoreErrorCode } from './base/store-error.ts';
export type { LongOptions, LongWriteOptions, WriteOptions } from './client/call-options.ts';
export type { Change, Collection, IndexBuild } from './client/collection.ts';
export type { Conflict } from './client/conflicts.ts';
export type { CollectionOf, Definitions } from './client/definitions.ts';
export type { DocumentOptions, DocumentState, LiveDocument, Yjs, YjsDocument } from './client/document.ts';
export type { CallOptions } from './client/link.ts';
export type { Delta } from './client/live-query.ts';
export { type OpenedStore, openStore, type StoreOptions } from './client/open-store.ts';
export type { Participant, Presence } from './client/presence.ts';
export type { FindOptions, Query } from './client/query.ts';
export type { RowProblem } from './client/row-problem.ts';
export type { Store, VerifyOptions } from './client/store.ts';
export type { StoreSync, SyncOptions, SyncState } from './client/sync.ts';
export type { CollectionInside, Savepoint, Transaction, TransactionOptions } from './client/transaction.ts';
export type { ConflictStrategy } from './protocol/conflict-options.ts';
export type {
  Durability,
  DurabilityGiven,
  Explanation,
  Health,
  IndexInfo,
  Migration,
  Progress,
  RecoveryReport,
  VerifyReport,
} from './protocol/engine-api.ts';
export type { FieldType } from './protocol/field-types.ts';
export type { PresenceState, PresenceValue } from './protocol/presence-state.ts';
export type { StoreStatus } from './protocol/store-status.ts';
export type { HeldRow, Refusal, SyncStatus } from './protocol/sync-worker.ts';
export type { TabInfo } from './protocol/tabs.ts';
export type { ChangesFor, Condition, OperatorsFor, SelectorFor, SortFor } from './schema/arguments.ts';
export {
  type AnyRow,
  type CollectionDefinition,
  type ConflictFunction,
  type ConflictOption,
  defineCollection,
  type IndexInput,
  type InputOf,
  type KeyOf,
  type RowOf,
} from './schema/definition.ts';
export type { Included, IncludeFor } from './schema/include.ts';
export type { Path, ValueAt } from './schema/paths.ts';
export type { Expression, PipelineStage } from './schema/pipeline.ts';
export type { Issue, StandardSchema } from './schema/standard-schema.ts';
