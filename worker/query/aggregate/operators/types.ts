/** Types and conversions. Null or missing gives null; what cannot be converted is refused when it is met. */
import { wrongOperand } from '../pipeline-errors.ts';
import { isMissing, isTruthy, typeName } from '../values.ts';
import { type Operator, type Operators, unary, unaryOrNull } from './operator.ts';

export function toText(value: unknown, path: string): string | null {
  if (isMissing(value)) return null;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw wrongOperand(path, 'met an invalid date');
    return value.toISOString();
  }
  if (typeof value === 'object') throw wrongOperand(path, `converts no ${typeName(value)}`);
  return String(value);
}

const NUMBER_TEXT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

const toWhole = (least: number, most: number): Operator =>
  unaryOrNull((value, path) => {
    if (typeof value === 'string' && !/^[+-]?\d+$/.test(value)) throw wrongOperand(path, `converts no '${value}'`);
    const number = Math.trunc(toNumber(value, path));
    if (!(number >= least && number <= most)) throw wrongOperand(path, `met ${number}, which is out of its range`);
    // -0 is 0 as an integer.
    return number + 0;
  });

function toNumber(value: unknown, path: string): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'string' && NUMBER_TEXT.test(value)) return Number(value);
  throw wrongOperand(path, typeof value === 'string' ? `converts no '${value}'` : `converts no ${typeName(value)}`);
}

function toDate(value: unknown, path: string): Date {
  const date = value instanceof Date ? value : new Date(typeof value === 'string' ? value : toNumber(value, path));
  if (Number.isNaN(date.getTime())) throw wrongOperand(path, `makes no date of ${JSON.stringify(value)}`);
  return date;
}

export const TYPES: Operators = {
  $isNumber: unary((value) => typeof value === 'number'),
  // What looks like an expression stays as it is.
  $literal: (operand) => () => operand,
  $toBool: unaryOrNull((value) => isTruthy(value)),
  $toDate: unaryOrNull(toDate),
  $toDouble: unaryOrNull(toNumber),
  $toInt: toWhole(-(2 ** 31), 2 ** 31 - 1),
  $toLong: toWhole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  $toString: unary(toText),
  $type: unary(typeName),
};
