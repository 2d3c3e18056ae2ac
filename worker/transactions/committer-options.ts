/** What the committer is given. */
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { ChangeEvent, Durability, DurabilityGiven } from '../../src/protocol/engine-api.ts';
import type { WalAppended, WalWriter } from '../wal/index.ts';
import type { StoreState } from './store-state.ts';
import type { SyncMarks } from './sync-marks.ts';
import type { PreparedWrite } from './write-task.ts';

export type CommitterOptions = {
  readonly state: StoreState;
  readonly wal: WalWriter;
  readonly marks: SyncMarks;
  /** What a stored frame gives on this storage: `none` when it is memory. */
  readonly given: (durability: Durability) => DurabilityGiven;
  /** Rows of single creates, prepared together, or undefined when each needs a look of its own. May throw PAGE_MISS. */
  readonly prepareCreates: (collection: string, rows: readonly Row[]) => PreparedWrite | undefined;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly yieldTask: () => Promise<void>;
  /** After a group is stored and visible. */
  readonly onStored: (appended: WalAppended | undefined) => void;
  readonly onChanges: (collection: string, events: readonly ChangeEvent[]) => void;
  /** After all that a group has to tell. */
  readonly onTold: () => void;
  readonly hasListeners: (collection: string) => boolean;
  readonly onPoisoned: (error: StoreError) => void;
};
