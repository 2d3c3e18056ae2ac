/** Types of values as `$type` names them. Types that no document can hold are refused, not silently never found. */
import type { TypeName } from '../../../src/protocol/definition.ts';
import { wrongOperand } from './errors.ts';

/** Numbers by which MongoDB also calls types. */
const CODES: Readonly<Record<number, TypeName>> = {
  1: 'double',
  2: 'string',
  3: 'object',
  4: 'array',
  5: 'binData',
  8: 'bool',
  9: 'date',
  10: 'null',
  16: 'int',
  18: 'long',
};

const TESTS: { readonly [K in TypeName]: (value: unknown) => boolean } = {
  double: (value) => typeof value === 'number',
  number: (value) => typeof value === 'number',
  int: (value) => ((value as number) | 0) === value,
  long: (value) => Number.isInteger(value),
  string: (value) => typeof value === 'string',
  bool: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: Array.isArray,
  date: (value) => value instanceof Date,
  binData: isBinary,
  object: (value) =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !isBinary(value),
};

/** One type or several, by name or by number. */
export function kindsOf(operand: unknown, at: string): readonly TypeName[] {
  const all = Array.isArray(operand) ? (operand as readonly unknown[]) : [operand];
  if (all.length === 0) throw wrongOperand(at, '$type', 'must name a type');
  return all.map((each) => {
    const kind = typeof each === 'number' ? CODES[each] : each;
    if (typeof kind === 'string' && Object.hasOwn(TESTS, kind)) return kind as TypeName;
    throw wrongOperand(at, '$type', `knows ${Object.keys(TESTS).join(', ')}, and no type ${JSON.stringify(each)}`);
  });
}

export function kindTest(kinds: readonly TypeName[]): (value: unknown) => boolean {
  const tests = kinds.map((kind) => TESTS[kind]);
  return tests.length === 1 ? tests[0]! : (value) => tests.some((test) => test(value));
}

function isBinary(value: unknown): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}
