/** A list into which several people put things at once: `Y.Array` of plain values. */
import type { FieldKind } from './field-kind.ts';
import { editsBetween } from './sequence-edits.ts';
import { type Carried, carry, isSame, uncarry } from './value-encoding.ts';

export const listField: FieldKind = {
  isEmpty: (doc, name) => doc.getArray(name).length === 0,
  read: (doc, name) => doc.getArray(name).toJSON().map(uncarry),
  write(doc, name, value) {
    const list = doc.getArray(name);
    const before = list.toJSON() as Carried[];
    const after = carry(value) as Carried[];
    for (const { at, removed, from, to } of editsBetween(before, after, isSame).toReversed()) {
      if (removed > 0) list.delete(at, removed);
      if (to > from) list.insert(at, after.slice(from, to));
    }
  },
  clear(doc, name) {
    const list = doc.getArray(name);
    list.delete(0, list.length);
  },
};
