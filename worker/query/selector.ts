/**
 * Selectors: fields by dotted path, each with a value or with `$eq $gt $gte $lt $lte $in`; all must hold. Operands and
 * values are compared in their encoded form, so a selector, an index and a sort can never disagree about an order.
 */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import { encodeComponent, valuesAt } from '../indexes/index.ts';
import { parsePath } from './paths.ts';

/** A bound within one type: comparisons never cross types, as in MongoDB. */
export type Bound = { readonly encoded: string; readonly isInclusive: boolean };

/** What one path must fulfil. Exactly one of `equals`, `isIn` and the bounds is given, or both kinds of bound. */
export type Condition = {
  readonly path: string;
  readonly segments: readonly string[];
  /** Encoded operands, ascending and distinct; one for equality. */
  readonly isIn: readonly string[] | undefined;
  readonly low: Bound | undefined;
  readonly high: Bound | undefined;
};

export type Predicate = (row: Row) => boolean;

/** Most operands of one `$in`. */
export const IN_OPERANDS_MAX = 10_000;
/** Most paths in one selector. */
export const SELECTOR_PATHS_MAX = 100;

const OPERATORS = ['$eq', '$gt', '$gte', '$lt', '$lte', '$in'] as const;

export function parseSelector(selector: Selector): readonly Condition[] {
  if (!isPlainObject(selector)) throw wrongOperand('', 'selector', 'must be an object of paths and conditions');
  const entries = Object.entries(selector).filter(([, operand]) => operand !== undefined);
  if (entries.length > SELECTOR_PATHS_MAX)
    throw wrongOperand('', 'selector', `has more than ${SELECTOR_PATHS_MAX} paths`);
  return entries.flatMap(([path, operand]) => {
    if (path.startsWith('$')) throw unknownOperator(path, path);
    parsePath(path);
    return isOperators(operand)
      ? parseOperators(path, operand)
      : [equality(path, [encodeOperand(path, '$eq', operand)])];
  });
}

export function compilePredicate(conditions: readonly Condition[]): Predicate {
  const tests = conditions.map(compileCondition);
  if (tests.length === 0) return () => true;
  if (tests.length === 1) return tests[0]!;
  return (row) => tests.every((test) => test(row));
}

/** A type of value by its tag, the first character of an encoded value. */
export const tagOf = (encoded: string): string => encoded[0]!;
/** Null and missing share one encoding. */
export const ENCODED_NULL: string = encodeComponent(null);

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value));

const isOperators = (operand: unknown): operand is Record<string, unknown> =>
  isPlainObject(operand) && Object.keys(operand).some((key) => key.startsWith('$'));

const equality = (path: string, isIn: readonly string[]): Condition => ({
  path,
  segments: path.split('.'),
  isIn,
  low: undefined,
  high: undefined,
});

/** One condition for each operator: on an array they may hold for different elements. */
function parseOperators(path: string, operators: Record<string, unknown>): readonly Condition[] {
  return Object.entries(operators).map(([operator, operand]): Condition => {
    switch (operator) {
      case '$eq':
        return equality(path, [encodeOperand(path, operator, operand)]);
      case '$in':
        return equality(path, parseIn(path, operand));
      case '$gt':
      case '$gte': {
        const low = { encoded: encodeOperand(path, operator, operand), isInclusive: operator === '$gte' };
        return { path, segments: path.split('.'), isIn: undefined, low, high: undefined };
      }
      case '$lt':
      case '$lte': {
        const high = { encoded: encodeOperand(path, operator, operand), isInclusive: operator === '$lte' };
        return { path, segments: path.split('.'), isIn: undefined, low: undefined, high };
      }
      default:
        throw unknownOperator(operator, path);
    }
  });
}

function parseIn(path: string, operand: unknown): readonly string[] {
  if (!Array.isArray(operand)) throw wrongOperand(path, '$in', 'must be an array');
  if (operand.length > IN_OPERANDS_MAX) throw wrongOperand(path, '$in', `has more than ${IN_OPERANDS_MAX} elements`);
  return [...new Set(operand.map((element) => encodeOperand(path, '$in', element)))].sort();
}

function encodeOperand(path: string, operator: string, operand: unknown): string {
  if (operand === undefined) throw wrongOperand(path, operator, 'must not be undefined');
  try {
    return encodeComponent(operand);
  } catch (cause) {
    throw new StoreError('query/wrong-operand', `${operator} at ${path} has an operand that cannot be stored.`, {
      details: { path, operator },
      cause,
    });
  }
}

function compileCondition(condition: Condition): Predicate {
  const { segments } = condition;
  const test = compileTest(condition);
  const acceptsMissing = condition.isIn?.includes(ENCODED_NULL) === true || acceptsNullByBound(condition);
  const field = segments[0]!;
  const isDeep = segments.length > 1;
  return (row) => {
    if (!isDeep) {
      const value = row[field];
      if (value === undefined || typeof value === 'function') return acceptsMissing;
      return testValue(value, test);
    }
    const values = valuesAt(row, segments);
    return values.length === 0 ? acceptsMissing : values.some((value) => testValue(value, test));
  };
}

const acceptsNullByBound = ({ low, high }: Condition): boolean =>
  (low?.isInclusive === true && low.encoded === ENCODED_NULL) ||
  (high?.isInclusive === true && high.encoded === ENCODED_NULL);

/** The value itself, or one of its elements. */
function testValue(value: unknown, test: (encoded: string) => boolean): boolean {
  if (!Array.isArray(value)) return test(encodeComponent(value));
  return value.some((element) => test(encodeComponent(element))) || test(encodeComponent(value));
}

function compileTest({ isIn, low, high }: Condition): (encoded: string) => boolean {
  if (isIn !== undefined) {
    if (isIn.length === 1) return (encoded) => encoded === isIn[0];
    const operands = new Set(isIn);
    return (encoded) => operands.has(encoded);
  }
  if (low !== undefined) {
    const tag = tagOf(low.encoded);
    return low.isInclusive
      ? (encoded) => encoded >= low.encoded && tagOf(encoded) === tag
      : (encoded) => encoded > low.encoded && tagOf(encoded) === tag;
  }
  const tag = tagOf(high!.encoded);
  return high!.isInclusive
    ? (encoded) => encoded <= high!.encoded && tagOf(encoded) === tag
    : (encoded) => encoded < high!.encoded && tagOf(encoded) === tag;
}

function unknownOperator(operator: string, path: string): StoreError {
  return new StoreError('query/unknown-operator', `Unknown operator ${operator} at ${path}.`, {
    details: { operator, path },
    hint: `This version knows ${OPERATORS.join(', ')} on paths.`,
  });
}

function wrongOperand(path: string, operator: string, rule: string): StoreError {
  return new StoreError('query/wrong-operand', `${operator}${path === '' ? '' : ` at ${path}`} ${rule}.`, {
    details: { path, operator, rule },
  });
}
