/** Numbers. Null or missing gives null; other types are refused when they are met. */
import { wrongOperand } from '../pipeline-errors.ts';
import { isMissing } from '../values.ts';
import {
  binaryOrNull,
  mustInteger,
  mustNumber,
  type Operator,
  type Operators,
  unaryOrNull,
  variadic,
} from './operator.ts';

const MANY = Number.POSITIVE_INFINITY;

const ofNumber = (apply: (value: number, path: string) => number): Operator =>
  unaryOrNull((value, path) => apply(mustNumber(value, path), path));

const ofNumbers = (apply: (a: number, b: number, path: string) => number): Operator =>
  binaryOrNull((a, b, path) => apply(mustNumber(a, path), mustNumber(b, path), path));

/** Numbers, and at most one date, which makes the sum a date. */
function add(values: readonly unknown[], path: string): unknown {
  let sum = 0;
  let isDate = false;
  for (const value of values) {
    if (isMissing(value)) return null;
    if (value instanceof Date) {
      if (isDate) throw wrongOperand(path, 'adds at most one date');
      isDate = true;
      sum += value.getTime();
    } else sum += mustNumber(value, path);
  }
  return isDate ? new Date(sum) : sum;
}

function subtract(a: unknown, b: unknown, path: string): unknown {
  if (!(a instanceof Date)) return mustNumber(a, path) - mustNumber(b, path);
  return b instanceof Date ? a.getTime() - b.getTime() : new Date(a.getTime() - Math.round(mustNumber(b, path)));
}

function multiply(values: readonly unknown[], path: string): number | null {
  let product = 1;
  for (const value of values) {
    if (isMissing(value)) return null;
    product *= mustNumber(value, path);
  }
  return product;
}

function divide(a: number, b: number, path: string): number {
  if (b === 0) throw wrongOperand(path, 'divides by zero');
  return a / b;
}

function modulo(a: number, b: number, path: string): number {
  if (b === 0) throw wrongOperand(path, 'divides by zero');
  return a % b;
}

/** Shifts by writing the exponent, which is exact where a product of ten's powers is not. */
function atPlace(round: (value: number) => number): Operator {
  return variadic(1, 2, ([value, places = 0], path) => {
    if (isMissing(value)) return null;
    const number = mustNumber(value, path);
    if (places === null) return null;
    const place = mustInteger(places, path);
    if (place < -20 || place > 100) throw wrongOperand(path, 'rounds to -20 to 100 places');
    if (!Number.isFinite(number)) return number;
    if (place === 0) return round(number);
    return shift(round(shift(number, place)), -place);
  });
}

function shift(value: number, places: number): number {
  const [digits = '0', exponent = '0'] = String(value).split('e');
  return Number(`${digits}e${Number(exponent) + places}`);
}

/** Halves go to the even neighbour, as in MongoDB. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const part = value - floor;
  if (part !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function power(base: number, exponent: number, path: string): number {
  if (base === 0 && exponent < 0) throw wrongOperand(path, 'raises 0 to a negative power');
  return base ** exponent;
}

function squareRoot(value: number, path: string): number {
  if (value < 0) throw wrongOperand(path, `has no root of ${value}`);
  return Math.sqrt(value);
}

function logarithm(log: (value: number) => number, value: number, path: string): number {
  if (value <= 0) throw wrongOperand(path, `has no logarithm of ${value}`);
  return log(value);
}

export const ARITHMETIC: Operators = {
  $abs: ofNumber(Math.abs),
  $add: variadic(0, MANY, add),
  $ceil: ofNumber(Math.ceil),
  $divide: ofNumbers(divide),
  $exp: ofNumber(Math.exp),
  $floor: ofNumber(Math.floor),
  $ln: ofNumber((value, path) => logarithm(Math.log, value, path)),
  $log: ofNumbers((value, base, path) => logarithm(Math.log10, value, path) / logarithm(Math.log10, base, path)),
  $log10: ofNumber((value, path) => logarithm(Math.log10, value, path)),
  $mod: ofNumbers(modulo),
  $multiply: variadic(0, MANY, multiply),
  $pow: ofNumbers(power),
  $round: atPlace(roundHalfEven),
  $sqrt: ofNumber(squareRoot),
  $subtract: binaryOrNull(subtract),
  $trunc: atPlace(Math.trunc),
};
