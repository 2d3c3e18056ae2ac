import { isPlainObject } from './codec/index.ts';

/**
 * Whether two values of rows are the same: dates by time, binary by kind and bytes, NaN equal to itself, -0 apart from
 * 0. The order of keys does not matter, and a property that is `undefined` counts as absent.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, index) => deepEqual(element, b[index]));
  }
  if (isPlainObject(a)) return !Array.isArray(b) && isPlainObject(b) && fieldsEqual(a as Fields, b as Fields);
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime());
  return binaryEqual(a, b);
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsEqual(a: Fields, b: Fields): boolean {
  let present = 0;
  for (const name of Object.keys(a)) {
    if (a[name] === undefined) continue;
    present++;
    if (!Object.hasOwn(b, name) || !deepEqual(a[name], b[name])) return false;
  }
  for (const name of Object.keys(b)) if (b[name] !== undefined) present--;
  return present === 0;
}

function binaryEqual(a: object, b: object): boolean {
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const left = bytesOf(a);
  const right = bytesOf(b);
  if (left === undefined || right === undefined || left.length !== right.length) return false;
  return left.every((byte, index) => byte === right[index]);
}

function bytesOf(value: object): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** As `deepEqual`, and the keys come in the same order: nothing that a reader could see differs. */
export function identical(a: unknown, b: unknown): boolean {
  return deepEqual(a, b) && sameKeyOrder(a, b);
}

/** Of values that are deeply equal. */
function sameKeyOrder(a: unknown, b: unknown): boolean {
  if (a === b || typeof a !== 'object' || a === null) return true;
  if (Array.isArray(a)) return a.every((element, index) => sameKeyOrder(element, (b as readonly unknown[])[index]));
  if (!isPlainObject(a)) return true;
  const names = Object.keys(b as Fields);
  return Object.keys(a).every(
    (name, index) => name === names[index] && sameKeyOrder((a as Fields)[name], (b as Fields)[name]),
  );
}
