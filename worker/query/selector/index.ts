export { AnyOf } from './any-of.ts';
export { allOf, conjunctsOf, type FieldNode, type SelectorNode } from './ast.ts';
export { compilePredicate, type Predicate } from './compile.ts';
export { encodedValuesAt, valuesSeenAt } from './field-values.ts';
export { type Interest, interestOf, interestOfField, isExactInterest, tagOf } from './interest.ts';
export { parseSelector } from './parse.ts';
