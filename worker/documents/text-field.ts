/** A text that several people edit at once: `Y.Text`. Formats that editors give to parts of it are kept, and not read. */
import type { Text } from 'yjs';
import type { FieldKind } from './field-kind.ts';
import { editsBetween } from './sequence-edits.ts';

/** Texts that are compared by character; of longer ones whatever lies between the common ends is replaced. */
const COMPARED_CHARACTERS_MAX = 1_000_000;

export const textField: FieldKind = {
  isEmpty: (doc, name) => doc.getText(name).length === 0,
  // Without formats, and without what an editor has embedded.
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
  const places = placesOf(text, before);
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
    remove(text, places, position, removedUnits);
    if (to > from) text.insert(placeOf(places, position), next.slice(from, to).join(''));
  }
}

/** Where each unit of the string stands in the text; undefined when nothing is embedded in between. */
function placesOf(text: Text, string: string): readonly number[] | undefined {
  if (text.length === string.length) return undefined;
  const places: number[] = [];
  let at = 0;
  for (const { insert } of text.toDelta() as readonly { readonly insert: unknown }[]) {
    const units = typeof insert === 'string' ? insert.length : 0;
    for (let unit = 0; unit < units; unit += 1) places.push(at + unit);
    at += Math.max(units, 1);
  }
  return places;
}

/** Behind the character before it: what is embedded there comes after what is inserted. */
const placeOf = (places: readonly number[] | undefined, position: number): number =>
  places === undefined ? position : position === 0 ? 0 : places[position - 1]! + 1;

/** Characters alone: what an editor has embedded between them stays. */
function remove(text: Text, places: readonly number[] | undefined, position: number, units: number): void {
  if (places === undefined) {
    if (units > 0) text.delete(position, units);
    return;
  }
  for (let end = position + units; end > position; ) {
    let start = end - 1;
    while (start > position && places[start - 1] === places[start]! - 1) start -= 1;
    text.delete(places[start]!, end - start);
    end = start;
  }
}
