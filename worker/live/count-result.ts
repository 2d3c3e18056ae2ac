/** A live count: one more, one less. */
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { LiveUpdate } from '../../src/protocol/live.ts';
import { compileProjection, parseSelector } from '../query/index.ts';
import { type Accepts, acceptsOf, watchesOf } from './interest.ts';
import type { LiveResult, Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';

/** Rows asked of the engine at a time. */
const LOAD_ROWS = 1_000;

export class CountResult implements LiveResult {
  readonly tellsEachLoad: boolean = false;
  readonly watches: readonly Watch[];
  readonly #source: LiveSource;
  readonly #collection: string;
  readonly #find: FindSpec;
  readonly #accepts: Accepts;
  #matching: number | undefined;
  #state: number | undefined;

  constructor(source: LiveSource, collection: string, find: FindSpec) {
    const keyField = source.keyField(collection);
    const projection = compileProjection(find.project, keyField);
    this.#source = source;
    this.#collection = collection;
    this.#find = find;
    this.#accepts = acceptsOf(find, { collection, keyField, sort: find.sort, projection });
    this.watches = watchesOf(collection, parseSelector(find.selector), []);
  }

  get needsLoad(): boolean {
    return this.#matching === undefined;
  }

  get state(): unknown {
    return this.#state;
  }

  load(isWanted: () => boolean): MaybePromise<void> {
    const take = (count: number): void => {
      this.#matching = count;
    };
    const { after, selector } = this.#find;
    const count = after === undefined ? this.#source.count(this.#collection, selector) : this.#countBehind(isWanted);
    return count instanceof Promise ? count.then(take) : take(count);
  }

  /** Where a place is cannot be told without the rows. */
  async #countBehind(isWanted: () => boolean): Promise<number> {
    const { selector, sort, after, scanRowsMax } = this.#find;
    const cursor = this.#source.find(this.#collection, {
      selector,
      sort,
      limit: undefined,
      skip: 0,
      after,
      scanRowsMax,
    });
    try {
      for (let count = 0; ; ) {
        const { rows, done } = await cursor.next(LOAD_ROWS);
        count += rows.length;
        if (done || !isWanted()) return count;
      }
    } finally {
      cursor.close();
    }
  }

  apply({ before, row }: ChangeEvent): void {
    if (before !== undefined && this.#accepts(before)) this.#matching! -= 1;
    if (row !== undefined && this.#accepts(row)) this.#matching! += 1;
  }

  forget(): void {
    this.#matching = undefined;
  }

  publish(): void {
    const { skip, limit = Number.POSITIVE_INFINITY } = this.#find;
    this.#state = Math.min(Math.max(0, this.#matching! - skip), limit);
  }

  updateFrom(former: unknown): LiveUpdate | undefined {
    return this.#state === undefined || former === this.#state ? undefined : { count: this.#state };
  }

  rowsOf(): undefined {
    return undefined;
  }
}
