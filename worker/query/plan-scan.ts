/** Pulls the rows of a plan in the order of its source, after the conditions that the source does not answer. */
import type { Row } from '../../src/base/row.ts';
import type { MaybePromise } from '../../src/protocol/engine-api.ts';
import { BlobRow, type LeafRun } from '../pages/index.ts';
import type { FindPlan } from './planner/index.ts';
import { isAfter } from './position.ts';
import type { ReadView } from './read-view.ts';
import { createRowFeed, LOOKUP_BATCH, type RowFeed } from './row-feed.ts';
import { allOf, compilePredicate, type Predicate } from './selector/index.ts';
import type { FoundRow } from './sort.ts';

/** Rows that are read before others get the thread. */
const SLICE_ROWS = 20_000;

export type Take = (key: string, row: Row) => void;

export class PlanScan {
  readonly #view: ReadView;
  readonly #feed: RowFeed;
  readonly #isCovered: boolean;
  readonly #accepts: Predicate | undefined;
  readonly #follows: ((found: FoundRow) => boolean) | undefined;
  #run: LeafRun | undefined;
  #at = 0;
  #taken = 0;
  #slice = SLICE_ROWS;
  #isDone = false;
  rowsRead = 0;

  constructor(view: ReadView, plan: FindPlan) {
    this.#view = view;
    this.#feed = createRowFeed(view, plan.source, plan.isCovered ? plan.keyField : undefined);
    this.#isCovered = plan.isCovered;
    this.#accepts = plan.residual.length === 0 ? undefined : compilePredicate(allOf(plan.residual));
    this.#follows = plan.after && isAfter(plan.after, plan.sort);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  get entriesRead(): number {
    return this.#feed.entriesRead;
  }

  /** Leaves out the first rows. Answers whether that can be done without reading them. */
  skip(rows: number): boolean {
    if (this.#accepts !== undefined || this.#follows !== undefined) return false;
    this.#feed.skip(rows);
    return true;
  }

  /** Gives up to `limit` rows, or fewer at the end. A promise when something has to be loaded, or when it takes long. */
  pull(limit: number, take: Take): MaybePromise<void> {
    const target = this.#taken + limit;
    const waiting = this.#work(target, take);
    return waiting && this.#finish(waiting, target, take);
  }

  async #finish(first: Promise<void>, target: number, take: Take): Promise<void> {
    for (let waiting: Promise<void> | undefined = first; waiting !== undefined; waiting = this.#work(target, take))
      await waiting;
  }

  /** Goes on until enough rows have been taken, or answers what has to be waited for. */
  #work(target: number, take: Take): Promise<void> | undefined {
    while (!this.#isDone && this.#taken < target) {
      if (this.#run === undefined) {
        const loading = this.#view.space.whenResident(() => this.#nextRun(target));
        // What has been read may leave the cache: the run has it.
        if (loading instanceof Promise) return loading.then(() => this.#view.space.trim());
        if (this.#run === undefined) return undefined;
      }
      const blob = this.#walk(target, take);
      if (blob !== undefined) return this.#view.readBlob(blob).then((row) => this.#takeStored(row, take));
      if (this.#slice <= 0) {
        this.#slice = SLICE_ROWS;
        return this.#view.yieldTask();
      }
    }
    return undefined;
  }

  /**
   * All rows at once, synchronously: throws PAGE_MISS when a page is not in memory, and goes on from there when called
   * again with the same `take`.
   */
  pullNow(take: Take, wholeRow: (stored: unknown) => Row): void {
    for (;;) {
      if (this.#run === undefined) this.#nextRun(Number.POSITIVE_INFINITY);
      if (this.#run === undefined) return;
      const blob = this.#walk(Number.POSITIVE_INFINITY, take);
      if (blob !== undefined) this.#takeStored(wholeRow(blob), take);
    }
  }

  #nextRun(target: number): void {
    // What the source gives is what is wanted, unless conditions refuse some of it.
    const isExact = this.#accepts === undefined && this.#follows === undefined;
    this.#run = this.#feed.next(isExact ? target - this.#taken : LOOKUP_BATCH);
    if (this.#run === undefined) this.#isDone = true;
    else this.#at = this.#run.start;
  }

  /** Takes what is in memory. Answers a row that has to be loaded first. */
  #walk(target: number, take: Take): BlobRow | undefined {
    const { keys, values, end, step } = this.#run!;
    const accepts = this.#accepts;
    const follows = this.#follows;
    const from = this.#at;
    let at = from;
    let blob: BlobRow | undefined;
    for (; at !== end && this.#taken < target; at += step) {
      const stored = values![at];
      if (stored instanceof BlobRow) {
        blob = stored;
        break;
      }
      if (accepts !== undefined && !accepts(stored as Row)) continue;
      if (follows !== undefined && !follows({ key: keys[at]!, row: stored as Row })) continue;
      this.#taken += 1;
      take(keys[at]!, stored as Row);
    }
    const read = Math.abs(at - from);
    if (!this.#isCovered) this.rowsRead += read;
    this.#slice -= read;
    this.#at = at;
    if (at === end) this.#run = undefined;
    return blob;
  }

  #takeStored(row: Row, take: Take): void {
    const { keys, end, step } = this.#run!;
    const key = keys[this.#at]!;
    this.rowsRead += 1;
    this.#at += step;
    if (this.#at === end) this.#run = undefined;
    if (this.#accepts !== undefined && !this.#accepts(row)) return;
    if (this.#follows !== undefined && !this.#follows({ key, row })) return;
    this.#taken += 1;
    take(key, row);
  }
}
