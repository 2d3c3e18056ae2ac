/** A text that several people edit at once: `Y.Text`. Formats that editors give to parts of it are kept, and not read. */
import type { Text } from 'yjs';
import type { FieldKind } from './field-kind.ts';
import { editsBetween } from './sequence-edits.ts';

/** Texts that are compared by character; of longer ones whatever lies between the common ends is replaced. */
const COMPARED_CHARACTERS_MAX = 1_000_000;

export const textField: FieldKind = {
  isEmpty: (doc, name) => doc.getText(name).length === 0,
  // Not toString(), which has no place for what an editor embeds: so neither is a length equal to that of the content.
  read: (doc, name) => doc.getText(name).toString(),
  write(doc, name, value) {
    change(doc.getText(name), value as string);
  },
  clear(doc, name) {
    const text = doc.getText(name);
    text.delete(0, text.length);
  },
};

function change(text: Text, after: string): void {
  const before = text.toString();
  if (before === after) return;
  if (text.length !== before.length) {
    // There is something embedded, and positions of the string are not those of the text.
    text.delete(0, text.length);
    text.insert(0, after);
    return;
  }
  // By whole characters: Yjs replaces what is left of a pair that was cut.
  const isLong = before.length + after.length > COMPARED_CHARACTERS_MAX;
  const old = isLong ? [before] : Array.from(before);
  const next = isLong ? [after] : Array.from(after);
  let at = old.length;
  let position = before.length;
  for (const { at: start, removed, from, to } of editsBetween(old, next, Object.is).toReversed()) {
    while (at > start + removed) position -= old[--at]!.length;
    let removedUnits = 0;
    while (at > start) removedUnits += old[--at]!.length;
    position -= removedUnits;
    if (removedUnits > 0) text.delete(position, removedUnits);
    if (to > from) text.insert(position, next.slice(from, to).join(''));
  }
}
