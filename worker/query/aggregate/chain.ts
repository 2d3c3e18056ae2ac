/** The opened stages of one pipeline, one behind the other. */
import type { Row } from '../../../src/base/row.ts';
import type { MaybePromise } from '../../../src/protocol/engine-api.ts';
import { BATCH_ROWS } from './limits.ts';
import { keepBefore, NO_ROWS, type Run, type Stage, type StagePlan } from './stages/stage.ts';

export class Chain {
  readonly #stages: readonly Stage[];
  readonly #run: Run;
  /** Rows that each stage was given and has answered with. */
  readonly counts: readonly { rowsRead: number; rowsGiven: number }[];

  constructor(plans: readonly StagePlan[], run: Run) {
    this.#run = run;
    this.#stages = plans.map((plan, at) => plan.open(run, keepBefore(plans, at + 1)));
    this.counts = plans.map(() => ({ rowsRead: 0, rowsGiven: 0 }));
  }

  /** Whether more rows would change nothing. */
  get isDone(): boolean {
    return this.#stages.some((stage) => stage.isDone);
  }

  push(rows: readonly Row[], from = 0): MaybePromise<readonly Row[]> {
    let current = rows;
    for (let at = from; at < this.#stages.length; at++) {
      if (current.length === 0) return NO_ROWS;
      this.counts[at]!.rowsRead += current.length;
      const given = this.#stages[at]!.push(current);
      if (given instanceof Promise) return given.then((ready) => this.push(this.#note(at, ready), at + 1));
      current = this.#note(at, given);
    }
    return current;
  }

  /** Ends the stages in their order. What one had held back goes through those behind it in batches. */
  async finish(): Promise<readonly Row[]> {
    let ending: readonly Row[] = NO_ROWS;
    for (let at = 0; at < this.#stages.length; at++) {
      const rest = this.#note(at, await this.#stages[at]!.finish());
      if (at === this.#stages.length - 1) return ending.length === 0 ? rest : [...ending, ...rest];
      const results: Row[] = [...ending];
      for (let from = 0; from < rest.length; from += BATCH_ROWS) {
        for (const row of await this.push(rest.slice(from, from + BATCH_ROWS), at + 1)) results.push(row);
        await this.#run.rest();
      }
      ending = results;
    }
    return ending;
  }

  #note(at: number, rows: readonly Row[]): readonly Row[] {
    this.counts[at]!.rowsGiven += rows.length;
    return rows;
  }
}
