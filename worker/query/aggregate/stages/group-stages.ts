/** `$group`, `$bucket` and `$sortByCount`: all are one grouping, which is read when the rows have ended. */
import type { Row } from '../../../../src/base/row.ts';
import { createCount } from '../accumulators.ts';
import type { Evaluate } from '../expression.ts';
import { compileColumns, compileGroup, type Grouping, type GroupPlan, groupPlan } from '../group.ts';
import { singleKey } from '../group-key.ts';
import { assertFields } from '../operators/index.ts';
import { wrongOperand } from '../pipeline-errors.ts';
import { compareValues, isPlainObject, typeName } from '../values.ts';
import { type CompileStage, type KeptGrouping, NO_ROWS, type Stage, type StagePlan } from './stage.ts';

class Group implements Stage {
  readonly isDone = false;
  readonly #grouping: Grouping;
  readonly #arrange: (rows: Row[]) => readonly Row[];

  constructor(grouping: Grouping, arrange: (rows: Row[]) => readonly Row[]) {
    this.#grouping = grouping;
    this.#arrange = arrange;
  }

  push(rows: readonly Row[]): readonly Row[] {
    this.#grouping.add(rows);
    return NO_ROWS;
  }

  finish(): readonly Row[] {
    return this.#arrange(this.#grouping.rows());
  }
}

export const compileGroupStage: CompileStage = (spec, path, { compiler }) =>
  grouped('$group', compileGroup(spec, path, compiler));

/** The most frequent first; as many of two values, then the lesser value first. */
export const compileSortByCount: CompileStage = (spec, path, { compiler }) => {
  if (!(typeof spec === 'string' && spec.startsWith('$')) && !(isPlainObject(spec) && isOperator(spec))) {
    throw wrongOperand(path, "takes an expression like '$status'");
  }
  const count = { name: 'count', isOrdered: false, make: () => createCount(1) };
  const plan = groupPlan(singleKey(compiler.compile(spec, path)), [count], path);
  return grouped('$sortByCount', plan, (rows) => rows.sort((a, b) => (b['count'] as number) - (a['count'] as number)));
};

/** `boundaries` ascending and of one type; a value belongs to the last boundary that is not above it. */
export const compileBucket: CompileStage = (spec, path, { compiler }) => {
  const fields = assertFields(spec, path, ['groupBy', 'boundaries'], ['default', 'output']);
  const { groupBy, boundaries, output = { count: { $sum: 1 } } } = fields;
  if (!Array.isArray(boundaries) || boundaries.length < 2) throw wrongOperand(path, 'takes 2 boundaries or more');
  boundaries.forEach((boundary, at) => {
    if (at === 0) return;
    if (kindOf(boundary) !== kindOf(boundaries[0]) || compareValues(boundaries[at - 1], boundary) >= 0) {
      throw wrongOperand(`${path}.boundaries[${at}]`, 'does not ascend within one type');
    }
  });
  const lowest = boundaries[0];
  const end = boundaries.at(-1);
  const other = fields['default'];
  if (other !== undefined && compareValues(other, lowest) >= 0 && compareValues(other, end) < 0) {
    throw wrongOperand(`${path}.default`, 'lies between the boundaries');
  }
  if (!isPlainObject(output)) throw wrongOperand(`${path}.output`, 'takes an object of accumulators');
  const value = compiler.compile(groupBy, `${path}.groupBy`);
  const bucketOf: Evaluate = (row) => {
    const found = value(row);
    if (compareValues(found, lowest) >= 0 && compareValues(found, end) < 0) return boundaryOf(boundaries, found);
    if (other !== undefined) return other;
    throw wrongOperand(`${path}.groupBy`, 'met a value outside of the boundaries, and there is no default');
  };
  return grouped('$bucket', groupPlan(singleKey(bucketOf), compileColumns(output, `${path}.output`, compiler), path));
};

function boundaryOf(boundaries: readonly unknown[], value: unknown): unknown {
  let low = 0;
  let high = boundaries.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (compareValues(value, boundaries[middle]) < 0) high = middle;
    else low = middle;
  }
  return boundaries[low];
}

/** All numbers are of one kind. */
const kindOf = (value: unknown): string => (typeof value === 'number' ? 'number' : typeName(value));
const isOperator = (spec: Readonly<Record<string, unknown>>): boolean => Object.keys(spec)[0]?.startsWith('$') === true;

function grouped(name: string, plan: GroupPlan, arrange: (rows: Row[]) => readonly Row[] = (rows) => rows): StagePlan {
  const open = (): Group => new Group(plan.open(), arrange);
  if (plan.isOrdered) return { name, order: 'matters', open };
  const groups = (): KeptGrouping => {
    const grouping = plan.open();
    return {
      add: (rows) => grouping.add(rows),
      remove: (row) => grouping.remove(row),
      rows: () => arrange(grouping.rows()),
    };
  };
  return { name, order: 'free', open, groups };
}
