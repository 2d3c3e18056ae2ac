/** A live find: the shown part of a window of rows, patched row by row, told whole or as its shape has it. */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent, MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';
import type { LiveUpdate, RowsUpdate } from '../../src/protocol/live.ts';
import { compileProjection, parseIncludes, parseSelector } from '../query/index.ts';
import { IncludedRows } from './included-rows.ts';
import { type Accepts, acceptsOf, watchesOf } from './interest.ts';
import type { LiveResult, Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';
import { ResultWindow } from './result-window.ts';
import { type Entry, RowOrder } from './row-order.ts';
import { ProjectedRows, type RowShape } from './row-shape.ts';
import { rowsDifference } from './rows-difference.ts';

/** Rows that one live query may hold: they stay in memory as long as it is open. */
export const LIVE_ROWS_MAX: number = 500_000;
/** Rows asked of the engine at a time. */
const LOAD_ROWS = 1_000;

const NO_ENTRIES: readonly Entry[] = [];

export class RowsResult implements LiveResult {
  readonly tellsEachLoad: boolean = false;
  readonly watches: readonly Watch[];
  readonly #source: LiveSource;
  readonly #collection: string;
  readonly #find: FindSpec;
  readonly #accepts: Accepts;
  readonly #order: RowOrder;
  readonly #window: ResultWindow;
  readonly #shape: RowShape | undefined;
  #isLoaded = false;
  #shown: readonly Entry[] | undefined;
  /** What is shown, as it is told. */
  #told: readonly Entry[] | undefined;
  #state: readonly Entry[] | undefined;
  /** The last step that was asked for: subscribers that keep up all ask for the same one. */
  #step: { readonly from: unknown; readonly to: unknown; readonly update: RowsUpdate | undefined } | undefined;

  constructor(source: LiveSource, collection: string, find: FindSpec) {
    const keyField = source.keyField(collection);
    const selector = parseSelector(find.selector);
    const projection = compileProjection(find.project, keyField);
    this.#source = source;
    this.#collection = collection;
    this.#accepts = acceptsOf(find, { collection, keyField, sort: find.sort, projection });
    this.#order = new RowOrder(find.sort, keyField);
    this.#window = new ResultWindow(this.#order, find);
    if (find.include !== undefined) {
      this.#shape = new IncludedRows(source, parseIncludes(find.include), {
        projection,
        scanRowsMax: find.scanRowsMax,
      });
    } else if (projection !== undefined) this.#shape = new ProjectedRows(projection);
    const { project: _, include: __, ...whole } = find;
    this.#find = { ...whole, sort: this.#order.sort, skip: 0, limit: this.#window.capacity };
    this.watches = watchesOf(collection, selector, this.#shape?.watches ?? []);
  }

  get needsLoad(): boolean {
    return this.#needsRows || !this.#isComplete();
  }

  get #needsRows(): boolean {
    return !this.#isLoaded || this.#window.isShort;
  }

  /** Whether all that is shown can be told. */
  #isComplete(): boolean {
    const shown = this.#window.takeShown();
    this.#shown = shown ?? this.#shown;
    const shape = this.#shape;
    if (shape === undefined) this.#told = this.#shown;
    else if (shown !== undefined || shape.hasChanged || this.#told === undefined) this.#told = shape.tell(this.#shown!);
    return this.#told !== undefined;
  }

  get state(): unknown {
    return this.#state;
  }

  load(isWanted: () => boolean): MaybePromise<void> {
    if (this.#needsRows) {
      const reading = this.#read(this.#source.find(this.#collection, this.#find), [], isWanted);
      if (reading instanceof Promise) return reading.then(() => this.#complete(isWanted));
    }
    return this.#complete(isWanted);
  }

  /** Each round may bring rows that include something themselves. */
  #complete(isWanted: () => boolean): MaybePromise<void> {
    while (isWanted() && !this.#isComplete()) {
      const loading = this.#shape!.load(isWanted);
      if (loading instanceof Promise) return loading.then(() => this.#complete(isWanted));
    }
  }

  /** Goes on at once as long as the pages are in memory. */
  #read(cursor: RowCursor, rows: Row[], isWanted: () => boolean): MaybePromise<void> {
    const take = (chunk: Awaited<ReturnType<RowCursor['next']>>): boolean => {
      for (const row of chunk.rows) rows.push(row);
      if (chunk.done) this.#fill(rows);
      else if (!isWanted()) cursor.close();
      else if (rows.length > LIVE_ROWS_MAX) {
        cursor.close();
        throw tooManyRows(this.#collection);
      } else return true;
      return false;
    };
    try {
      for (;;) {
        const chunk = cursor.next(LOAD_ROWS);
        if (chunk instanceof Promise) {
          return chunk.then(
            (ready) => (take(ready) ? this.#read(cursor, rows, isWanted) : undefined),
            (error) => {
              cursor.close();
              throw error;
            },
          );
        }
        if (!take(chunk)) return;
      }
    } catch (error) {
      cursor.close();
      throw error;
    }
  }

  #fill(rows: readonly Row[]): void {
    this.#window.fill(rows);
    this.#isLoaded = true;
  }

  apply(event: ChangeEvent, collection: string): void {
    this.#shape?.apply(event, collection);
    if (collection !== this.#collection) return;
    const { before, row } = event;
    const accepts = this.#accepts;
    const old = before !== undefined && accepts(before) ? before : undefined;
    const now = row !== undefined && accepts(row) ? row : undefined;
    if (old === undefined && now === undefined) return;
    this.#window.patch(old, now);
    if (this.#window.length > LIVE_ROWS_MAX) throw tooManyRows(this.#collection);
  }

  forget(): void {
    this.#window.forget();
    this.#shape?.forget();
    this.#isLoaded = false;
  }

  publish(): void {
    this.#state = this.#told;
  }

  updateFrom(former: unknown): LiveUpdate | undefined {
    const to = this.#state;
    if (to === undefined) return undefined;
    if (former === undefined) return rowsDifference(this.#order, NO_ENTRIES, to) ?? NOTHING;
    if (this.#step?.from !== former || this.#step.to !== to) {
      this.#step = { from: former, to, update: rowsDifference(this.#order, former as readonly Entry[], to) };
    }
    return this.#step.update;
  }

  rowsOf(state: unknown): readonly Row[] {
    return (state as readonly Entry[]).map(({ row }) => row);
  }
}

/** A first result without rows. */
const NOTHING: RowsUpdate = { script: [], rows: [] };

const tooManyRows = (collection: string): StoreError =>
  new StoreError('query/live-too-large', `A live query of ${collection} has more than ${LIVE_ROWS_MAX} rows.`, {
    details: { collection, limit: LIVE_ROWS_MAX },
    hint: 'Give it a limit, or a selector that matches fewer rows.',
  });
