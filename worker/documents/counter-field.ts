/**
 * A number that several devices count up and down at once: a map with what each run of an engine has added, under its
 * client id. The value is the sum, so writing 5 over 3 adds 2, whatever others add meanwhile.
 */
import type { FieldKind } from './field-kind.ts';

export const counterField: FieldKind = {
  isEmpty: (doc, name) => doc.getMap(name).size === 0,
  read(doc, name) {
    const parts = [...doc.getMap(name)].filter(([, part]) => typeof part === 'number');
    // Sums of fractions depend on their order, and devices come to know of the parts in different ones.
    parts.sort(([a], [b]) => (a < b ? -1 : 1));
    return parts.reduce((sum, [, part]) => sum + (part as number), 0);
  },
  write(doc, name, value) {
    const parts = doc.getMap(name);
    const own = `${doc.clientID}`;
    const before = counterField.read(doc, name) as number;
    if (before === value && parts.size > 0) return;
    const part = parts.get(own);
    parts.set(own, (typeof part === 'number' ? part : 0) + ((value as number) - before));
  },
  clear(doc, name) {
    doc.getMap(name).clear();
  },
};
