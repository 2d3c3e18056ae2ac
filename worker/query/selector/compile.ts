/**
 * Selectors as closures. Tests compare numbers, strings and dates as they are; only objects, arrays and binary go through
 * the encoding of indexes. All of it agrees with the order of indexes, so an answer never depends on the plan (QRY-2).
 */
import { unreachable } from '../../../src/base/assert.ts';
import type { Row } from '../../../src/base/row.ts';
import type { ElementNode, FieldNode, SelectorNode, ValueTest } from './ast.ts';
import { testAt } from './field-values.ts';
import { kindTest } from './kinds.ts';
import { aboveTest, belowTest, equalTest, inTest, type Test } from './value-tests.ts';

export type Predicate = (row: Row) => boolean;

export function compilePredicate(node: SelectorNode): Predicate {
  switch (node.type) {
    case 'and':
      return allPass(node.of.map(compilePredicate));
    case 'or':
      return anyPasses(node.of.map(compilePredicate));
    case 'not': {
      const accepts = compilePredicate(node.of);
      return (row) => !accepts(row);
    }
    case 'field':
      return compileField(node);
    default:
      return unreachable(node);
  }
}

function allPass<T>(tests: readonly ((value: T) => boolean)[]): (value: T) => boolean {
  const [first, second, third, ...more] = tests;
  if (first === undefined) return () => true;
  if (second === undefined) return first;
  if (third === undefined) return (value) => first(value) && second(value);
  if (more.length === 0) return (value) => first(value) && second(value) && third(value);
  return (value) => {
    for (let i = 0; i < tests.length; i += 1) if (!tests[i]!(value)) return false;
    return true;
  };
}

function anyPasses<T>(tests: readonly ((value: T) => boolean)[]): (value: T) => boolean {
  const [first, second, ...more] = tests;
  if (first === undefined) return () => false;
  if (second === undefined) return first;
  if (more.length === 0) return (value) => first(value) || second(value);
  return (value) => {
    for (let i = 0; i < tests.length; i += 1) if (tests[i]!(value)) return true;
    return false;
  };
}

function compileField({ segments, test }: FieldNode): Predicate {
  return testAt(segments, compileTest(test), { looksIntoArrays: looksIntoArrays(test) });
}

/** Whether the elements of an array at the end of a path are asked, too. */
function looksIntoArrays({ type }: ValueTest): boolean {
  return type !== 'exists' && type !== 'size' && type !== 'element' && type !== 'element-fields';
}

/** A test of one value, or of `undefined` for what is missing. */
function compileTest(test: ValueTest): Test {
  switch (test.type) {
    case 'equal':
      return equalTest(test.operand, test.encoded);
    case 'in':
      return inTest(test.operands, test.encoded, test.patterns);
    case 'above':
      return aboveTest(test);
    case 'below':
      return belowTest(test);
    case 'exists':
      return (value) => value !== undefined;
    case 'kind':
      return kindTest(test.kinds);
    case 'pattern': {
      const { pattern } = test;
      return (value) => typeof value === 'string' && pattern.test(value);
    }
    case 'remainder': {
      const { divisor, remainder } = test;
      // An infinite number leaves NaN.
      return (value) => typeof value === 'number' && Math.trunc(value) % divisor === remainder;
    }
    case 'size': {
      const { size } = test;
      return (value) => Array.isArray(value) && value.length === size;
    }
    case 'element': {
      const accepts = compileElement(test.of);
      return (value) => Array.isArray(value) && value.some(accepts);
    }
    case 'element-fields': {
      const accepts = compilePredicate(test.of);
      const isObject = kindTest(['object']);
      return (value) => Array.isArray(value) && value.some((element) => isObject(element) && accepts(element as Row));
    }
    default:
      return unreachable(test);
  }
}

function compileElement(node: ElementNode): Test {
  switch (node.type) {
    case 'and':
      return allPass(node.of.map(compileElement));
    case 'not': {
      const accepts = compileElement(node.of);
      return (value) => !accepts(value);
    }
    case 'value':
      return compileTest(node.test);
    default:
      return unreachable(node);
  }
}
