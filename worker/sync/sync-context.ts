/** What the parts of one run of the sync worker share. */
import type { ConflictSpec } from '../../src/protocol/conflict-options.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import type { Answer, Question } from './conflict-rules.ts';
import type { HeldRows } from './held-rows.ts';
import type { Outbox } from './outbox.ts';
import type { OwnRuns } from './own-runs.ts';
import type { SyncPlatform } from './platform.ts';
import type { StoreClient } from './store-client.ts';
import type { InTurn } from './turns.ts';

export type Synced = {
  readonly name: string;
  /** Field of the primary key. */
  readonly key: string;
  readonly fields: FieldTypes;
  readonly conflict?: ConflictSpec | undefined;
};

export type AskPage = (questions: readonly Question[]) => Promise<readonly Answer[]>;

export type SyncContext = {
  readonly platform: SyncPlatform;
  readonly store: StoreClient;
  readonly outbox: Outbox;
  readonly held: HeldRows;
  readonly runs: OwnRuns;
  /** The application's functions for conflicts: answers in the order of the questions, always. */
  readonly askPage: AskPage;
  /** Those that are synchronised, by name. */
  readonly collections: ReadonlyMap<string, Synced>;
  /** Of Yjs, for this run alone (R7). */
  readonly clientId: number;
  readonly limits: RelayLimits;
  /** For whatever numbers batches, or reads what it then writes: one after the other. */
  readonly inTurn: InTurn;
};

/** What the relay takes: as the last welcome has said, and before the first as relays mostly have it. */
export type RelayLimits = { frameBytesMax: number; batchBytesMax: number };

export const createRelayLimits = (): RelayLimits => ({
  frameBytesMax: 1024 * 1024,
  batchBytesMax: 32 * 1024 * 1024,
});
