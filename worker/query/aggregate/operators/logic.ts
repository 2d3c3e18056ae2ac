/** Comparisons, boolean operators and choices. Truth is MongoDB's: all but false, null, missing and 0. */
import { wrongOperand } from '../pipeline-errors.ts';
import { compareValues, isMissing, isPlainObject, isTruthy } from '../values.ts';
import {
  assertFields,
  binary,
  type Compiler,
  compileArguments,
  type Evaluate,
  mustArray,
  type Operator,
  type Operators,
  unary,
} from './operator.ts';

const MANY = Number.POSITIVE_INFINITY;

const compared = (holds: (order: number) => boolean): Operator => binary((a, b) => holds(compareValues(a, b)));

const and: Operator = (operand, path, compiler) => {
  const all = compileArguments(operand, path, compiler, 0, MANY);
  return (row) => all.every((each) => isTruthy(each(row)));
};

const or: Operator = (operand, path, compiler) => {
  const all = compileArguments(operand, path, compiler, 0, MANY);
  return (row) => all.some((each) => isTruthy(each(row)));
};

/** `[if, then, else]` or an object of these. */
const cond: Operator = (operand, path, compiler) => {
  const [test, yes, no] = isPlainObject(operand)
    ? compileFields(operand, path, compiler)
    : compileArguments(operand, path, compiler, 3, 3);
  return (row) => (isTruthy(test!(row)) ? yes!(row) : no!(row));
};

function compileFields(operand: unknown, path: string, compiler: Compiler): readonly Evaluate[] {
  const fields = assertFields(operand, path, ['if', 'then', 'else'], []);
  return ['if', 'then', 'else'].map((name) => compiler.compile(fields[name], `${path}.${name}`));
}

/** The first value that is neither null nor missing, else the last. */
const ifNull: Operator = (operand, path, compiler) => {
  const all = compileArguments(operand, path, compiler, 2, MANY);
  return (row) => {
    let value: unknown;
    for (const each of all) {
      value = each(row);
      if (!isMissing(value)) break;
    }
    return value;
  };
};

const choose: Operator = (operand, path, compiler) => {
  const { branches, default: other } = assertFields(operand, path, ['branches'], ['default']);
  const cases = mustArray(branches, path).map((branch, at) => {
    const place = `${path}.branches[${at}]`;
    const fields = assertFields(branch, place, ['case', 'then'], []);
    return {
      test: compiler.compile(fields['case'], `${place}.case`),
      value: compiler.compile(fields['then'], `${place}.then`),
    };
  });
  if (cases.length === 0) throw wrongOperand(path, 'needs a branch');
  const fallback = other === undefined ? undefined : compiler.compile(other, `${path}.default`);
  return (row) => {
    for (const { test, value } of cases) if (isTruthy(test(row))) return value(row);
    if (fallback === undefined) throw wrongOperand(path, 'met a row that no branch takes, and has no default');
    return fallback(row);
  };
};

export const LOGIC: Operators = {
  $and: and,
  $cmp: binary((a, b) => Math.sign(compareValues(a, b))),
  $cond: cond,
  $eq: compared((order) => order === 0),
  $gt: compared((order) => order > 0),
  $gte: compared((order) => order >= 0),
  $ifNull: ifNull,
  $lt: compared((order) => order < 0),
  $lte: compared((order) => order <= 0),
  $ne: compared((order) => order !== 0),
  $not: unary((value) => !isTruthy(value)),
  $or: or,
  $switch: choose,
};
