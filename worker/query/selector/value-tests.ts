/** Tests that compare one value with operands, each made for the type of its operand. */
import { encodeComponent } from '../../indexes/index.ts';
import type { Pattern } from '../pattern/index.ts';

export type Test = (value: unknown) => boolean;
type Limit = { readonly operand: unknown; readonly encoded: string; readonly isInclusive: boolean };

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isMissing: Test = (value) => value === null || value === undefined;

export function equalTest(operand: unknown, encoded: string): Test {
  if (typeof operand === 'number' && Number.isNaN(operand)) return Number.isNaN;
  if (!isObject(operand)) return operand === null ? isMissing : (value) => value === operand;
  if (operand instanceof Date) {
    const time = operand.getTime();
    if (Number.isNaN(time)) return (value) => value instanceof Date && Number.isNaN(value.getTime());
    return (value) => value instanceof Date && value.getTime() === time;
  }
  const isArray = Array.isArray(operand);
  return (value) => isObject(value) && Array.isArray(value) === isArray && encodeComponent(value) === encoded;
}

export function inTest(operands: readonly unknown[], encoded: readonly string[], patterns: readonly Pattern[]): Test {
  // A Set compares as the store does here: NaN is itself, and -0 is 0.
  const scalars = new Set(operands.filter((operand) => !isObject(operand)));
  const codes = new Set(encoded.filter((_, at) => isObject(operands[at])));
  const hasNull = scalars.has(null);
  const hasValue: Test = (value) => {
    if (isObject(value)) return codes.size > 0 && codes.has(encodeComponent(value));
    return scalars.has(value) || (hasNull && value === undefined);
  };
  if (patterns.length === 0) return hasValue;
  return (value) => hasValue(value) || (typeof value === 'string' && patterns.some((pattern) => pattern.test(value)));
}

export function aboveTest({ operand, encoded, isInclusive }: Limit): Test {
  switch (typeof operand) {
    case 'number':
      return isInclusive
        ? (value) => typeof value === 'number' && value >= operand
        : (value) => typeof value === 'number' && value > operand;
    case 'string':
      return isInclusive
        ? (value) => typeof value === 'string' && value >= operand
        : (value) => typeof value === 'string' && value > operand;
    case 'boolean':
      return isInclusive
        ? (value) => typeof value === 'boolean' && value >= operand
        : (value) => typeof value === 'boolean' && value > operand;
    default:
  }
  if (operand === null) return isInclusive ? isMissing : () => false;
  if (operand instanceof Date) {
    const time = operand.getTime();
    return isInclusive
      ? (value) => value instanceof Date && value.getTime() >= time
      : (value) => value instanceof Date && value.getTime() > time;
  }
  return encodedTest(encoded, isInclusive ? (code) => code >= encoded : (code) => code > encoded);
}

export function belowTest({ operand, encoded, isInclusive }: Limit): Test {
  switch (typeof operand) {
    case 'number':
      return isInclusive
        ? (value) => typeof value === 'number' && value <= operand
        : (value) => typeof value === 'number' && value < operand;
    case 'string':
      return isInclusive
        ? (value) => typeof value === 'string' && value <= operand
        : (value) => typeof value === 'string' && value < operand;
    case 'boolean':
      return isInclusive
        ? (value) => typeof value === 'boolean' && value <= operand
        : (value) => typeof value === 'boolean' && value < operand;
    default:
  }
  if (operand === null) return isInclusive ? isMissing : () => false;
  if (operand instanceof Date) {
    const time = operand.getTime();
    return isInclusive
      ? (value) => value instanceof Date && value.getTime() <= time
      : (value) => value instanceof Date && value.getTime() < time;
  }
  return encodedTest(encoded, isInclusive ? (code) => code <= encoded : (code) => code < encoded);
}

/** Objects, arrays and binary: compared within the type, which is the first character of the encoded value. */
function encodedTest(operand: string, holds: (code: string) => boolean): Test {
  return (value) => {
    if (!isObject(value)) return false;
    const code = encodeComponent(value);
    return code[0] === operand[0] && holds(code);
  };
}
