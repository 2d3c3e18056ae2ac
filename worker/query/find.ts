/**
 * Runs plans against one state of a collection. Rows that are not in memory are fetched in batches: a scan of an index
 * over cold pages costs a transaction for each batch, not one for each row.
 */
import { assert } from '../../src/base/assert.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, SortOrder } from '../../src/protocol/definition.ts';
import type { Explanation, MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';
import { encodeComponent, type FieldReader, fieldReader, primaryKeyOfIndexKey } from '../indexes/index.ts';
import {
  BlobRow,
  countRange,
  type KeyRange,
  type LeafRun,
  LeafScan,
  PAGE_MISS,
  type PageSpace,
  readKey,
  type TreeState,
  wantKey,
} from '../pages/index.ts';
import type { Plan } from './planner.ts';
import { allOf, compilePredicate, type Predicate } from './selector/index.ts';

/** The states of a collection's trees that one query reads. */
export type ReadView = {
  readonly space: PageSpace;
  readonly primary: TreeState;
  readonly stateOf: (plan: Plan) => TreeState;
  /** Loads a row that lives in the blob store. */
  readonly readBlob: (row: BlobRow) => Promise<Row>;
};

export type FoundRow = { readonly key: string; readonly row: Row };

/** Entries that are looked up together. */
const LOOKUP_BATCH = 128;

/** Pulls the rows of a plan in plan order, after the residual conditions, without sort, skip or limit. */
export class PlanScan {
  readonly #view: ReadView;
  readonly #plan: Plan;
  readonly #state: TreeState;
  readonly #accepts: Predicate | undefined;
  readonly #seen: Set<string> | undefined;
  #range = 0;
  #scan: LeafScan | undefined;
  #run: LeafRun | undefined;
  #at = 0;
  #keys: string[] = [];
  #stored: unknown[] = [];
  #isDone = false;
  entriesRead = 0;
  rowsRead = 0;

  constructor(view: ReadView, plan: Plan) {
    this.#view = view;
    this.#plan = plan;
    this.#state = view.stateOf(plan);
    this.#accepts = plan.residual.length === 0 ? undefined : compilePredicate(allOf(plan.residual));
    this.#seen = plan.hasRepeats ? new Set() : undefined;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Adds up to `limit` rows to `out`, or fewer at the end. Blob rows make it a promise. */
  pull(limit: number, out: FoundRow[]): MaybePromise<void> {
    const target = out.length + limit;
    while (!this.#isDone && out.length < target) {
      const batch = this.#view.space.whenResident(() => this.#fill(target - out.length));
      if (batch instanceof Promise) return batch.then(() => this.#take(target, out));
      const taken = this.#emit(out);
      if (taken instanceof Promise) return taken.then(() => this.pull(target - out.length, out));
    }
  }

  /**
   * All rows at once, synchronously: throws PAGE_MISS when a page is not in memory, and goes on from there when called
   * again with the same `out`.
   */
  pullNow(out: FoundRow[], wholeRow: (stored: unknown) => Row): void {
    while (!this.#isDone || this.#keys.length > 0) {
      // Rows may be missing for keys that were found before a page was.
      if (this.#keys.length === 0 || this.#stored.length < this.#keys.length) this.#fill(LOOKUP_BATCH);
      for (let i = 0; i < this.#keys.length; i += 1) this.#stored[i] = wholeRow(this.#stored[i]);
      const none = this.#emit(out);
      assert(none === undefined, 'Whole rows need no loading.');
    }
  }

  async #take(target: number, out: FoundRow[]): Promise<void> {
    await this.#emit(out);
    await this.pull(target - out.length, out);
  }

  /** Collects one batch of keys and their stored rows. A miss keeps what was collected for the next try. */
  #fill(limit: number): void {
    const batch = Math.min(Math.max(limit, 1), LOOKUP_BATCH);
    const isPrimary = this.#plan.index === undefined;
    while (this.#keys.length < batch) {
      if (this.#run === undefined && !this.#nextRun()) {
        this.#isDone = true;
        break;
      }
      const run = this.#run!;
      while (this.#at !== run.end && this.#keys.length < batch) {
        const key = run.keys[this.#at]!;
        this.entriesRead += 1;
        if (isPrimary) {
          this.#keys.push(key);
          this.#stored.push(run.values![this.#at]);
        } else {
          const primary = primaryKeyOfIndexKey(key, this.#plan.index!.spec.on.length);
          if (this.#seen === undefined || !this.#seen.has(primary)) {
            this.#seen?.add(primary);
            this.#keys.push(primary);
          }
        }
        this.#at += run.step;
      }
      if (this.#at === run.end) this.#run = undefined;
    }
    if (!isPrimary) this.#lookUp();
  }

  #nextRun(): boolean {
    for (;;) {
      if (this.#scan === undefined) {
        const range = this.#plan.ranges[this.#range];
        if (range === undefined) return false;
        this.#scan = new LeafScan(this.#view.space, this.#state, range, { reverse: this.#plan.reverse });
      }
      const run = this.#scan.next();
      if (run !== undefined) {
        this.#run = run;
        this.#at = run.start;
        return true;
      }
      this.#scan = undefined;
      this.#range += 1;
    }
  }

  #lookUp(): void {
    const { space, primary } = this.#view;
    const missing = this.#stored.length;
    let isComplete = true;
    for (let i = missing; i < this.#keys.length; i += 1) {
      if (!wantKey(space, primary.root, this.#keys[i]!)) isComplete = false;
    }
    if (!isComplete) throw PAGE_MISS;
    for (let i = missing; i < this.#keys.length; i += 1) {
      const stored = readKey(space, primary, this.#keys[i]!);
      if (stored === undefined) throw this.#danglingEntry();
      this.#stored.push(stored);
    }
  }

  #danglingEntry(): StoreError {
    const { name } = this.#plan.index!.spec;
    return new StoreError('index/damaged', `Index ${name} has an entry of a row that does not exist.`, {
      details: { index: name },
      hint: 'Run store.verify({ repair: true }): it builds the index anew.',
    });
  }

  #emit(out: FoundRow[]): MaybePromise<void> {
    const keys = this.#keys;
    const stored = this.#stored;
    this.#keys = [];
    this.#stored = [];
    if (stored.some((row) => row instanceof BlobRow)) return this.#emitWithBlobs(keys, stored, out);
    for (let i = 0; i < keys.length; i += 1) this.#accept(keys[i]!, stored[i] as Row, out);
  }

  async #emitWithBlobs(keys: readonly string[], stored: readonly unknown[], out: FoundRow[]): Promise<void> {
    for (const [at, key] of keys.entries()) {
      const row = stored[at];
      this.#accept(key, row instanceof BlobRow ? await this.#view.readBlob(row) : (row as Row), out);
    }
  }

  #accept(key: string, row: Row, out: FoundRow[]): void {
    this.rowsRead += 1;
    if (this.#accepts === undefined || this.#accepts(row)) out.push({ key, row });
  }
}

/** A cursor over the rows of a find, with sort, skip and limit. */
export class FindCursor implements RowCursor {
  readonly #scan: PlanScan;
  readonly #find: FindSpec;
  readonly #plan: Plan;
  readonly #release: () => void;
  #skip: number;
  #left: number;
  #sorted: readonly FoundRow[] | undefined;
  #at = 0;
  rowsGiven = 0;

  constructor(options: { view: ReadView; plan: Plan; find: FindSpec; release: () => void }) {
    this.#plan = options.plan;
    this.#find = options.find;
    this.#release = options.release;
    this.#scan = new PlanScan(options.view, options.plan);
    this.#skip = options.find.skip;
    this.#left = options.find.limit ?? Number.POSITIVE_INFINITY;
  }

  next(limit: number): MaybePromise<{ readonly rows: readonly Row[]; readonly done: boolean }> {
    if (!this.#plan.isSorted && this.#sorted === undefined) {
      const sorting = this.#sortAll();
      if (sorting instanceof Promise) return sorting.then(() => this.next(limit));
    }
    if (this.#sorted !== undefined)
      return this.#give(this.#sorted.slice(this.#at, this.#at + Math.min(limit, this.#left)), limit);
    const wanted = Math.min(limit, this.#left) + this.#skip;
    const found: FoundRow[] = [];
    const pulling = wanted === 0 ? undefined : this.#scan.pull(wanted, found);
    const finish = (): { rows: readonly Row[]; done: boolean } => {
      const skipped = Math.min(this.#skip, found.length);
      this.#skip -= skipped;
      // A batch may bring more than asked: a scan works in whole lookups only up to the limit, so this is exact.
      return this.#give(skipped === 0 ? found : found.slice(skipped), limit);
    };
    return pulling instanceof Promise ? pulling.then(finish) : finish();
  }

  close(): void {
    this.#release();
  }

  explain(): Explanation {
    const plan = this.#plan;
    return {
      index: plan.index?.spec.name,
      access: plan.access,
      sortedByIndex: plan.isSorted && this.#find.sort.length > 0,
      entriesRead: this.#scan.entriesRead,
      rowsRead: this.#scan.rowsRead,
      rowsGiven: this.rowsGiven,
    };
  }

  #give(found: readonly FoundRow[], limit: number): { rows: readonly Row[]; done: boolean } {
    const rows = found.map(({ row }) => row);
    this.#at += rows.length;
    this.#left -= rows.length;
    this.rowsGiven += rows.length;
    const isExhausted =
      this.#sorted !== undefined ? this.#at >= this.#sorted.length : this.#scan.isDone && rows.length < limit;
    const done = this.#left <= 0 || isExhausted;
    if (done) this.#release();
    return { rows, done };
  }

  #sortAll(): MaybePromise<void> {
    const found: FoundRow[] = [];
    const pulling = this.#scan.pull(Number.POSITIVE_INFINITY, found);
    const finish = (): void => {
      const sorted = sortRows(found, this.#find.sort);
      this.#sorted = this.#skip === 0 ? sorted : sorted.slice(this.#skip);
    };
    return pulling instanceof Promise ? pulling.then(finish) : finish();
  }
}

/** Sorts by the total order of values; ties by primary key in the direction of the last path. */
export function sortRows(found: readonly FoundRow[], sort: SortOrder): readonly FoundRow[] {
  const readers: readonly FieldReader[] = sort.map(([path]) => fieldReader(path));
  const last = sort.at(-1)?.[1] ?? 1;
  const keyed = found.map((item) => ({ item, values: readers.map((read) => encodeComponent(read(item.row))) }));
  keyed.sort((a, b) => {
    for (let i = 0; i < sort.length; i += 1) {
      const left = a.values[i]!;
      const right = b.values[i]!;
      if (left !== right) return (left < right ? -1 : 1) * sort[i]![1];
    }
    return (a.item.key < b.item.key ? -1 : 1) * last;
  });
  return keyed.map(({ item }) => item);
}

/** Counts the rows of a plan; from the trees' own counts when the ranges answer everything. */
export function countPlan(view: ReadView, plan: Plan): MaybePromise<number> {
  if (plan.residual.length === 0 && !plan.hasRepeats) {
    const state = view.stateOf(plan);
    return view.space.whenResident(() =>
      plan.ranges.reduce((sum: number, range: KeyRange) => sum + countRange(view.space, state, range), 0),
    );
  }
  return countByScan(new PlanScan(view, plan));
}

const COUNT_BATCH = 1_000;

async function countByScan(scan: PlanScan): Promise<number> {
  let count = 0;
  while (!scan.isDone) {
    const found: FoundRow[] = [];
    await scan.pull(COUNT_BATCH, found);
    count += found.length;
  }
  return count;
}
