/**
 * `$lookup`: rows of another collection as an array, by equality of two fields, by a pipeline of its own, or both. Rows
 * of a batch are looked up together. A pipeline that uses no variable of `let` and no field runs once.
 */
import type { Row } from '../../../../src/base/row.ts';
import type { Evaluate } from '../expression.ts';
import { Join, type JoinSource, joinValues } from '../join.ts';
import { assertFields } from '../operators/index.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { setPath } from '../set-path.ts';
import { isPlainObject } from '../values.ts';
import { parseFieldPath } from './field-spec.ts';
import { type CompileStage, type InnerPipeline, NO_ROWS, type Run, type Stage } from './stage.ts';

type Lookup = {
  readonly from: string;
  readonly as: readonly string[];
  readonly path: string;
  readonly fields: { readonly local: readonly string[]; readonly foreign: string } | undefined;
  readonly inner: InnerPipeline | undefined;
  readonly variables: readonly { readonly evaluate: Evaluate; readonly slot: number }[];
  readonly slots: unknown[];
};

export const compileLookup: CompileStage = (spec, path, context) => {
  const options = ['localField', 'foreignField', 'let', 'pipeline'];
  const {
    from,
    as,
    localField,
    foreignField,
    let: variables = {},
    pipeline,
  } = assertFields(spec, path, ['from', 'as'], options);
  if (typeof from !== 'string') throw wrongOperand(`${path}.from`, 'is not the name of a collection');
  if ((localField === undefined) !== (foreignField === undefined)) {
    throw wrongOperand(path, 'takes both of localField and foreignField, or none');
  }
  if (localField === undefined && pipeline === undefined) {
    throw wrongOperand(path, 'takes localField and foreignField, or a pipeline');
  }
  if (!isPlainObject(variables)) throw wrongOperand(`${path}.let`, 'takes an object of expressions');
  const keyField = context.noteCollection(from, `${path}.from`);
  const names = Object.keys(variables);
  const evaluates = names.map((name) => context.compiler.compile(variables[name], `${path}.let.${name}`));
  const { inner, slots, places } = context.compiler.withVariables(names, `${path}.let`);
  const fields = localField !== undefined && {
    local: parseFieldPath(localField, `${path}.localField`),
    foreign: parseFieldPath(foreignField, `${path}.foreignField`).join('.'),
  };
  const lookup: Lookup = {
    from,
    as: parseFieldPath(as, `${path}.as`),
    path,
    fields: fields || undefined,
    inner:
      pipeline === undefined
        ? undefined
        : context.compileSource(pipeline, `${path}.pipeline`, {
            compiler: inner,
            keyField,
            isGivenRows: fields !== false,
          }),
    variables: evaluates.map((evaluate, at) => ({ evaluate, slot: places[at]! })),
    slots,
  };
  return { name: '$lookup', order: 'passes', open: (run) => new LookupStage(lookup, run) };
};

class LookupStage implements Stage {
  readonly isDone = false;
  readonly #lookup: Lookup;
  readonly #run: Run;
  readonly #source: JoinSource;
  readonly #join: Join | undefined;
  #once: readonly Row[] | undefined;

  constructor(lookup: Lookup, run: Run) {
    this.#lookup = lookup;
    this.#run = run;
    this.#source = run.source(lookup.from);
    const { fields, path } = lookup;
    this.#join = fields && new Join(this.#source, fields.foreign, path);
  }

  async push(rows: readonly Row[]): Promise<readonly Row[]> {
    const { as, fields, inner } = this.#lookup;
    const lists = rows.map((row) => (fields === undefined ? [] : joinValues(row, fields.local)));
    const joined = await this.#join?.find(lists, this.#run.rest);
    const result: Row[] = [];
    for (const [at, row] of rows.entries()) {
      const found = joined?.[at];
      result.push(setPath(row, as, inner === undefined ? found : await this.#runInner(inner, row, found)));
      if (inner !== undefined) await this.#run.rest();
    }
    return result;
  }

  finish(): readonly Row[] {
    return NO_ROWS;
  }

  /** `found`: what the fields have joined; undefined when only the pipeline says what is wanted. */
  async #runInner(inner: InnerPipeline, row: Row, found: readonly Row[] | undefined): Promise<readonly Row[]> {
    const { variables, slots } = this.#lookup;
    if (this.#once !== undefined) return this.#once;
    // All are computed before any is set: one may read what an outer $lookup has set.
    const values = variables.map(({ evaluate }) => evaluate(row));
    for (const [at, { slot }] of variables.entries()) slots[slot] = values[at];
    const rows = await inner.run(this.#run, this.#source, found);
    if (found === undefined && !inner.usesVariables) this.#once = rows;
    return rows;
  }
}
