/**
 * Nested objects whose fields several people change at once. A map inside a map would lose one side when two devices
 * make it at the same time, so there is one flat map: the way to each value that is not an object, as a JSON array, and
 * the value. Where one device has put a value and another one an object with something in it, the object stays.
 */
import { isForbiddenKey, isPlainObject } from '../../src/base/codec/index.ts';
import { ROW_DEPTH_MAX } from '../../src/base/limits.ts';
import type { FieldKind } from './field-kind.ts';
import { type Carried, carry, isSame, uncarry } from './value-encoding.ts';

type Nested = { [name: string]: unknown };

export const mapField: FieldKind = {
  isEmpty: (doc, name) => doc.getMap(name).size === 0,
  read(doc, name) {
    const nested: Nested = {};
    const leaves = [...doc.getMap(name)].map(([way, value]) => ({ way, path: pathOf(way) ?? [], value }));
    // Shorter ways first: what lies deeper takes the place of a value on its way. Then any order that all devices have.
    leaves.sort((a, b) => a.path.length - b.path.length || (a.way < b.way ? -1 : 1));
    for (const { path, value } of leaves) if (path.length > 0) place(nested, path, uncarry(value));
    return nested;
  },
  write(doc, name, value) {
    const leaves = doc.getMap(name);
    const after = new Map<string, Carried>();
    flatten(value as Nested, [], after);
    for (const way of [...leaves.keys()]) if (!after.has(way)) leaves.delete(way);
    for (const [way, leaf] of after) if (!isSame(leaves.get(way) as Carried, leaf)) leaves.set(way, leaf);
  },
  clear(doc, name) {
    doc.getMap(name).clear();
  },
};

/** An empty object is a value: it is there, and has nothing in it. The field itself may be one. */
function flatten(object: Readonly<Nested>, path: readonly string[], into: Map<string, Carried>): void {
  const names = Object.keys(object).filter((name) => object[name] !== undefined);
  if (names.length === 0 && path.length > 0) into.set(JSON.stringify(path), {});
  for (const name of names) {
    const value = object[name];
    const inner = [...path, name];
    if (isPlainObject(value)) flatten(value, inner, into);
    else into.set(JSON.stringify(inner), carry(value));
  }
}

function place(nested: Nested, path: readonly string[], value: unknown): void {
  let object = nested;
  for (const name of path.slice(0, -1)) {
    if (!isPlainObject(object[name])) object[name] = {};
    object = object[name] as Nested;
  }
  const last = path.at(-1)!;
  object[last] = value;
}

/** undefined for what no version of this has written. */
function pathOf(way: string): readonly string[] | undefined {
  try {
    const path: unknown = JSON.parse(way);
    if (!Array.isArray(path) || path.length === 0 || path.length > ROW_DEPTH_MAX) return undefined;
    return path.every((name) => typeof name === 'string' && !isForbiddenKey(name)) ? path : undefined;
  } catch {
    return undefined;
  }
}
