/**
 * What a live query tells: the newest state, as the difference to what its subscriber has taken before. Nothing is
 * queued for a slow subscriber; what it takes late is one step from the old state to the newest.
 */
import type { Row } from '../base/row.ts';
import type { FindSpec, PipelineSpec } from './definition.ts';

/** The rows of a query in their order, or how many it gives. */
export type LiveKind = 'rows' | 'count';

export type LiveRequest = { readonly collection: string; readonly kind: LiveKind } & (
  | { readonly find: FindSpec; readonly pipeline?: undefined }
  | { readonly pipeline: PipelineSpec; readonly find?: undefined }
);

/**
 * From one result to the next, along the old one: four numbers at a time say how many rows stay, how many are replaced
 * where they stand, how many leave, and how many come. Rows after the last four stay. A row that moves leaves and comes.
 */
export type Script = readonly number[];
export const KEEP = 0;
export const CHANGE = 1;
export const DROP = 2;
export const ADD = 3;

/** `rows` are those that are changed or added, in the order of the script. */
export type RowsUpdate = { readonly script: Script; readonly rows: readonly Row[] };

export type LiveUpdate = RowsUpdate | { readonly count: number };

export type LiveListener = {
  /** There is something to take. Not told again before it was taken. */
  readonly onChange: () => void;
  /** The query has ended; nothing more is told. */
  readonly onError: (error: unknown) => void;
};

export interface LiveSubscription {
  /** What has changed since the last time; the first time everything. Undefined when there is nothing new. */
  take(): LiveUpdate | undefined;
  /** The rows as they were taken last; of a count, or before the first time, undefined. Also after the end. */
  readonly taken: readonly Row[] | undefined;
  /** Safe to repeat. */
  close(): void;
}
