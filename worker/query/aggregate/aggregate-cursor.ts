/** Runs a pipeline at one snapshot. Reads as much as the rows that are asked for need, and rests between batches. */
import type { Row } from '../../../src/base/row.ts';
import type { Explanation, MaybePromise, RowCursor } from '../../../src/protocol/engine-api.ts';
import { FindCursor } from '../find.ts';
import { planFind } from '../planner/index.ts';
import { Chain } from './chain.ts';
import type { JoinSource } from './join.ts';
import { keptGroups } from './kept-groups.ts';
import { BATCH_ROWS } from './limits.ts';
import type { Pipeline } from './pipeline.ts';

/** How long a run may hold the thread before other calls get their turn. */
const SLICE_MS = 8;

export type AggregateOptions = {
  readonly pipeline: Pipeline;
  readonly source: JoinSource;
  /** For the pipeline's `collections`, at the same snapshot. */
  readonly sourceOf: (collection: string) => JoinSource;
  readonly now: () => number;
  readonly yieldTask: () => Promise<void>;
  /** Gives up the snapshot. Called at the end and by `close`. */
  readonly release: () => void;
};

export class AggregateCursor implements RowCursor {
  readonly #options: AggregateOptions;
  readonly #find: FindCursor;
  readonly #chain: Chain;
  #ready: readonly Row[] = [];
  #at = 0;
  #isEnded = false;
  #sliceStartMs = 0;
  readonly #startMs: number;
  rowsGiven = 0;

  constructor(options: AggregateOptions) {
    const { pipeline, source, sourceOf } = options;
    this.#options = options;
    this.#startMs = options.now();
    const plan = planFind(source.collection, pipeline.find);
    this.#find = new FindCursor({ view: source.view, plan, release: () => {} });
    this.#chain = new Chain(pipeline.plans, { source: sourceOf, rest: () => this.#rest() });
  }

  async next(limit: number): Promise<{ readonly rows: readonly Row[]; readonly done: boolean }> {
    this.#sliceStartMs = this.#options.now();
    const rows: Row[] = [];
    for (;;) {
      while (this.#at < this.#ready.length && rows.length < limit) rows.push(this.#ready[this.#at++]!);
      if (rows.length === limit || this.#isEnded) break;
      await this.#step(limit);
    }
    this.rowsGiven += rows.length;
    const done = this.#isEnded && this.#at === this.#ready.length;
    if (done) this.close();
    return { rows, done };
  }

  close(): void {
    this.#options.release();
  }

  explain(): Explanation {
    const { plans } = this.#options.pipeline;
    const stages = plans.map(({ name }, at) => ({ stage: name, ...this.#chain.counts[at]! }));
    const live = keptGroups(this.#options.pipeline) === undefined ? 'rerun' : 'patched';
    return { ...this.#find.explain(this.#options.now() - this.#startMs), rowsGiven: this.rowsGiven, stages, live };
  }

  async #step(limit: number): Promise<void> {
    const { plans } = this.#options.pipeline;
    // Without stages that gather, no more is read than asked for.
    const { rows, done } = await this.#find.next(plans.length === 0 ? limit : BATCH_ROWS);
    this.#ready = await this.#chain.push(rows);
    this.#at = 0;
    if (done || this.#chain.isDone) {
      const rest = await this.#chain.finish();
      this.#ready = this.#ready.length === 0 ? rest : [...this.#ready, ...rest];
      this.#isEnded = true;
    }
    await this.#rest();
  }

  #rest(): MaybePromise<void> {
    const { now, yieldTask } = this.#options;
    if (now() - this.#sliceStartMs < SLICE_MS) return;
    return yieldTask().then(() => {
      this.#sliceStartMs = now();
    });
  }
}
