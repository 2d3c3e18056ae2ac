/**
 * What an operator of expressions is: a function that checks its operand once and answers a closure. The makers below
 * cover those that evaluate all of their arguments; what skips some, or defines variables, is written out.
 */
import type { Row } from '../../../../src/base/row.ts';
import { ELEMENTS_MAX } from '../limits.ts';
import { tooLarge, wrongOperand } from '../pipeline-errors.ts';
import { isMissing, isPlainObject, typeName } from '../values.ts';

export type Evaluate = (row: Row) => unknown;

/** The part of the compiler that operators need. */
export interface Compiler {
  compile(spec: unknown, path: string): Evaluate;
  withVariables(
    names: readonly string[],
    path: string,
  ): { readonly inner: Compiler; readonly slots: unknown[]; readonly places: readonly number[] };
}

/** Throws `query/wrong-operand` for an operand that can never be right. `path` ends with the operator's name. */
export type Operator = (operand: unknown, path: string, compiler: Compiler) => Evaluate;

export type Operators = Readonly<Record<string, Operator>>;

/** One argument, given bare or as an array of one. */
export function unary(apply: (value: unknown, path: string) => unknown): Operator {
  return (operand, path, compiler) => {
    if (Array.isArray(operand) && operand.length !== 1) throw wrongOperand(path, 'takes one argument');
    const argument = compiler.compile(Array.isArray(operand) ? operand[0] : operand, path);
    return (row) => apply(argument(row), path);
  };
}

/** One argument; null for a missing one. */
export const unaryOrNull = (apply: (value: unknown, path: string) => unknown): Operator =>
  unary((value, path) => (isMissing(value) ? null : apply(value, path)));

export function binary(apply: (a: unknown, b: unknown, path: string) => unknown): Operator {
  return (operand, path, compiler) => {
    const [a, b] = compileArguments(operand, path, compiler, 2, 2);
    return (row) => apply(a!(row), b!(row), path);
  };
}

export const binaryOrNull = (apply: (a: unknown, b: unknown, path: string) => unknown): Operator =>
  binary((a, b, path) => (isMissing(a) || isMissing(b) ? null : apply(a, b, path)));

/** `least` to `most` arguments, as an array of their values. */
export function variadic(
  least: number,
  most: number,
  apply: (values: readonly unknown[], path: string) => unknown,
): Operator {
  return (operand, path, compiler) => {
    const given = compileArguments(operand, path, compiler, least, most);
    return (row) =>
      apply(
        given.map((argument) => argument(row)),
        path,
      );
  };
}

/** Arguments by name. Answers undefined for those that are not given. */
export function named<Name extends string>(
  required: readonly Name[],
  optional: readonly Name[],
  apply: (values: { readonly [N in Name]?: unknown }, path: string) => unknown,
): Operator {
  return (operand, path, compiler) => {
    const fields = assertFields(operand, path, required, optional);
    const names = Object.keys(fields) as Name[];
    const given = names.map((name) => compiler.compile(fields[name], `${path}.${name}`));
    return (row) => {
      const values: { [N in Name]?: unknown } = {};
      for (let i = 0; i < names.length; i++) values[names[i]!] = given[i]!(row);
      return apply(values, path);
    };
  };
}

export function compileArguments(
  operand: unknown,
  path: string,
  compiler: Compiler,
  least: number,
  most: number,
): readonly Evaluate[] {
  const list = Array.isArray(operand) ? operand : [operand];
  if (list.length < least || list.length > most) {
    const many =
      least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `${least} or more` : `${least} to ${most}`;
    throw wrongOperand(path, `takes an array of ${many} arguments, not ${list.length}`);
  }
  return list.map((each, at) => compiler.compile(each, Array.isArray(operand) ? `${path}[${at}]` : path));
}

/** An object that has all of `required` and nothing beyond `optional`. */
export function assertFields(
  operand: unknown,
  path: string,
  required: readonly string[],
  optional: readonly string[],
): Readonly<Record<string, unknown>> {
  const all = [...required, ...optional];
  if (!isPlainObject(operand)) throw wrongOperand(path, `takes an object { ${all.join(', ')} }`);
  const missing = required.find((name) => operand[name] === undefined);
  if (missing !== undefined) throw wrongOperand(path, `lacks ${missing}`);
  const extra = Object.keys(operand).find((name) => !all.includes(name));
  if (extra !== undefined) throw wrongOperand(path, `does not know ${extra}`);
  return operand;
}

export function mustNumber(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  throw wrongOperand(path, `needs a number, met ${typeName(value)}`);
}

export function mustInteger(value: unknown, path: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw wrongOperand(path, `needs a whole number, met ${typeof value === 'number' ? value : typeName(value)}`);
}

export function mustText(value: unknown, path: string): string {
  if (typeof value === 'string') return value;
  throw wrongOperand(path, `needs a string, met ${typeName(value)}`);
}

export function mustArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongOperand(path, `needs an array, met ${typeName(value)}`);
  return value;
}

export function mustObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (isPlainObject(value)) return value;
  throw wrongOperand(path, `needs an object, met ${typeName(value)}`);
}

export function assertElements(count: number, path: string): void {
  if (count > ELEMENTS_MAX) throw tooLarge(path, 'elements in one array', ELEMENTS_MAX);
}
