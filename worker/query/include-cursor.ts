/** A find with `include`: rows of a find, each with what it includes, and then the projection. */
import type { Row } from '../../src/base/row.ts';
import type { Explanation, Page, RowCursor } from '../../src/protocol/engine-api.ts';
import type { FindCursor } from './find.ts';
import type { Includer } from './include.ts';
import type { Projection } from './projection.ts';

export class IncludeCursor implements RowCursor {
  readonly #find: FindCursor;
  readonly #includer: Includer;
  readonly #projection: Projection | undefined;
  readonly #release: () => void;

  /** `find` gives whole rows: what the projection leaves out may be what they are joined by. */
  constructor(options: {
    readonly find: FindCursor;
    readonly includer: Includer;
    readonly projection: Projection | undefined;
    readonly release: () => void;
  }) {
    this.#find = options.find;
    this.#includer = options.includer;
    this.#projection = options.projection;
    this.#release = options.release;
  }

  async next(limit: number): Promise<{ readonly rows: readonly Row[]; readonly done: boolean }> {
    const { rows, done } = await this.#find.next(limit);
    const whole = await this.#include(rows);
    if (done) this.close();
    return { rows: whole, done };
  }

  async page(): Promise<Page> {
    try {
      const { rows, next } = await this.#find.page();
      return { rows: await this.#include(rows), next };
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#find.close();
    this.#release();
  }

  explain(timeMs: number): Explanation {
    return this.#find.explain(timeMs);
  }

  async #include(rows: readonly Row[]): Promise<readonly Row[]> {
    const fields = await this.#includer.fieldsOf(rows);
    const projection = this.#projection;
    return rows.map((row, at) => ({ ...(projection === undefined ? row : projection.apply(row)), ...fields[at] }));
  }
}
