/**
 * Reads frames that anybody may have sent. It never goes past the end, never reserves memory by a number that it read,
 * and throws nothing but `sync/malformed`.
 */
import { StoreError } from '../../base/store-error.ts';
import { decodeUtf8 } from '../../base/utf8.ts';

/** Bytes of a varint: eight of seven bits hold the 53 bits of a safe integer. */
const VARINT_BYTES_MAX = 8;

export const malformed = (text: string): StoreError =>
  new StoreError('sync/malformed', text, {
    hint: 'The sender does not speak this protocol, or the frame was damaged.',
  });

export class WireReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  byte(): number {
    if (this.#offset >= this.#bytes.length) throw malformed('The frame ends early.');
    return this.#bytes[this.#offset++]!;
  }

  /** The next byte, which stays; 0 at the end. */
  peek(): number {
    return this.#bytes[this.#offset] ?? 0;
  }

  varint(): number {
    let value = 0;
    let unit = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = this.byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      unit *= 0x80;
    }
    throw malformed('A number is longer than 53 bits.');
  }

  /** A number that is at most `max`. */
  bounded(max: number, what: string): number {
    const value = this.varint();
    if (value > max) throw malformed(`${what} is ${value}, and ${max} at most.`);
    return value;
  }

  /** How many things follow, of at least `unitBytes` bytes each. */
  count(unitBytes: number, max: number, what: string): number {
    const value = this.bounded(max, what);
    if (value * unitBytes > this.remaining) throw malformed(`${what} is ${value}, and the frame ends before.`);
    return value;
  }

  bytes(length: number): Uint8Array {
    if (length > this.remaining) throw malformed('The frame ends early.');
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  /** Bytes behind their length. A view of the frame, not a copy. */
  block(): Uint8Array {
    return this.bytes(this.varint());
  }

  /** Text behind its length in bytes, in sound UTF-8. */
  text(bytesMax: number, what: string): string {
    const length = this.bounded(bytesMax, `The length of ${what}`);
    return this.utf8(length, what);
  }

  utf8(length: number, what: string): string {
    if (length > this.remaining) throw malformed('The frame ends early.');
    this.#offset += length;
    try {
      return decodeUtf8(this.#bytes, this.#offset - length, this.#offset);
    } catch (cause) {
      if (cause instanceof TypeError) throw malformed(`${what} is not UTF-8.`);
      throw cause;
    }
  }

  float64(): number {
    const bytes = this.bytes(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  flag(what: string): boolean {
    return this.bounded(1, what) === 1;
  }

  end(): void {
    if (this.remaining > 0) throw malformed(`${this.remaining} bytes follow the end of the frame.`);
  }
}
