/**
 * A growing byte buffer and its bounded reader, for page and commit formats. Integers are LEB128 varints of up to
 * 53 bits; strings are UTF-8 behind their length. A reader never goes past its end: damaged input is an error, not a hang.
 */
import { AssertionError } from './assert.ts';
import { StoreError } from './store-error.ts';

const encoder: TextEncoder = new TextEncoder();
const decoder: TextDecoder = new TextDecoder();

export class ByteWriter {
  #bytes: Uint8Array = new Uint8Array(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setUint32(this.#length, value, true);
    this.#length += 4;
  }

  varint(value: number): void {
    // The text is made only when it is needed: this runs for every field of a page.
    if (!Number.isSafeInteger(value) || value < 0) throw new AssertionError(`Not a varint: ${value}.`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  float64(value: number): void {
    this.#reserve(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Text behind its length in bytes. Lone surrogates do not survive: escape them before, or use JSON text. */
  text(value: string): void {
    // UTF-8 takes at most three bytes for each UTF-16 unit.
    this.#reserve(value.length * 3 + 8);
    const encoded = encoder.encode(value);
    this.varint(encoded.length);
    this.bytes(encoded);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  #take(count: number): number {
    if (count > this.remaining) {
      throw new StoreError('codec/damaged', `Expected ${count} bytes more, found ${this.remaining}.`);
    }
    const at = this.#offset;
    this.#offset += count;
    return at;
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  varint(): number {
    let value = 0;
    let unit = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
    throw new StoreError('codec/damaged', 'A number is longer than 53 bits.');
  }

  /** A varint that counts things of at least `unitBytes` bytes each, so that damage cannot ask for absurd memory. */
  count(unitBytes: number): number {
    const value = this.varint();
    if (value * unitBytes > this.remaining) {
      throw new StoreError(
        'codec/damaged',
        `A count of ${value} does not fit the ${this.remaining} bytes that are left.`,
      );
    }
    return value;
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(): string {
    return decoder.decode(this.bytes(this.varint()));
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }
}
