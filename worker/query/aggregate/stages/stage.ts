/**
 * What a stage of a pipeline is. A plan is checked and compiled once; each run opens a stage of it, which is given rows
 * batch by batch and answers with rows as soon as it can.
 */
import type { Row } from '../../../../src/base/row.ts';
import type { MaybePromise } from '../../../../src/protocol/engine-api.ts';
import type { ExpressionCompiler } from '../expression.ts';
import type { JoinSource } from '../join.ts';

export interface Stage {
  /** Takes rows in their order. Answers what is known of the output so far, in its order. */
  push(rows: readonly Row[]): MaybePromise<readonly Row[]>;
  /** There are no more rows: answers the rest. Called once. */
  finish(): MaybePromise<readonly Row[]>;
  /** Whether more input would change nothing. */
  readonly isDone: boolean;
}

export type StagePlan = {
  readonly name: string;
  /**
   * What the order of input decides. `passes`: only the order of output. `matters`: which rows come out, or their values.
   * `free`: nothing.
   */
  readonly order: 'passes' | 'matters' | 'free';
  /** Of a grouping whose answer does not depend on the order of rows: a live query keeps it open. */
  readonly groups?: () => KeptGrouping;
  /** Of `$limit` and of `$skip`, so that a `$sort` before it keeps no more than is asked for. */
  readonly limit?: number;
  readonly skip?: number;
  /** `keep`: no more rows of the output are wanted. */
  open(run: Run, keep?: number): Stage;
};

/** A grouping that rows are added to and taken out of again. */
export type KeptGrouping = {
  add(rows: readonly Row[]): void;
  /** A row that was added before. Answers false when what is left cannot be told exactly: then it is to be given up. */
  remove(row: Row): boolean;
  /** What the stage answers with for the rows that are in it. */
  rows(): readonly Row[];
};

/** What a run gives to its stages. */
export type Run = {
  /** Another collection at the same snapshot. */
  readonly source: (collection: string) => JoinSource;
  /** Lets other calls in when the run has had its slice of time. */
  readonly rest: () => MaybePromise<void>;
};

/** What a stage's check may use. */
export type StageContext = {
  readonly compiler: ExpressionCompiler;
  /** The primary key's field in the collection on which the pipeline runs. */
  readonly keyField: string;
  /** Notes a collection that the pipeline reads, and answers its key's field. Throws `collection/unknown`. */
  readonly noteCollection: (name: string, path: string) => string;
  /** Inner pipelines. `compiler` may know more variables. */
  readonly compilePipeline: (pipeline: unknown, path: string, compiler: ExpressionCompiler) => readonly StagePlan[];
  /** A pipeline over another collection. */
  readonly compileSource: (
    pipeline: unknown,
    path: string,
    options: {
      readonly compiler: ExpressionCompiler;
      readonly keyField: string;
      /** Whether its rows are found by somebody else, so that nothing of it can be left to a find. */
      readonly isGivenRows: boolean;
    },
  ) => InnerPipeline;
};

export interface InnerPipeline {
  /** Whether it knows variables: its answer may then be another one for each row. */
  readonly usesVariables: boolean;
  /** Over `rows`, or over those that it finds itself. */
  run(run: Run, source: JoinSource, rows: readonly Row[] | undefined): Promise<readonly Row[]>;
}

/** `path` ends with the stage's name. Throws `query/...`. */
export type CompileStage = (spec: unknown, path: string, context: StageContext) => StagePlan;

export const NO_ROWS: readonly Row[] = [];

/** A stage that looks at one row at a time. `undefined` leaves a row out. */
export function eachRow(name: string, change: (row: Row) => Row): StagePlan {
  const stage: Stage = { push: (rows) => rows.map(change), finish: () => NO_ROWS, isDone: false };
  return { name, order: 'passes', open: () => stage };
}

/** Most rows that are wanted from the plan at `from - 1`: what a `$limit` behind it keeps, through `$skip`. */
export function keepBefore(plans: readonly StagePlan[], from: number): number | undefined {
  let skipped = 0;
  for (let at = from; at < plans.length; at++) {
    const { limit, skip } = plans[at]!;
    if (limit !== undefined) return skipped + limit;
    if (skip === undefined) return undefined;
    skipped += skip;
  }
  return undefined;
}

/** Whether the answer of these stages may depend on the order of the rows that they are given. */
export function needsOrder(plans: readonly StagePlan[]): boolean {
  const decisive = plans.find(({ order }) => order !== 'passes');
  return decisive === undefined || decisive.order === 'matters';
}
