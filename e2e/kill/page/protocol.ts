/** What the page does for the driver, and what it tells it. */
import type { RecoveryReport, VerifyReport } from '../../../src/index.ts';
import type { CollectionName } from '../workload/row.ts';
import type { Trap } from './observer-channel.ts';

/** What lies in the database before the engine touches it. */
export type RawState = {
  readonly generation: number;
  /** The last log record that the pages hold. */
  readonly floor: number;
  readonly logRecords: number;
  /** Records that the pages hold already: a checkpoint came as far as its commit, and not to the end. */
  readonly logRecordsBelowFloor: number;
};

export type StateReport = {
  readonly recovery: RecoveryReport;
  /** Keys and digests. */
  readonly rows: { readonly [name in CollectionName]: readonly (readonly [key: string, digest: string])[] };
  readonly verified: VerifyReport;
  /** What queries by index answer otherwise than a scan. */
  readonly indexProblems: readonly string[];
  readonly openMs: number;
};

export interface KillPage {
  inspect(): Promise<RawState | undefined>;
  /** Opens the store and reads everything. */
  open(): Promise<StateReport>;
  /** Starts the workload on what `open` has read. It goes on until it is killed. */
  start(seed: number, round: string, trap: Trap | undefined): void;
  /** Stops making calls, waits for the answers, closes the store. Answers how many calls were made. */
  stop(): Promise<number>;
  /** Ends the worker in the middle of everything. */
  terminate(): void;
}

/**
 * Lines of the page's console: `ack PLACE DURABILITY` for a call that was answered, `bulk PLACE` and `compact PLACE` when
 * one of these begins, `done PLACE` for a compaction, `checkpoint-begin`, `checkpoint-end`, `trapped`, and `wrong PLACE WHAT`.
 */
export type PageEvent = {
  readonly type: string;
  readonly place: number;
  readonly text: string;
};

export function parseEvent(line: string): PageEvent {
  const [type = '', place = '', ...rest] = line.split(' ');
  return { type, place: Number(place), text: rest.join(' ') };
}
