/**
 * Where mingo is known to judge a row otherwise than MongoDB and this store do. Each rule has its line in
 * worker/query/SELECTORS.md. A rule may cover more than what really differs, never less: rows it covers are judged by
 * the plain oracle alone.
 */
import type { Row } from '../../src/base/row.ts';
import { isPlain } from './plain-order.ts';
import { seenAt } from './plain-selector.ts';

type Fields = Readonly<Record<string, unknown>>;

const COMPARISONS = ['$gt', '$gte', '$lt', '$lte'];

export function mayDeviate(row: Row, selector: Fields): boolean {
  return Object.entries(selector).some(([name, operand]) => {
    if (name === '$and' || name === '$or' || name === '$nor')
      return (operand as readonly Fields[]).some((each) => mayDeviate(row, each));
    return atPath(row, name, operand);
  });
}

function atPath(row: Row, path: string, operand: unknown): boolean {
  const isOperators = isPlain(operand) && Object.keys(operand).some((name) => name.startsWith('$'));
  if (!isOperators) return leaf(row, path, operand instanceof RegExp ? '$regex' : '$eq', operand);
  return Object.entries(operand).some(([operator, wanted]) => {
    if (operator === '$not') return atPath(row, path, wanted);
    return leaf(row, path, operator, wanted);
  });
}

function leaf(row: Row, path: string, operator: string, wanted: unknown): boolean {
  const segments = path.split('.');
  const seen = seenAt(row, segments);
  const values = seen.flatMap((value) => (Array.isArray(value) ? [value, ...value] : [value]));
  const operands = ['$in', '$nin', '$all'].includes(operator) ? (wanted as readonly unknown[]) : [wanted];
  const hasNested = seen.some((value) => Array.isArray(value) && value.some(Array.isArray));
  const hasNull = operands.some((each) => each === null);
  // Paths through arrays: missing fields are dropped, lists of lists are left as they are.
  if (meetsArray(row, segments)) {
    const isPlainTest = ['$eq', '$ne', '$in', '$nin', '$regex', '$mod', ...COMPARISONS].includes(operator);
    if (!isPlainTest || hasNull || operands.some(Array.isArray) || seen.some(Array.isArray)) return true;
    if (hasListOfLists(row, segments)) return true;
  }
  // Bytes are fields by number.
  if (meetsBinary(row, segments)) return true;
  switch (operator) {
    case '$gt':
    case '$gte':
    case '$lt':
    case '$lte':
      // Null and missing are two types; arrays are never compared whole; objects by sorted keys; binary by bytes first.
      if (wanted === null || (typeof wanted === 'object' && !(wanted instanceof Date))) return true;
      return Number.isNaN(wanted) || values.some((value) => Number.isNaN(value));
    case '$eq':
    case '$ne':
      return hasNested;
    case '$in':
    case '$nin':
      return hasNested || operands.some(Array.isArray) || (hasNull && seen.some(Array.isArray));
    case '$regex':
      return hasNested;
    case '$mod':
      return values.some((value) => !Number.isInteger(value) && value !== undefined);
    case '$type':
      return (
        seen.some(Array.isArray) ||
        values.some((value) => typeof value === 'number' && (Number.isNaN(value) || Math.abs(value) > 2 ** 31)) ||
        values.some((value) => ArrayBuffer.isView(value)) ||
        [wanted].flat().some((kind) => kind === 'binData' || kind === 5)
      );
    case '$all':
      if (!seen.every(Array.isArray) || hasNested || operands.some(Array.isArray)) return true;
      return operands.some(
        (each) => isPlain(each) && '$elemMatch' in each && leaf(row, path, '$elemMatch', each['$elemMatch']),
      );
    case '$elemMatch':
      return seen.some(
        (value) => Array.isArray(value) && value.some((element) => inElement(element, wanted as Fields)),
      );
    default:
      return false;
  }
}

function inElement(element: unknown, wanted: Fields): boolean {
  const names = Object.keys(wanted);
  const isOfValue = names.length > 0 && names.every((name) => /^\$(?!(and|or|nor)$)/.test(name));
  // Elements that are no objects answer for every path; elements that are arrays are looked into.
  if (!isOfValue) return !isPlain(element) || mayDeviate(element, wanted);
  return Array.isArray(element) || atPath({ field: element }, 'field', wanted);
}

function meetsArray(row: Row, segments: readonly string[]): boolean {
  let value: unknown = row;
  for (const segment of segments) {
    if (Array.isArray(value)) return true;
    if (!isPlain(value)) return false;
    value = value[segment];
  }
  return false;
}

/** An array directly in another on the way. */
function hasListOfLists(value: unknown, segments: readonly string[], at = 0): boolean {
  if (at === segments.length) return false;
  if (Array.isArray(value))
    return value.some(
      (element) => Array.isArray(element) || (isPlain(element) && hasListOfLists(element, segments, at)),
    );
  return isPlain(value) && hasListOfLists(value[segments[at]!], segments, at + 1);
}

function meetsBinary(value: unknown, segments: readonly string[], at = 0): boolean {
  if (at === segments.length) return false;
  if (ArrayBuffer.isView(value)) return true;
  if (Array.isArray(value))
    return value.some((element) => meetsBinary(element, segments, at) || meetsBinary(element, segments, at + 1));
  return isPlain(value) && meetsBinary(value[segments[at]!], segments, at + 1);
}
