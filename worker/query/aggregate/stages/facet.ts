/** `$facet`: the same rows through several pipelines. Its answer is one row with an array for each. */
import type { Row } from '../../../../src/base/row.ts';
import { Chain } from '../chain.ts';
import { assertNames } from '../expression.ts';
import { ROWS_HELD_MAX } from '../limits.ts';
import { tooLarge, wrongOperand } from '../pipeline-errors.ts';
import { isPlainObject } from '../values.ts';
import { type CompileStage, NO_ROWS, needsOrder, type Run, type Stage, type StagePlan } from './stage.ts';

type Branch = { readonly name: string; readonly plans: readonly StagePlan[] };

export const compileFacet: CompileStage = (spec, path, { compiler, compilePipeline }) => {
  if (!isPlainObject(spec) || Object.keys(spec).length === 0) throw wrongOperand(path, 'takes an object of pipelines');
  const branches = Object.entries(spec).map(([name, pipeline]): Branch => {
    const place = `${path}.${name}`;
    if (name.startsWith('$') || name.includes('.')) throw wrongOperand(place, 'is no name of a field');
    assertNames(name, [name], place);
    return { name, plans: compilePipeline(pipeline, place, compiler) };
  });
  const order = branches.some(({ plans }) => needsOrder(plans)) ? 'matters' : 'free';
  return { name: '$facet', order, open: (run) => new Facet(branches, run, path) };
};

class Facet implements Stage {
  readonly #branches: readonly { readonly name: string; readonly chain: Chain; readonly rows: Row[] }[];
  readonly #path: string;

  constructor(branches: readonly Branch[], run: Run, path: string) {
    this.#branches = branches.map(({ name, plans }) => ({ name, chain: new Chain(plans, run), rows: [] }));
    this.#path = path;
  }

  get isDone(): boolean {
    return this.#branches.every(({ chain }) => chain.isDone);
  }

  async push(rows: readonly Row[]): Promise<readonly Row[]> {
    for (const { chain, rows: all } of this.#branches) {
      if (!chain.isDone) this.#keep(all, await chain.push(rows));
    }
    return NO_ROWS;
  }

  async finish(): Promise<readonly Row[]> {
    const result: Record<string, unknown> = {};
    for (const { name, chain, rows } of this.#branches) {
      this.#keep(rows, await chain.finish());
      result[name] = rows;
    }
    return [result];
  }

  #keep(all: Row[], rows: readonly Row[]): void {
    for (const row of rows) all.push(row);
    if (all.length > ROWS_HELD_MAX) throw tooLarge(this.#path, 'rows', ROWS_HELD_MAX);
  }
}
