/**
 * Some columns of encoded rows, without making the rows (FORMAT.md). Only for rows that all have the same fields, each
 * of one kind that has no parts: what most bulk inserts are. Others are answered with `undefined`, and so is anything that
 * `decodeRows` would refuse: what is accepted here, it decodes.
 */
import {
  CODEC_VERSION,
  FREE_CELLS_MAX,
  isForbiddenKey,
  KIND_BOOLEAN,
  KIND_DATE,
  KIND_NULL,
  KIND_NUMBER,
  KIND_STRING,
  NUMBER_BITS,
  NUMBER_FLOAT,
} from './format.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const BACKSLASH = 0x5c;

/** The cell of row `i` is `distinct[codes[i]]`, or without codes `distinct[i]`. */
export type Column = { readonly distinct: readonly unknown[]; readonly codes: readonly number[] | undefined };

export type Columns = {
  readonly count: number;
  /** Of the fields that were asked for; `undefined` for a field that no row has. */
  readonly columns: readonly (Column | undefined)[];
  /** What `estimateRowBytes` says of each row. */
  readonly weights: readonly number[];
  /** Whether all strings stand in JSON as they are: none has a control character, quotation mark or backslash. */
  readonly isPlainText: boolean;
};

class ColumnReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #strings: readonly string[];
  #at = 1;
  #stringAt = 0;
  /** Cleared by the first thing that is not as it should be. Reading goes on, within bounds. */
  isSound = true;

  constructor(bytes: Uint8Array, end: number, strings: readonly string[]) {
    this.#bytes = bytes;
    this.#end = end;
    this.#strings = strings;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end && this.#stringAt === this.#strings.length;
  }

  byte(): number {
    if (this.#at < this.#end) return this.#bytes[this.#at++]!;
    this.isSound = false;
    return 0;
  }

  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.byte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  /** The count, unless there cannot be bits or strings for so many cells. */
  claim(count: number): number {
    const left = (this.#end - this.#at) * 8 + this.#strings.length - this.#stringAt;
    if (count <= FREE_CELLS_MAX || count <= left) return count;
    this.isSound = false;
    return 0;
  }

  strings(count: number): readonly string[] {
    const from = this.#stringAt;
    if (!(from + count <= this.#strings.length)) {
      this.isSound = false;
      return [];
    }
    this.#stringAt = from + count;
    return this.#strings.slice(from, from + count);
  }

  /** Bits and least value of a number vector, and where it stands; what comes behind it is next. */
  vector(count: number): { bits: number; min: number; factor: number; from: number } {
    if (count === 0) return { bits: 0, min: 0, factor: 1, from: this.#at };
    const header = this.byte();
    const bits = NUMBER_BITS[header & 15] ?? 64;
    const min = bits > 48 ? 0 : header > 127 ? -this.varint() : this.varint();
    const needed = Math.ceil((count * bits) / 8);
    const from = this.#at;
    if (needed > this.#end - from || (bits > 48 && header !== NUMBER_FLOAT) || (bits === 0 && count > FREE_CELLS_MAX)) {
      this.isSound = false;
      return { bits: 0, min: 0, factor: 1, from };
    }
    this.#at = from + needed;
    return { bits, min, factor: 10 ** ((header >> 4) & 7), from };
  }

  numbers(count: number): number[] {
    const { bits, min, factor, from } = this.vector(count);
    const bytes = this.#bytes;
    const values: number[] = [];
    if (bits > 48) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (let i = 0; i < count; i++) values.push(view.getFloat64(from + i * 8, true));
      return values;
    }
    if (bits > 4) {
      for (let i = 0, at = from; i < count; i++) {
        let value = min;
        for (let k = 0, unit = 1; k < bits; k += 8, unit *= 256) value += bytes[at++]! * unit;
        values.push(value);
      }
    } else {
      const mask = (1 << bits) - 1;
      for (let i = 0, filled = 0; i < count; i++, filled += bits) {
        values.push(min + ((bytes[from + (filled >> 3)]! >> (filled & 7)) & mask));
      }
    }
    if (factor > 1) for (let i = 0; i < count; i++) values[i] = values[i]! / factor;
    return values;
  }
}

/** The columns of these fields, or undefined when the rows have to be decoded. */
export function readColumns(bytes: Uint8Array, fields: readonly string[]): Columns | undefined {
  let start = bytes.length;
  let textBytes = 0;
  let byte: number;
  do {
    byte = bytes[--start]!;
    textBytes = textBytes * 128 + (byte & 127);
  } while (byte > 127);
  const end = start - textBytes;
  if (bytes[0] !== CODEC_VERSION || !(end > 0)) return undefined;
  const text = bytes.subarray(end, start);
  let strings: unknown;
  try {
    strings = JSON.parse(decoder.decode(text));
  } catch {
    return undefined;
  }
  if (!Array.isArray(strings)) return undefined;
  const reader = new ColumnReader(bytes, end, strings);
  const count = reader.claim(reader.varint());
  const columnCount = reader.varint();
  const shapeCount = reader.varint();
  if (!reader.isSound || columnCount > strings.length || shapeCount !== 1) return undefined;
  const names = reader.strings(columnCount);
  if (names.some((name) => typeof name !== 'string' || isForbiddenKey(name))) return undefined;
  if (count > FREE_CELLS_MAX && reader.numbers(count).some((shape) => shape !== 0)) return undefined;
  const columns: (Column | undefined)[] = fields.map(() => undefined);
  const weights: number[] = [];
  for (let i = 0; i < count; i++) weights.push(0);
  const sizes = { fixed: 2, weights };
  for (const name of names) {
    const wanted = fields.indexOf(name);
    const column = readColumn(reader, count, sizes, wanted >= 0);
    if (column === undefined || !reader.isSound) return undefined;
    if (wanted >= 0) columns[wanted] = column;
  }
  for (let i = 0; i < count; i++) weights[i]! += sizes.fixed;
  return reader.isAtEnd ? { count, columns, weights, isPlainText: !text.includes(BACKSLASH) } : undefined;
}

/** Estimated bytes: of each row, and besides what all rows have in common. */
type Sizes = { fixed: number; readonly weights: number[] };

const NO_COLUMN: Column = { distinct: [], codes: undefined };

/** The column when it is wanted, else an empty one; undefined for a kind that has parts, or several kinds. */
function readColumn(reader: ColumnReader, count: number, sizes: Sizes, isWanted: boolean): Column | undefined {
  const kind = reader.byte();
  if (kind === KIND_STRING) return readStrings(reader, count, sizes.weights);
  if (kind !== KIND_NULL && kind !== KIND_BOOLEAN && kind !== KIND_NUMBER && kind !== KIND_DATE) return undefined;
  sizes.fixed += kind === KIND_NUMBER ? 4 : kind === KIND_DATE ? 6 : 1;
  if (!isWanted) {
    reader.vector(count);
    return NO_COLUMN;
  }
  const numbers = reader.numbers(count);
  let distinct: readonly unknown[] = numbers;
  if (kind === KIND_BOOLEAN) distinct = numbers.map((number) => number === 1);
  else if (kind === KIND_DATE) distinct = numbers.map((number) => new Date(number));
  else if (kind === KIND_NULL) distinct = numbers.map(() => null);
  return { distinct, codes: undefined };
}

function readStrings(reader: ColumnReader, count: number, weights: number[]): Column | undefined {
  const distinctCount = reader.varint();
  // They come from JSON and may be anything.
  const distinct: readonly unknown[] = reader.strings(distinctCount || count);
  const codes = distinctCount === 0 ? undefined : reader.numbers(count);
  if (!reader.isSound || distinct.some((string) => typeof string !== 'string')) return undefined;
  for (let i = 0; i < count; i++) {
    const cell = distinct[codes === undefined ? i : codes[i]!] as string | undefined;
    if (cell === undefined) return undefined;
    weights[i]! += cell.length + 3;
  }
  return { distinct, codes };
}
