/** A live find: the shown part of a window of rows, patched row by row. */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent, MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';
import type { LiveUpdate, RowsUpdate } from '../../src/protocol/live.ts';
import { compilePredicate, interestOf, type Predicate, parseSelector } from '../query/index.ts';
import { narrowestOf } from './interest.ts';
import type { LiveResult, Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';
import { ResultWindow } from './result-window.ts';
import { type Entry, RowOrder } from './row-order.ts';
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
  readonly #accepts: Predicate;
  readonly #order: RowOrder;
  readonly #window: ResultWindow;
  #isLoaded = false;
  #state: readonly Entry[] | undefined;
  /** The last step that was asked for: subscribers that keep up all ask for the same one. */
  #step: { readonly from: unknown; readonly to: unknown; readonly update: RowsUpdate | undefined } | undefined;

  constructor(source: LiveSource, collection: string, find: FindSpec) {
    const selector = parseSelector(find.selector);
    this.#source = source;
    this.#collection = collection;
    this.#accepts = compilePredicate(selector);
    this.#order = new RowOrder(find.sort, source.keyField(collection));
    this.#window = new ResultWindow(this.#order, find);
    this.#find = { ...find, sort: this.#order.sort, skip: 0, limit: this.#window.capacity };
    this.watches = [{ collection, interest: narrowestOf(interestOf(selector)) }];
  }

  get needsLoad(): boolean {
    return !this.#isLoaded || this.#window.isShort;
  }

  get state(): unknown {
    return this.#state;
  }

  load(isWanted: () => boolean): MaybePromise<void> {
    const rows: Row[] = [];
    return this.#read(this.#source.find(this.#collection, this.#find), rows, isWanted);
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

  apply({ before, row }: ChangeEvent): void {
    const accepts = this.#accepts;
    const old = before !== undefined && accepts(before) ? before : undefined;
    const now = row !== undefined && accepts(row) ? row : undefined;
    if (old === undefined && now === undefined) return;
    this.#window.patch(old, now);
    if (this.#window.length > LIVE_ROWS_MAX) throw tooManyRows(this.#collection);
  }

  forget(): void {
    this.#window.forget();
    this.#isLoaded = false;
  }

  publish(): void {
    this.#state = this.#window.takeShown() ?? this.#state;
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
}

/** A first result without rows. */
const NOTHING: RowsUpdate = { script: [], rows: [] };

const tooManyRows = (collection: string): StoreError =>
  new StoreError('query/live-too-large', `A live query of ${collection} has more than ${LIVE_ROWS_MAX} rows.`, {
    details: { collection, limit: LIVE_ROWS_MAX },
    hint: 'Give it a limit, or a selector that matches fewer rows.',
  });
