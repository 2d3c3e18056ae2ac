/**
 * A row from what a relay tells of it: the plain fields in lib0's `any` encoding (FORMAT.md). So a row that is not here
 * yet is stored without opening its state. Bytes that are none of that encoding give nothing: the state then tells.
 */
import { isForbiddenKey } from '../../src/base/codec/index.ts';
import { ROW_DEPTH_MAX } from '../../src/base/limits.ts';
import type { Row } from '../../src/base/row.ts';
import { decodeUtf8 } from '../../src/base/utf8.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import { DELETED, nameOf, TIME, timeName } from './field-names.ts';
import { uncarry } from './value-encoding.ts';

/** Of lib0's `any`. Permanent. */
const ANY = {
  bytes: 116,
  array: 117,
  object: 118,
  string: 119,
  true: 120,
  false: 121,
  bigint: 122,
  float64: 123,
  float32: 124,
  integer: 125,
  null: 126,
  undefined: 127,
} as const;

/**
 * The row, or null when it is deleted. Undefined when the projection does not tell: there are fields with a type, or
 * something that only its document can read.
 */
export function rowOfProjection(projection: Uint8Array, types: FieldTypes): Row | null | undefined {
  let fields: unknown;
  try {
    const reader = new AnyReader(projection);
    fields = reader.value(0);
    if (!reader.isAtEnd) return undefined;
  } catch (error) {
    if (error instanceof NotAny || error instanceof TypeError) return undefined;
    throw error;
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields) || fields instanceof Uint8Array)
    return undefined;
  const row: Record<string, unknown> = {};
  let isEmpty = true;
  for (const [stored, value] of Object.entries(fields)) {
    if (stored === DELETED) {
      if (value === true) return null;
      continue;
    }
    // Asked for when there is a conflict.
    if (stored === TIME || stored.startsWith(timeName(''))) continue;
    const field = nameOf(stored);
    // A mark of a field with a type, a plain value in the place of one, or a name of later versions.
    if (field === undefined || Object.hasOwn(types, field)) return undefined;
    row[field] = uncarry(value);
    isEmpty = false;
  }
  // A field with a type may have something in it without a mark: another client of the document did not make one.
  return isEmpty || Object.keys(types).length > 0 ? undefined : row;
}

class NotAny extends Error {}

/** Never past the end, never deeper than a row, and no memory but for what is there. */
class AnyReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): unknown {
    if (depth > ROW_DEPTH_MAX + 1) throw new NotAny();
    switch (this.#byte()) {
      case ANY.bytes:
        return this.#take(this.#count()).slice();
      case ANY.array:
        return Array.from({ length: this.#count() }, () => this.value(depth + 1));
      case ANY.object:
        return this.#object(depth);
      case ANY.string:
        return this.#text();
      case ANY.true:
        return true;
      case ANY.false:
        return false;
      case ANY.bigint:
        return Number(this.#view.getBigInt64(this.#skip(8)));
      case ANY.float64:
        return this.#view.getFloat64(this.#skip(8));
      case ANY.float32:
        return this.#view.getFloat32(this.#skip(4));
      case ANY.integer:
        return this.#integer();
      case ANY.null:
        return null;
      case ANY.undefined:
        return undefined;
      default:
        throw new NotAny();
    }
  }

  #object(depth: number): unknown {
    const object: Record<string, unknown> = {};
    for (let left = this.#count(); left > 0; left--) {
      const name = this.#text();
      const value = this.value(depth + 1);
      if (!isForbiddenKey(name)) object[name] = value;
    }
    return object;
  }

  #text(): string {
    const length = this.#count();
    const from = this.#skip(length);
    return decodeUtf8(this.#bytes, from, from + length);
  }

  #byte(): number {
    return this.#bytes[this.#skip(1)]!;
  }

  /** Of things that take at least a byte each. */
  #count(): number {
    let value = 0;
    for (let unit = 1; unit < 2 ** 49; unit *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * unit;
      if (byte < 128) {
        if (value > this.#bytes.length - this.#at) throw new NotAny();
        return value;
      }
    }
    throw new NotAny();
  }

  /** lib0's varInt: a bit for more, one for the sign, six of the number; then seven each. */
  #integer(): number {
    const first = this.#byte();
    let value = first & 63;
    const sign = (first & 64) === 0 ? 1 : -1;
    let hasMore = first >= 128;
    for (let unit = 64; hasMore; unit *= 128) {
      if (unit > Number.MAX_SAFE_INTEGER) throw new NotAny();
      const byte = this.#byte();
      value += (byte & 127) * unit;
      hasMore = byte >= 128;
    }
    return sign * value;
  }

  #take(count: number): Uint8Array {
    const from = this.#skip(count);
    return this.#bytes.subarray(from, from + count);
  }

  #skip(count: number): number {
    const from = this.#at;
    if (count > this.#bytes.length - from) throw new NotAny();
    this.#at += count;
    return from;
  }
}
