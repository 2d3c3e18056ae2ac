/** Answers of plans: rows with sort, skip, limit and projection, pages of them, and counts. */
import { assert } from '../../src/base/assert.ts';
import type { Row } from '../../src/base/row.ts';
import type { Explanation, MaybePromise, Page, RowCursor } from '../../src/protocol/engine-api.ts';
import { countRanges } from '../pages/index.ts';
import { explainPlan } from './explain.ts';
import { createKeyCollector } from './key-collector.ts';
import { PlanScan } from './plan-scan.ts';
import type { FindPlan } from './planner/index.ts';
import { encodeCursor } from './position.ts';
import type { ReadView } from './read-view.ts';
import { type FoundRow, RowOrder, type SortedRow, TOP_ROWS_MAX, TopRows } from './sort.ts';

type Chunk = { readonly rows: readonly Row[]; readonly done: boolean };

/** A cursor over the rows of a find. */
export class FindCursor implements RowCursor {
  readonly #view: ReadView;
  readonly #scan: PlanScan;
  readonly #plan: FindPlan;
  readonly #release: () => void;
  readonly #pagesBefore: number;
  #skip: number;
  #left: number;
  #sorted: readonly FoundRow[] | undefined;
  #at = 0;
  #isOpen = true;
  rowsGiven = 0;

  constructor(options: { view: ReadView; plan: FindPlan; release: () => void }) {
    const { view, plan } = options;
    this.#view = view;
    this.#plan = plan;
    this.#release = options.release;
    this.#pagesBefore = view.space.pagesRead;
    this.#scan = new PlanScan(view, plan);
    this.#skip = plan.isSorted && this.#scan.skip(plan.skip) ? 0 : plan.skip;
    this.#left = plan.limit;
  }

  next(limit: number): MaybePromise<Chunk> {
    const { projection } = this.#plan;
    const toChunk = (found: readonly FoundRow[]): Chunk => ({
      rows: projection === undefined ? found.map(({ row }) => row) : found.map(({ row }) => projection.apply(row)),
      done: !this.#isOpen,
    });
    const found = this.#next(limit);
    return found instanceof Promise ? found.then(toChunk) : toChunk(found);
  }

  /** All rows of a plan whose limit is one more than the page has: the surplus row tells that there is another page. */
  async page(): Promise<Page> {
    const { projection, limit, collection, keyField, sort } = this.#plan;
    const found: FoundRow[] = [];
    while (this.#isOpen) found.push(...(await this.#next(limit)));
    const hasMore = found.length === limit;
    const page = hasMore ? found.slice(0, -1) : found;
    const last = page.at(-1);
    return {
      rows: projection === undefined ? page.map(({ row }) => row) : page.map(({ row }) => projection.apply(row)),
      next: hasMore && last !== undefined ? encodeCursor(last, { collection, keyField, sort, projection }) : undefined,
    };
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#release();
  }

  explain(timeMs: number): Explanation {
    return explainPlan(this.#plan, {
      entriesRead: this.#scan.entriesRead,
      rowsRead: this.#scan.rowsRead,
      rowsGiven: this.rowsGiven,
      pagesRead: this.#view.space.pagesRead - this.#pagesBefore,
      timeMs,
    });
  }

  #next(limit: number): MaybePromise<readonly FoundRow[]> {
    if (this.#plan.isSorted) return this.#stream(limit);
    if (this.#sorted !== undefined) return this.#giveSorted(limit);
    const sorting = this.#sortAll();
    return sorting instanceof Promise ? sorting.then(() => this.#giveSorted(limit)) : this.#giveSorted(limit);
  }

  #stream(limit: number): MaybePromise<readonly FoundRow[]> {
    const wanted = Math.min(limit, this.#left);
    const found: FoundRow[] = [];
    const take = (key: string, row: Row): void => {
      if (this.#skip > 0) this.#skip -= 1;
      else found.push({ key, row });
    };
    const pulling = wanted === 0 ? undefined : this.#scan.pull(wanted + this.#skip, take);
    const finish = (): readonly FoundRow[] => this.#give(found, this.#scan.isDone);
    return pulling instanceof Promise ? pulling.then(finish) : finish();
  }

  #giveSorted(limit: number): readonly FoundRow[] {
    const sorted = this.#sorted!;
    const found = sorted.slice(this.#at, this.#at + Math.min(limit, this.#left));
    this.#at += found.length;
    return this.#give(found, this.#at >= sorted.length);
  }

  #give(found: readonly FoundRow[], isEnd: boolean): readonly FoundRow[] {
    this.#left -= found.length;
    this.rowsGiven += found.length;
    if (isEnd || this.#left <= 0) this.close();
    return found;
  }

  #sortAll(): MaybePromise<void> {
    const { sort, limit } = this.#plan;
    const order = new RowOrder(sort);
    const wanted = this.#skip + limit;
    const top = wanted <= TOP_ROWS_MAX ? new TopRows(order, wanted) : undefined;
    const all: SortedRow[] = [];
    const pulling = this.#scan.pull(Number.POSITIVE_INFINITY, (key, row) => {
      if (top !== undefined) top.add(key, row);
      else all.push(order.keyed(key, row));
    });
    const finish = (): void => {
      const sorted = top === undefined ? all.sort(order.compare) : top.sorted();
      this.#sorted = this.#skip === 0 ? sorted : sorted.slice(this.#skip);
    };
    return pulling instanceof Promise ? pulling.then(finish) : finish();
  }
}

/** Counts the rows of a plan; without reading them when the source answers everything. */
export function countPlan(view: ReadView, plan: FindPlan): MaybePromise<number> {
  const { source } = plan;
  if (plan.residual.length > 0) return countByScan(new PlanScan(view, plan));
  if (source.type === 'keys') {
    const collector = createKeyCollector(view, source.keys);
    return view.space.whenResident(() => collector.collect().length);
  }
  assert(source.type !== 'merge', 'Counts need no order.');
  const state = view.stateOf(source.type === 'rows' ? undefined : source.index);
  return view.space.whenResident(() => countRanges(view.space, state, source.ranges));
}

function countByScan(scan: PlanScan): MaybePromise<number> {
  let count = 0;
  const pulling = scan.pull(Number.POSITIVE_INFINITY, () => {
    count += 1;
  });
  return pulling instanceof Promise ? pulling.then(() => count) : count;
}
