import { StoreError } from '../../src/base/store-error.ts';

/** Why an update is refused: the last part of its code. */
export type UpdateRefusal =
  | 'array-gap'
  | 'conflicting-paths'
  | 'dotted-field'
  | 'invalid-changes'
  | 'invalid-operand'
  | 'invalid-path'
  | 'mixed-operators'
  | 'not-a-container'
  | 'primary-key'
  | 'unknown-operator'
  | 'wrong-type';

/** Throws `update/<refusal>` with details `{ operator, path, rule }`. */
export function refuseUpdate(
  refusal: UpdateRefusal,
  { operator, path }: { readonly operator: string; readonly path: string },
  rule: string,
  text: string,
): never {
  const place = [operator, path === '' ? '' : `'${path}'`].filter((part) => part !== '').join(' of ');
  throw new StoreError(`update/${refusal}`, `${text}${place === '' ? '' : ` (${place})`}.`, {
    details: { operator, path, rule },
  });
}
