/**
 * From a selector as it was given to its tree. Everything that can be wrong with it is found here, so that nobody after
 * this needs to check: unknown operators, wrong operands, prototypes in paths, sizes.
 */
import { isPlainObject } from '../../../src/base/codec/index.ts';
import type { Selector } from '../../../src/protocol/definition.ts';
import { parsePath } from '../paths.ts';
import { type Pattern, parsePattern } from '../pattern/index.ts';
import { AnyOf } from './any-of.ts';
import type { ElementNode, FieldNode, SelectorNode, ValueTest } from './ast.ts';
import { LOGICAL_OPERATORS, tooLarge, unknownOperator, wrongOperand } from './errors.ts';
import { kindsOf } from './kinds.ts';
import { encodeOperand, isUnordered } from './operand.ts';

/** Most operands of one `$in`, `$nin` or `$all`. */
export const IN_OPERANDS_MAX = 10_000;
/** Most conditions in one selector. */
export const SELECTOR_CONDITIONS_MAX = 1_000;
/** Deepest nesting of logical operators, `$not` and `$elemMatch`. */
export const SELECTOR_DEPTH_MAX = 32;

type Fields = Readonly<Record<string, unknown>>;
/** What has been counted so far, of one selector. */
type Tally = { conditions: number };
/** A condition on a value, whether it stands at a path or is an element of an array. */
type Condition = ElementNode;

/**
 * Throws `query/unknown-operator`, `query/wrong-operand`, `query/forbidden-path`, `query/unsupported-pattern` or
 * `query/selector-too-large`, with the path to the wrong part.
 */
export function parseSelector(selector: Selector): SelectorNode {
  return parseFields(selector, '', 0, { conditions: 0 });
}

const inner = (at: string, part: string | number): string => (at === '' ? String(part) : `${at}.${part}`);
const isOperatorName = (name: string): boolean => name.startsWith('$');

function parseFields(selector: unknown, at: string, depth: number, tally: Tally): SelectorNode {
  if (!isPlainObject(selector)) throw wrongOperand(at, 'selector', 'must be an object of paths and conditions');
  if (depth > SELECTOR_DEPTH_MAX) throw tooLarge(at, 'levels', SELECTOR_DEPTH_MAX);
  const parts = Object.entries(selector)
    .filter(([, operand]) => operand !== undefined)
    .map(([name, operand]): SelectorNode => {
      const place = inner(at, name);
      if (LOGICAL_OPERATORS.includes(name)) return parseLogical(name, operand, place, depth, tally);
      if (isOperatorName(name)) throw unknownOperator(name, place);
      const segments = parsePath(name);
      return atPath(parseCondition(operand, place, depth, tally), name, segments);
    });
  return parts.length === 1 ? parts[0]! : { type: 'and', of: parts };
}

function parseLogical(operator: string, operand: unknown, at: string, depth: number, tally: Tally): SelectorNode {
  if (!Array.isArray(operand) || operand.length === 0)
    throw wrongOperand(at, operator, 'must be an array of one selector or more');
  count(tally, operand.length, at);
  const of = operand.map((each, place) => parseFields(each, inner(at, place), depth + 1, tally));
  if (operator === '$and') return { type: 'and', of };
  return operator === '$or' ? { type: 'or', of } : { type: 'not', of: { type: 'or', of } };
}

function count(tally: Tally, conditions: number, at: string): void {
  tally.conditions += conditions;
  if (tally.conditions > SELECTOR_CONDITIONS_MAX) throw tooLarge(at, 'conditions', SELECTOR_CONDITIONS_MAX);
}

/** Conditions on a value, as conditions on what stands at a path. */
function atPath(condition: Condition, path: string, segments: readonly string[]): SelectorNode {
  switch (condition.type) {
    case 'and':
      return { type: 'and', of: condition.of.map((each) => atPath(each, path, segments)) };
    case 'not':
      return { type: 'not', of: atPath(condition.of, path, segments) };
    case 'value':
      return { type: 'field', path, segments, test: condition.test } satisfies FieldNode;
  }
}

const value = (test: ValueTest): Condition => ({ type: 'value', test });
const not = (of: Condition): Condition => ({ type: 'not', of });
const every = (of: readonly Condition[]): Condition => (of.length === 1 ? of[0]! : { type: 'and', of });

/** A plain value, a pattern, or operators that must all hold. On an array they may hold for different elements. */
function parseCondition(operand: unknown, at: string, depth: number, tally: Tally): Condition {
  if (operand instanceof AnyOf) return oneOfValues(operand.values, at);
  if (operand instanceof RegExp) {
    count(tally, 1, at);
    return value({ type: 'pattern', pattern: parsePattern(operand.source, operand.flags, at) });
  }
  if (isPlainObject(operand) && Object.keys(operand).some(isOperatorName))
    return parseOperators(operand, at, depth, tally);
  count(tally, 1, at);
  refuseHiddenOperators(operand, at);
  return equal(operand, at, '$eq');
}

/** `{ address: { city: { $gt: 'A' } } }` would compare with an object that has a field `$gt`, which nobody means. */
function refuseHiddenOperators(operand: unknown, at: string, depth = 0): void {
  if (typeof operand !== 'object' || operand === null || depth > SELECTOR_DEPTH_MAX) return;
  if (!Array.isArray(operand) && !isPlainObject(operand)) return;
  for (const [name, each] of Object.entries(operand)) {
    if (isOperatorName(name)) throw unknownOperator(name, inner(at, name));
    refuseHiddenOperators(each, inner(at, name), depth + 1);
  }
}

function parseOperators(operators: Fields, at: string, depth: number, tally: Tally): Condition {
  if (depth > SELECTOR_DEPTH_MAX) throw tooLarge(at, 'levels', SELECTOR_DEPTH_MAX);
  return every(
    Object.entries(operators).flatMap(([operator, operand]): Condition | [] => {
      count(tally, 1, at);
      const place = inner(at, operator);
      switch (operator) {
        case '$eq':
          return equal(operand, at, operator);
        case '$ne':
          return not(equal(operand, at, operator));
        case '$gt':
        case '$gte':
        case '$lt':
        case '$lte':
          return compared(operator, operand, at);
        case '$in':
          return oneOf(operand, at, operator);
        case '$nin':
          return not(oneOf(operand, at, operator));
        case '$not':
          return not(negated(operand, place, depth, tally));
        case '$exists':
          return existence(operand, at);
        case '$type':
          return value({ type: 'kind', kinds: kindsOf(operand, at) });
        case '$regex':
          return value({ type: 'pattern', pattern: patternOf(operand, operators['$options'], at) });
        case '$options':
          // Read with its $regex.
          if (operators['$regex'] === undefined) throw wrongOperand(at, operator, 'needs a $regex beside it');
          return [];
        case '$mod':
          return remainder(operand, at);
        case '$all':
          return all(operand, at, depth, tally);
        case '$size':
          return size(operand, at);
        case '$elemMatch':
          return element(operand, place, depth, tally);
        default:
          throw unknownOperator(operator, at);
      }
    }),
  );
}

function equal(operand: unknown, at: string, operator: string): Condition {
  return value({ type: 'equal', operand, encoded: encodeOperand(operand, at, operator) });
}

function compared(operator: '$gt' | '$gte' | '$lt' | '$lte', operand: unknown, at: string): Condition {
  const encoded = encodeOperand(operand, at, operator);
  const isInclusive = operator === '$gte' || operator === '$lte';
  if (isUnordered(operand)) return isInclusive ? equal(operand, at, operator) : oneOf([], at, operator);
  const type = operator === '$gt' || operator === '$gte' ? 'above' : 'below';
  return value({ type, operand, encoded, isInclusive });
}

function oneOf(operand: unknown, at: string, operator: string): Condition {
  const all = arrayOf(operand, at, operator);
  const patterns: Pattern[] = [];
  const operandsByCode = new Map<string, unknown>();
  for (const [place, each] of all.entries()) {
    const part = inner(inner(at, operator), place);
    if (each instanceof RegExp) patterns.push(parsePattern(each.source, each.flags, part));
    else {
      if (isPlainObject(each)) refuseHiddenOperators(each, part);
      operandsByCode.set(encodeOperand(each, part, operator), each);
    }
  }
  return isIn(operandsByCode, patterns);
}

const oneOfValues = (values: readonly unknown[], at: string): Condition =>
  isIn(new Map(values.map((each) => [encodeOperand(each, at, '$in'), each])), []);

function isIn(operandsByCode: ReadonlyMap<string, unknown>, patterns: readonly Pattern[]): Condition {
  const encoded = [...operandsByCode.keys()].sort();
  const operands = encoded.map((code) => operandsByCode.get(code));
  return value({ type: 'in', operands, encoded, patterns });
}

function arrayOf(operand: unknown, at: string, operator: string): readonly unknown[] {
  if (!Array.isArray(operand)) throw wrongOperand(at, operator, 'must be an array');
  if (operand.length > IN_OPERANDS_MAX) throw wrongOperand(at, operator, `has more than ${IN_OPERANDS_MAX} elements`);
  // Holes count as undefined, which is refused.
  return Array.from(operand as readonly unknown[]);
}

function negated(operand: unknown, at: string, depth: number, tally: Tally): Condition {
  if (operand instanceof RegExp) return parseCondition(operand, at, depth, tally);
  if (!isPlainObject(operand) || Object.keys(operand).length === 0)
    throw wrongOperand(at, '$not', 'must be an object of operators, or a pattern');
  return parseOperators(operand, at, depth + 1, tally);
}

function existence(operand: unknown, at: string): Condition {
  if (typeof operand !== 'boolean' && operand !== 0 && operand !== 1)
    throw wrongOperand(at, '$exists', 'must be true or false');
  const exists = value({ type: 'exists' });
  return operand ? exists : not(exists);
}

function patternOf(operand: unknown, options: unknown, at: string): Pattern {
  if (options !== undefined && typeof options !== 'string') throw wrongOperand(at, '$options', 'must be a string');
  if (operand instanceof RegExp) return parsePattern(operand.source, options ?? operand.flags, at);
  if (typeof operand !== 'string') throw wrongOperand(at, '$regex', 'must be a pattern or a string');
  return parsePattern(operand, options ?? '', at);
}

function remainder(operand: unknown, at: string): Condition {
  const [divisor, rest, ...more] = Array.isArray(operand) ? (operand as readonly unknown[]) : [];
  const isRight = Number.isFinite(divisor) && Number.isFinite(rest) && more.length === 0;
  if (!isRight || Math.trunc(divisor as number) === 0)
    throw wrongOperand(at, '$mod', 'must be an array of a divisor other than 0 and a remainder');
  return value({
    type: 'remainder',
    divisor: Math.trunc(divisor as number),
    remainder: Math.trunc(rest as number),
  });
}

/** No element asks for nothing that a value could have, so nothing has it: as MongoDB, an empty $all matches no row. */
function all(operand: unknown, at: string, depth: number, tally: Tally): Condition {
  const place = inner(at, '$all');
  const operands = arrayOf(operand, at, '$all');
  if (operands.length === 0) return oneOf([], at, '$all');
  count(tally, operands.length, at);
  return every(
    operands.map((each, index) => {
      const part = inner(place, index);
      if (each instanceof RegExp)
        return value({ type: 'pattern', pattern: parsePattern(each.source, each.flags, part) });
      if (!isPlainObject(each)) return equal(each, part, '$all');
      const [first, ...more] = Object.keys(each);
      if (first !== '$elemMatch') {
        refuseHiddenOperators(each, part);
        return equal(each, part, '$all');
      }
      if (more.length > 0) throw unknownOperator(more[0]!, inner(part, more[0]!));
      return element(each['$elemMatch'], inner(part, first), depth, tally);
    }),
  );
}

function size(operand: unknown, at: string): Condition {
  if (!Number.isSafeInteger(operand) || (operand as number) < 0)
    throw wrongOperand(at, '$size', 'must be a whole number of 0 or more');
  return value({ type: 'size', size: operand as number });
}

/** With operators: of the element itself. With paths, logical operators or nothing: of its fields. */
function element(operand: unknown, at: string, depth: number, tally: Tally): Condition {
  if (!isPlainObject(operand)) throw wrongOperand(at, '$elemMatch', 'must be an object');
  const names = Object.keys(operand);
  const isOfValue =
    names.length > 0 && names.every((name) => isOperatorName(name) && !LOGICAL_OPERATORS.includes(name));
  return isOfValue
    ? value({ type: 'element', of: parseOperators(operand, at, depth + 1, tally) })
    : value({ type: 'element-fields', of: parseFields(operand, at, depth + 1, tally) });
}
