/**
 * Values of rows as values that Yjs carries (FORMAT.md). Yjs keeps null, booleans, numbers, strings, `Uint8Array`,
 * arrays and plain objects; dates and other binary types travel as objects with a name that begins with `$`, and so do
 * objects of the application that have such a name themselves.
 */
import { BINARY_TYPES, binaryType, isForbiddenKey, isPlainObject } from '../../src/base/codec/index.ts';

/** What a field of a row document holds. */
export type Carried = null | boolean | number | string | Uint8Array | readonly Carried[] | { [name: string]: Carried };

/** Permanent. */
const DATE = '$date';
const BINARY = '$binary';
const BYTES = '$bytes';
const OBJECT = '$object';

type ViewType = { new (buffer: ArrayBuffer): ArrayBufferView };

/** `value` is one that a row may have. It is copied wherever the row could be changed through it. */
export function carry(value: unknown): Carried {
  if (typeof value !== 'object' || value === null) return (value ?? null) as Carried;
  if (Array.isArray(value)) return Array.from(value, carry);
  if (isPlainObject(value)) return carryObject(value);
  if (binaryType(value) >= 0) return carryBinary(value as ArrayBuffer | ArrayBufferView);
  return { [DATE]: Number(value) };
}

function carryObject(object: Readonly<Record<string, unknown>>): Carried {
  const carried: Record<string, Carried> = {};
  let isMarked = false;
  for (const name of Object.keys(object)) {
    if (object[name] === undefined) continue;
    if (name.startsWith('$')) isMarked = true;
    carried[name] = carry(object[name]);
  }
  return isMarked ? { [OBJECT]: carried } : carried;
}

function carryBinary(value: ArrayBuffer | ArrayBufferView): Carried {
  const bytes = ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength).slice()
    : new Uint8Array(value).slice();
  const type = BINARY_TYPES[binaryType(value)]!;
  return type === 'Uint8Array' ? bytes : { [BINARY]: type, [BYTES]: bytes };
}

/**
 * The value again. What no version of this has written is taken for plain data as far as rows can hold it: other clients
 * of the document may write what they like.
 */
export function uncarry(carried: unknown): unknown {
  if (typeof carried === 'bigint') return Number(carried);
  if (typeof carried !== 'object' || carried === null) return carried ?? null;
  if (Array.isArray(carried)) return carried.map(uncarry);
  if (carried instanceof Uint8Array) return carried.slice();
  return uncarryObject(carried as Readonly<Record<string, unknown>>);
}

function uncarryObject(carried: Readonly<Record<string, unknown>>): unknown {
  if (typeof carried[DATE] === 'number') return new Date(carried[DATE]);
  const bytes = carried[BYTES];
  if (bytes instanceof Uint8Array) return uncarryBinary(carried[BINARY], bytes);
  const object = isPlainObject(carried[OBJECT]) ? carried[OBJECT] : carried;
  const plain: Record<string, unknown> = {};
  for (const name of Object.keys(object)) if (!isForbiddenKey(name)) plain[name] = uncarry(object[name]);
  return plain;
}

function uncarryBinary(type: unknown, bytes: Uint8Array): unknown {
  const buffer = bytes.slice().buffer as ArrayBuffer;
  if (type === 'ArrayBuffer') return buffer;
  const name = BINARY_TYPES.includes(type as string) ? (type as string) : 'Uint8Array';
  try {
    return new (globalThis as unknown as Record<string, ViewType>)[name]!(buffer);
  } catch {
    // A type that this browser does not have, or not a whole number of elements: somebody else has written it.
    return new Uint8Array(buffer);
  }
}

/** Whether two values are the same to every reader: 0 is not -0, and names count in their order. */
export function isSame(a: Carried | undefined, b: Carried | undefined): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, at) => isSame(each, b[at]));
  }
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    const areBoth = a instanceof Uint8Array && b instanceof Uint8Array;
    return areBoth && a.length === b.length && a.every((byte, at) => byte === b[at]);
  }
  const left = Object.entries(a as Readonly<Record<string, Carried>>);
  const right = Object.entries(b as Readonly<Record<string, Carried>>);
  return (
    left.length === right.length &&
    left.every(([name, value], at) => name === right[at]![0] && isSame(value, right[at]![1]))
  );
}
