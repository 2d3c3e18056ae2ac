/** Refusals of selectors. `at` is the path to the wrong part: fields and operators from the outside, joined by dots. */
import { StoreError } from '../../../src/base/store-error.ts';

export const FIELD_OPERATORS: readonly string[] = [
  '$eq',
  '$ne',
  '$gt',
  '$gte',
  '$lt',
  '$lte',
  '$in',
  '$nin',
  '$not',
  '$exists',
  '$type',
  '$regex',
  '$options',
  '$mod',
  '$all',
  '$elemMatch',
  '$size',
];
export const LOGICAL_OPERATORS: readonly string[] = ['$and', '$or', '$nor'];

export function unknownOperator(operator: string, at: string): StoreError {
  const isLogical = LOGICAL_OPERATORS.includes(operator);
  const isOfField = FIELD_OPERATORS.includes(operator);
  return new StoreError('query/unknown-operator', `Unknown operator ${operator} at ${at}.`, {
    details: { operator, path: at },
    hint: isLogical
      ? `${operator} takes whole selectors and stands beside paths, not below one.`
      : isOfField
        ? `${operator} stands below a path: { path: { ${operator}: ... } }.`
        : `Operators are ${FIELD_OPERATORS.join(' ')} on paths, and ${LOGICAL_OPERATORS.join(' ')}.`,
  });
}

/** `rule` ends the sentence "$in at tags ...". */
export function wrongOperand(at: string, operator: string, rule: string, cause?: unknown): StoreError {
  return new StoreError('query/wrong-operand', `${operator}${at === '' ? '' : ` at ${at}`} ${rule}.`, {
    details: { path: at, operator, rule },
    ...(cause === undefined ? {} : { cause }),
  });
}

export function tooLarge(at: string, what: string, limit: number): StoreError {
  return new StoreError('query/selector-too-large', `The selector has more than ${limit} ${what}.`, {
    details: { path: at, limit, counted: what },
    hint: 'Split it into several queries, or give many values to one $in.',
  });
}
