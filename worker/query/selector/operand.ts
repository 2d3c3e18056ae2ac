/** Operands as values of the store: checked, and encoded for indexes. */
import { assertValue } from '../../../src/base/codec/index.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import { encodeComponent } from '../../indexes/index.ts';
import { wrongOperand } from './errors.ts';

/** The operand in its encoded form. Throws `query/wrong-operand` for what a document cannot hold. */
export function encodeOperand(operand: unknown, at: string, operator: string): string {
  if (operand === undefined) throw wrongOperand(at, operator, 'must not be undefined');
  if (operand instanceof RegExp)
    throw wrongOperand(at, operator, 'is a pattern; patterns are for $regex, $in and $not');
  try {
    // Scalars need no walk.
    if (typeof operand === 'object') assertValue(operand, at);
    return encodeComponent(operand);
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    throw wrongOperand(at, operator, 'has an operand that cannot be stored', cause);
  }
}

/** NaN, or a date that is none: equal to itself, and neither above nor below anything. */
export function isUnordered(value: unknown): boolean {
  return typeof value === 'number' ? Number.isNaN(value) : value instanceof Date && Number.isNaN(value.getTime());
}
