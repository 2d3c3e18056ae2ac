/** Types of the fields of a synchronised collection, as an application names them. What they do is in worker/documents. */
import { isForbiddenKey } from '../base/codec/index.ts';
import { StoreError } from '../base/store-error.ts';

/**
 * A field's type. It decides what becomes of changes that two devices make without knowing of each other: of a plain
 * field the later one stays, of a field with a type both do.
 */
export type FieldType = 'text' | 'list' | 'counter' | 'set' | 'map';

/** Types of the fields that have one, by name. */
export type FieldTypes = Readonly<Record<string, FieldType>>;

const TYPES: readonly FieldType[] = ['text', 'list', 'counter', 'set', 'map'];
/** The root map of plain fields in a row's document (worker/documents/FORMAT.md). */
export const PLAIN_FIELDS = 'fields';

/** Refuses types under names that a row's document uses itself: `collection/invalid-field-type`. */
export function assertFieldTypes(
  types: Readonly<Record<string, unknown>>,
  collection?: string,
): asserts types is FieldTypes {
  for (const [field, type] of Object.entries(types)) {
    const isKnown = TYPES.includes(type as FieldType);
    const isOk = isKnown && field !== '' && field !== PLAIN_FIELDS && !field.includes('.') && !isForbiddenKey(field);
    if (isOk && isWellFormed(field)) continue;
    throw new StoreError(
      'collection/invalid-field-type',
      `Field ${JSON.stringify(field)} cannot have the type ${type}.`,
      {
        details: { ...(collection === undefined ? {} : { collection }), field, type: String(type), known: TYPES },
        hint: `Types are ${TYPES.join(', ')}, for fields at the top of a row that are not called '${PLAIN_FIELDS}'.`,
      },
    );
  }
}

/** `String.prototype.isWellFormed` is too young for some browsers. With the flag a half matches and a pair does not. */
export const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text);
