/** `$match`: a selector, and beside it `$expr` with an expression. */
import type { Row } from '../../../../src/base/row.ts';
import { StoreError } from '../../../../src/base/store-error.ts';
import type { Selector } from '../../../../src/protocol/definition.ts';
import { compilePredicate, parseSelector } from '../../selector/index.ts';
import type { ExpressionCompiler } from '../expression.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { isPlainObject, isTruthy } from '../values.ts';
import { type CompileStage, NO_ROWS, type StagePlan } from './stage.ts';

export type MatchParts = {
  /** What a find can be given; undefined when there is only `$expr`. */
  readonly selector: Selector | undefined;
  readonly expression: ((row: Row) => boolean) | undefined;
};

export const compileMatch: CompileStage = (spec, path, { compiler }) => {
  const { selector, expression } = matchParts(spec, path, compiler);
  const accepts = selector === undefined ? undefined : atPath(path, () => compilePredicate(parseSelector(selector)));
  return filterPlan((row) => (accepts === undefined || accepts(row)) && (expression === undefined || expression(row)));
};

export function matchParts(spec: unknown, path: string, compiler: ExpressionCompiler): MatchParts {
  if (!isPlainObject(spec)) throw wrongOperand(path, 'takes a selector');
  const { $expr, ...rest } = spec;
  if (Object.keys(rest).length > 0) atPath(path, () => parseSelector(rest));
  const evaluate = $expr === undefined ? undefined : compiler.compile($expr, `${path}.$expr`);
  return {
    selector: Object.keys(rest).length > 0 || evaluate === undefined ? rest : undefined,
    expression: evaluate && ((row) => isTruthy(evaluate(row))),
  };
}

export function filterPlan(accepts: (row: Row) => boolean): StagePlan {
  const push = (rows: readonly Row[]): readonly Row[] => rows.filter(accepts);
  return { name: '$match', order: 'passes', open: () => ({ push, finish: () => NO_ROWS, isDone: false }) };
}

/** A selector's error, with its place in the pipeline. */
function atPath<T>(place: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const { path } = error.details;
    throw new StoreError(error.code, `Pipeline at ${place}: ${error.message}`, {
      details: { ...error.details, path: typeof path === 'string' && path !== '' ? `${place}.${path}` : place },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
