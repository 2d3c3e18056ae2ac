/** A set to which several people add at once: a map with a key for each element. Who adds wins over who removes. */
import { encodeComponent } from '../indexes/index.ts';
import type { FieldKind } from './field-kind.ts';
import { carry, uncarry } from './value-encoding.ts';

export const setField: FieldKind = {
  isEmpty: (doc, name) => doc.getMap(name).size === 0,
  read: (doc, name) => sorted([...doc.getMap(name).values()].map(uncarry)),
  write(doc, name, value) {
    const elements = doc.getMap(name);
    const after = new Map((value as unknown[]).map((element) => [keyOf(element)!, element === 0 ? 0 : element]));
    for (const key of [...elements.keys()]) if (!after.has(key)) elements.delete(key);
    for (const [key, element] of after) if (!elements.has(key)) elements.set(key, carry(element));
  },
  clear(doc, name) {
    doc.getMap(name).clear();
  },
};

/** In the order of the store, which all devices share. */
const sorted = (elements: readonly unknown[]): readonly unknown[] =>
  elements
    .map((element) => ({ element, place: encodeComponent(element) }))
    .sort((a, b) => (a.place < b.place ? -1 : 1))
    .map(({ element }) => element);

/** Permanent: elements are the same when their keys are. */
function keyOf(element: unknown): string | undefined {
  if (element === null || element === undefined) return 'null';
  if (typeof element === 'boolean') return `b${element}`;
  if (typeof element === 'number') return `n${element}`;
  if (typeof element === 'string') return `s${element}`;
  return element instanceof Date ? `d${element.getTime()}` : undefined;
}
