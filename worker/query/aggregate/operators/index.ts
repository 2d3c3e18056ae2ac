/** Every operator of expressions by its name. */
import { ACCUMULATED } from './accumulated.ts';
import { ARITHMETIC } from './arithmetic.ts';
import { ARRAYS } from './arrays.ts';
import { DATES } from './dates.ts';
import { LOGIC } from './logic.ts';
import { OBJECTS } from './objects.ts';
import type { Operators } from './operator.ts';
import { STRINGS } from './strings.ts';
import { TYPES } from './types.ts';

export const OPERATORS: Operators = {
  ...ARITHMETIC,
  ...LOGIC,
  ...STRINGS,
  ...ARRAYS,
  ...OBJECTS,
  ...DATES,
  ...TYPES,
  ...ACCUMULATED,
};

export type { Compiler, Evaluate } from './operator.ts';
export { assertFields } from './operator.ts';
