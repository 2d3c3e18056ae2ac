/** What a row document cannot hold, and how that is told: `sync/unfit-value`. */
import { StoreError } from '../../src/base/store-error.ts';
import { type FieldType, isWellFormed } from '../../src/protocol/field-types.ts';

/** Throws for a field whose name or value has text that Yjs cannot carry. */
export function assertCarries(field: string, value: unknown): void {
  if (!isWellFormed(field)) throw unfit(field, 'has half of a surrogate pair in its name');
  const wrong = unsoundText(value);
  if (wrong !== undefined) throw unfit(field, `has half of a surrogate pair in ${JSON.stringify(wrong)}`);
}

/** The first text in a value that Yjs could not carry: it writes UTF-8, which has no halves of pairs. */
function unsoundText(value: unknown): string | undefined {
  if (typeof value === 'string') return isWellFormed(value) ? undefined : value;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const wrong = isWellFormed(name) ? unsoundText(inner) : name;
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

export const unfit = (field: string, problem: string, type?: FieldType): StoreError =>
  new StoreError('sync/unfit-value', `Field ${JSON.stringify(field)} ${problem}.`, {
    details: { field, type },
    hint:
      type === undefined
        ? 'Rows that are synchronised hold text that UTF-8 can write.'
        : `Write what a field of type ${type} holds, or declare the field without a type.`,
  });
