/** Arrays and sets. Null or missing gives null; other types are refused when they are met. Sets keep first appearances. */
import { wrongOperand } from '../pipeline-errors.ts';
import { compareValues, identityOf, isMissing, isTruthy } from '../values.ts';
import {
  assertElements,
  assertFields,
  binary,
  binaryOrNull,
  mustArray,
  mustInteger,
  mustObject,
  mustText,
  type Operator,
  type Operators,
  unary,
  unaryOrNull,
  variadic,
} from './operator.ts';

const MANY = Number.POSITIVE_INFINITY;

function elementAt(array: unknown, index: unknown, path: string): unknown {
  return mustArray(array, path).at(mustInteger(index, path));
}

/** `[array, count]`, from the end when negative, or `[array, from, count]`. */
function slice(values: readonly unknown[], path: string): unknown {
  const [array, first, count] = values;
  if (values.some(isMissing)) return null;
  const elements = mustArray(array, path);
  const from = mustInteger(first, path);
  if (values.length === 2) return from < 0 ? elements.slice(from) : elements.slice(0, from);
  const many = mustInteger(count, path);
  if (many < 1) throw wrongOperand(path, 'takes 1 element or more');
  const start = from < 0 ? Math.max(0, elements.length + from) : from;
  return elements.slice(start, start + many);
}

function concatArrays(values: readonly unknown[], path: string): unknown {
  const result: unknown[] = [];
  for (const value of values) {
    if (isMissing(value)) return null;
    const elements = mustArray(value, path);
    assertElements(result.length + elements.length, path);
    for (const element of elements) result.push(element);
  }
  return result;
}

const filter: Operator = (operand, path, compiler) => {
  const { input, as = 'this', cond, limit } = assertFields(operand, path, ['input', 'cond'], ['as', 'limit']);
  const array = compiler.compile(input, `${path}.input`);
  const most = limit === undefined ? undefined : compiler.compile(limit, `${path}.limit`);
  const { inner, slots, places } = compiler.withVariables([mustText(as, path)], path);
  const test = inner.compile(cond, `${path}.cond`);
  const slot = places[0]!;
  return (row) => {
    const elements = array(row);
    if (isMissing(elements)) return null;
    const given = most?.(row);
    const count = isMissing(given) ? MANY : mustInteger(given, path);
    if (count < 1) throw wrongOperand(path, 'has a limit of 1 or more');
    const result: unknown[] = [];
    for (const element of mustArray(elements, path)) {
      if (result.length >= count) break;
      slots[slot] = element;
      if (isTruthy(test(row))) result.push(element);
    }
    return result;
  };
};

const map: Operator = (operand, path, compiler) => {
  const { input, as = 'this', in: spec } = assertFields(operand, path, ['input', 'in'], ['as']);
  const array = compiler.compile(input, `${path}.input`);
  const { inner, slots, places } = compiler.withVariables([mustText(as, path)], path);
  const compute = inner.compile(spec, `${path}.in`);
  const slot = places[0]!;
  return (row) => {
    const elements = array(row);
    if (isMissing(elements)) return null;
    return mustArray(elements, path).map((element) => {
      slots[slot] = element;
      return compute(row) ?? null;
    });
  };
};

const reduce: Operator = (operand, path, compiler) => {
  const { input, initialValue, in: spec } = assertFields(operand, path, ['input', 'initialValue', 'in'], []);
  const array = compiler.compile(input, `${path}.input`);
  const initial = compiler.compile(initialValue, `${path}.initialValue`);
  const { inner, slots, places } = compiler.withVariables(['this', 'value'], path);
  const compute = inner.compile(spec, `${path}.in`);
  const [element, value] = places;
  return (row) => {
    const elements = array(row);
    if (isMissing(elements)) return null;
    let result = initial(row);
    for (const each of mustArray(elements, path)) {
      slots[element!] = each;
      slots[value!] = result;
      result = compute(row);
    }
    return result;
  };
};

/** Not an operator of arrays, but made the same way. */
const letIn: Operator = (operand, path, compiler) => {
  const { vars, in: spec } = assertFields(operand, path, ['vars', 'in'], []);
  const given = mustObject(vars, `${path}.vars`);
  const names = Object.keys(given);
  const values = names.map((name) => compiler.compile(given[name], `${path}.vars.${name}`));
  const { inner, slots, places } = compiler.withVariables(names, path);
  const compute = inner.compile(spec, `${path}.in`);
  return (row) => {
    for (let i = 0; i < values.length; i++) slots[places[i]!] = values[i]!(row);
    return compute(row);
  };
};

function indexOf(values: readonly unknown[], path: string): number | null {
  const [array, wanted, from = 0, to = MANY] = values;
  if (isMissing(array)) return null;
  const elements = mustArray(array, path);
  const end = Math.min(elements.length, to === MANY ? MANY : mustInteger(to, path));
  for (let at = mustInteger(from, path); at < end; at++) if (compareValues(elements[at], wanted) === 0) return at;
  return -1;
}

function range(values: readonly unknown[], path: string): readonly number[] {
  const [start, end, step = 1] = values.map((value) => (value === undefined ? undefined : mustInteger(value, path)));
  if (step === 0) throw wrongOperand(path, 'has a step that is not 0');
  assertElements(Math.abs((end! - start!) / step), path);
  const result: number[] = [];
  for (let value = start!; step > 0 ? value < end! : value > end!; value += step) result.push(value);
  return result;
}

function asSets(values: readonly unknown[], path: string): readonly ReadonlyMap<unknown, unknown>[] {
  return values.map((value) => {
    const set = new Map<unknown, unknown>();
    for (const element of mustArray(value, path)) {
      const identity = identityOf(element);
      if (!set.has(identity)) set.set(identity, element);
    }
    return set;
  });
}

type Sets = readonly ReadonlyMap<unknown, unknown>[];
const ofSets = (least: number, most: number, apply: (sets: Sets) => unknown): Operator =>
  variadic(least, most, (values, path) => (values.some(isMissing) ? null : apply(asSets(values, path))));

/** What a test of sets needs: null is no set. */
const testSets = (least: number, most: number, apply: (sets: Sets) => boolean): Operator =>
  variadic(least, most, (values, path) => apply(asSets(values, path)));

const union = (sets: Sets): unknown => {
  const all = new Map<unknown, unknown>();
  for (const set of sets) for (const [identity, element] of set) if (!all.has(identity)) all.set(identity, element);
  return [...all.values()];
};
const intersection = ([first, ...others]: Sets): unknown =>
  [...(first ?? [])].filter(([identity]) => others.every((set) => set.has(identity))).map(([, element]) => element);
const isSubset = (part: ReadonlyMap<unknown, unknown>, whole: ReadonlyMap<unknown, unknown>): boolean =>
  [...part.keys()].every((identity) => whole.has(identity));

const end = (at: 0 | -1): Operator => unaryOrNull((value, path) => mustArray(value, path).at(at));

export const ARRAYS: Operators = {
  $allElementsTrue: unary((value, path) => mustArray(value, path).every(isTruthy)),
  $anyElementTrue: unary((value, path) => mustArray(value, path).some(isTruthy)),
  $arrayElemAt: binaryOrNull(elementAt),
  $concatArrays: variadic(0, MANY, concatArrays),
  $filter: filter,
  $first: end(0),
  $in: binary((value, array, path) => mustArray(array, path).some((element) => compareValues(element, value) === 0)),
  $indexOfArray: variadic(2, 4, indexOf),
  $isArray: unary(Array.isArray),
  $last: end(-1),
  $let: letIn,
  $map: map,
  $range: variadic(2, 3, range),
  $reduce: reduce,
  $reverseArray: unaryOrNull((value, path) => [...mustArray(value, path)].reverse()),
  $setDifference: ofSets(2, 2, ([first, second]) =>
    [...first!].filter(([identity]) => !second!.has(identity)).map(([, element]) => element),
  ),
  $setEquals: testSets(2, MANY, ([first, ...others]) =>
    others.every((set) => set.size === first!.size && isSubset(set, first!)),
  ),
  $setIntersection: ofSets(0, MANY, intersection),
  $setIsSubset: testSets(2, 2, ([part, whole]) => isSubset(part!, whole!)),
  $setUnion: ofSets(0, MANY, union),
  $size: unary((value, path) => mustArray(value, path).length),
  $slice: variadic(2, 3, slice),
};
