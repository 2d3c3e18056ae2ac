/**
 * What selectors mean, written down plainly: no parsing, no compiling, no encoding. Operators are applied as they are
 * met, each with the sentence of MongoDB's manual in mind. Patterns are the browser's own.
 */
import type { Row } from '../../src/base/row.ts';
import { compareKeys, compareValues, isPlain, rankOf } from './plain-order.ts';

type Fields = Readonly<Record<string, unknown>>;

export function matches(row: Row, selector: Fields): boolean {
  return Object.entries(selector).every(([name, operand]) => {
    if (operand === undefined) return true;
    const of = operand as readonly Fields[];
    if (name === '$and') return of.every((each) => matches(row, each));
    if (name === '$or') return of.some((each) => matches(row, each));
    if (name === '$nor') return !of.some((each) => matches(row, each));
    return holds(seenAt(row, name.split('.')), operand);
  });
}

/** Whether operators, or a value to be equal to, hold for what is seen at a path. */
function holds(seen: readonly unknown[], operand: unknown): boolean {
  return operatorsOf(operand).every(([operator, wanted, all]) => {
    switch (operator) {
      case '$ne':
        return !holds(seen, { $eq: wanted });
      case '$nin':
        return !holds(seen, { $in: wanted });
      case '$not':
        return !holds(seen, wanted);
      case '$exists':
        return seen.some((value) => value !== undefined) === Boolean(wanted);
      case '$options':
        return true;
      case '$size':
        return seen.some((value) => Array.isArray(value) && value.length === wanted);
      case '$elemMatch':
        return seen.some((value) => Array.isArray(value) && value.some((element) => elementHolds(element, wanted)));
      case '$all': {
        const each = wanted as readonly unknown[];
        return each.length > 0 && each.every((one) => holds(seen, isElemMatch(one) ? one : equalOrPattern(one)));
      }
      default:
        return seen.flatMap(withElements).some((value) => test(value, operator, wanted, all));
    }
  });
}

const isElemMatch = (operand: unknown): boolean => isPlain(operand) && '$elemMatch' in operand;
const equalOrPattern = (operand: unknown): Fields =>
  operand instanceof RegExp ? { $regex: operand } : { $eq: operand };
const withElements = (value: unknown): readonly unknown[] => (Array.isArray(value) ? [...value, value] : [value]);

function operatorsOf(operand: unknown): readonly (readonly [operator: string, wanted: unknown, all: Fields])[] {
  const isOperators = isPlain(operand) && Object.keys(operand).some((name) => name.startsWith('$'));
  const all = isOperators ? operand : equalOrPattern(operand);
  return Object.entries(all).map(([operator, wanted]) => [operator, wanted, all]);
}

function elementHolds(element: unknown, wanted: unknown): boolean {
  const names = Object.keys(wanted as Fields);
  const isOfValue = names.length > 0 && names.every((name) => /^\$(?!(and|or|nor)$)/.test(name));
  if (!isOfValue) return isPlain(element) && matches(element, wanted as Fields);
  // An element counts as a whole: in a box of its own, and never looked into.
  return Object.entries(wanted as Fields).every(([operator, operand]) =>
    valueHolds(element, operator, operand, wanted as Fields),
  );
}

function valueHolds(value: unknown, operator: string, wanted: unknown, all: Fields): boolean {
  switch (operator) {
    case '$ne':
      return !valueHolds(value, '$eq', wanted, all);
    case '$nin':
      return !valueHolds(value, '$in', wanted, all);
    case '$not':
      return !operatorsOf(wanted).every(([inner, operand, each]) => valueHolds(value, inner, operand, each));
    case '$exists':
    case '$options':
    case '$size':
    case '$elemMatch':
      return holds([value], { [operator]: wanted });
    case '$all':
      return holds([[value]], { $all: wanted });
    default:
      return test(value, operator, wanted, all);
  }
}

function test(value: unknown, operator: string, wanted: unknown, all: Fields): boolean {
  switch (operator) {
    case '$in':
      return (wanted as readonly unknown[]).some((each) =>
        each instanceof RegExp ? test(value, '$regex', each, {}) : compareValues(value, each) === 0,
      );
    case '$regex': {
      const { source, flags } = wanted instanceof RegExp ? wanted : { source: wanted as string, flags: '' };
      return (
        typeof value === 'string' && new RegExp(source, (all['$options'] as string | undefined) ?? flags).test(value)
      );
    }
    case '$mod': {
      const [divisor, rest] = wanted as readonly [number, number];
      return typeof value === 'number' && Math.trunc(value) % Math.trunc(divisor) === Math.trunc(rest);
    }
    case '$type':
      return (Array.isArray(wanted) ? wanted : [wanted]).some((kind) => isOfKind(value, String(kind)));
    default:
  }
  const order = compareValues(value, wanted);
  if (operator === '$eq') return order === 0;
  if (rankOf(value) !== rankOf(wanted)) return false;
  if (order !== 0 && (Number.isNaN(Number(value)) || Number.isNaN(Number(wanted))) && isNumeric(value)) return false;
  if (isNumeric(value) && Number.isNaN(Number(value)) && !operator.endsWith('e')) return false;
  if (operator === '$gt') return order > 0;
  if (operator === '$gte') return order >= 0;
  if (operator === '$lt') return order < 0;
  return order <= 0;
}

const isNumeric = (value: unknown): boolean => typeof value === 'number' || value instanceof Date;

function isOfKind(value: unknown, kind: string): boolean {
  if (value === undefined) return false;
  switch (kind) {
    case 'number':
    case 'double':
    case '1':
      return typeof value === 'number';
    case 'int':
    case '16':
      return Number.isInteger(value) && (value as number) >= -(2 ** 31) && (value as number) < 2 ** 31;
    case 'long':
    case '18':
      return Number.isInteger(value);
    case 'string':
    case '2':
      return typeof value === 'string';
    case 'bool':
    case '8':
      return typeof value === 'boolean';
    case 'null':
    case '10':
      return value === null;
    case 'array':
    case '4':
      return Array.isArray(value);
    case 'date':
    case '9':
      return value instanceof Date;
    case 'object':
    case '3':
      return isPlain(value);
    default:
      return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
  }
}

/** Everything seen at a path; `undefined` where an object or a scalar lacks the field. */
export function seenAt(value: unknown, segments: readonly string[], at = 0): readonly unknown[] {
  if (at === segments.length) return [value];
  const segment = segments[at]!;
  if (Array.isArray(value)) {
    const isPlace = /^(0|[1-9]\d*)$/.test(segment) && Number(segment) < value.length;
    return [
      ...(isPlace ? seenAt(value[Number(segment)], segments, at + 1) : []),
      ...value.filter(isPlain).flatMap((element) => seenAt(element, segments, at)),
    ];
  }
  return isPlain(value) && Object.hasOwn(value, segment) ? seenAt(value[segment], segments, at + 1) : [undefined];
}

/** What a sort goes by: of several values the lowest, or the highest when it descends. */
export function sortValueAt(row: Row, path: string, direction: 1 | -1): unknown {
  const values = seenAt(row, path.split('.')).flatMap((value) =>
    Array.isArray(value) ? (value.length === 0 ? [undefined] : value) : [value],
  );
  // Not by sorting: that puts what is undefined last.
  return values.reduce((a, b) => (compareValues(b, a) * direction < 0 ? b : a), values[0]);
}

/** Rows in the order of a sort; equal ones by key, in the direction of the last path. */
export function inOrder(
  rows: readonly Row[],
  sort: readonly (readonly [path: string, direction: 1 | -1])[],
): readonly Row[] {
  const last = sort.at(-1)?.[1] ?? 1;
  return rows.toSorted((a, b) => {
    for (const [path, direction] of sort) {
      const order = compareValues(sortValueAt(a, path, direction), sortValueAt(b, path, direction));
      if (order !== 0) return order * direction;
    }
    return compareKeys(a['id'], b['id']) * last;
  });
}
