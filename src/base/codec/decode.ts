/**
 * Bytes to rows (FORMAT.md). The bytes may be damaged or crafted: every count is bounded by the bytes that remain,
 * and every name is checked before it is assigned (S5). Comparisons are written so that NaN fails them.
 */
import { ROW_DEPTH_MAX } from '../limits.ts';
import type { Row } from '../row.ts';
import { StoreError } from '../store-error.ts';
import {
  BINARY_TYPES,
  BINARY_UINT8,
  CODEC_VERSION,
  FREE_CELLS_MAX,
  isForbiddenKey,
  KIND_ARRAY,
  KIND_BINARY,
  KIND_BOOLEAN,
  KIND_DATE,
  KIND_NULL,
  KIND_OBJECT,
  KIND_STRING,
  MIXED,
  NUMBER_BITS,
  NUMBER_FLOAT,
} from './format.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

type Mutable = Record<string, unknown>;
type BufferView = { new (buffer: ArrayBuffer): ArrayBufferView };

/** The rows that `encodeRows` was given. Throws `codec/damaged` for anything that it cannot have written. */
export function decodeRows(bytes: Uint8Array): Row[] {
  let at = 1;
  /** Where the text begins. */
  let end = 0;
  let strings: readonly string[] = [];
  let stringAt = 0;

  const damaged = (cause?: unknown): never => {
    throw new StoreError('codec/damaged', `Encoded rows are damaged at byte ${at}.`, { details: { at }, cause });
  };

  const readByte = (): number => (at < end ? bytes[at++]! : damaged());

  const readVarint = (): number => {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = readByte();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };

  /** The count, unless there cannot be bits or strings for so many cells. */
  const claim = (count: number): number =>
    count <= FREE_CELLS_MAX || count <= (end - at) * 8 + strings.length - stringAt ? count : damaged();

  const readObjects = (count: number, depth: number): Row[] => {
    const columnCount = readVarint();
    const shapeCount = readVarint();
    if (depth > ROW_DEPTH_MAX || columnCount > strings.length || shapeCount > count) damaged();
    const names = takeStrings(columnCount);
    if (names.some(isForbiddenKey)) damaged();
    const objects: Mutable[] = [];
    for (let i = 0; i < count; i++) objects.push({});
    const shapes: number[][] = [];
    for (let i = 0; shapeCount > 1 && i < shapeCount; i++) {
      const shape: number[] = [];
      // A longer one would repeat a column.
      let left = readVarint();
      if (left > columnCount) damaged();
      for (; left > 0; left--) shape.push(readVarint());
      shapes.push(shape);
    }
    const shapeIds = shapeCount > 1 || count > FREE_CELLS_MAX ? readNumbers(count) : [];
    if (shapeCount < 2) {
      for (const name of names) {
        const cells = readColumn(count, depth + 1);
        // One name over all rows: measured faster than row by row, and than copies of a template.
        for (let i = 0; i < count; i++) objects[i]![name] = cells[i];
      }
      return objects;
    }
    const counts = names.map(() => 0);
    for (const id of shapeIds) for (const column of shapes[id] ?? damaged()) counts[column]!++;
    const columns = counts.map((cells) => readColumn(cells, depth + 1));
    const next = names.map(() => 0);
    for (let i = 0; i < count; i++) {
      for (const column of shapes[shapeIds[i]!]!) {
        objects[i]![names[column] ?? damaged()] = columns[column]![next[column]!++];
      }
    }
    return objects;
  };

  const readColumn = (count: number, depth: number): unknown[] => {
    const kind = readByte();
    if (kind < MIXED) return readCells(kind, count, depth);
    const mask = readByte();
    const tags = readNumbers(count);
    const kinds: number[] = [];
    for (let each = 0; each < MIXED; each++) if (mask & (1 << each)) kinds.push(each);
    const counts = kinds.map(() => 0);
    for (const tag of tags) {
      if (!(tag in kinds)) damaged();
      counts[tag]!++;
    }
    const parts = kinds.map((each, part) => readCells(each, counts[part]!, depth));
    const next = kinds.map(() => 0);
    return tags.map((tag) => parts[tag]![next[tag]!++]);
  };

  const readCells = (kind: number, count: number, depth: number): unknown[] => {
    if (kind === KIND_STRING) return readStrings(count);
    if (kind === KIND_OBJECT) return readObjects(count, depth);
    if (kind === KIND_ARRAY) return readArrays(count, depth);
    if (kind === KIND_BINARY) return readBinary(count);
    const numbers = readNumbers(count);
    if (kind === KIND_BOOLEAN) return numbers.map((number) => number === 1);
    if (kind === KIND_DATE) return numbers.map((number) => new Date(number));
    return kind === KIND_NULL ? numbers.map(() => null) : numbers;
  };

  const takeStrings = (count: number): readonly string[] => {
    stringAt += count;
    return stringAt <= strings.length ? strings.slice(stringAt - count, stringAt) : damaged();
  };

  const readStrings = (count: number): unknown[] => {
    const distinct = readVarint();
    const taken = takeStrings(distinct || count) as string[];
    return distinct > 0 ? readNumbers(count).map((number) => taken[number] ?? damaged()) : taken;
  };

  const readArrays = (count: number, depth: number): unknown[][] => {
    if (depth > ROW_DEPTH_MAX) damaged();
    const lengths = readNumbers(count);
    let total = 0;
    for (const length of lengths) total += length >= 0 && Number.isInteger(length) ? length : damaged();
    const elements = readColumn(claim(total), depth + 1);
    let from = 0;
    return lengths.map((length) => {
      from += length;
      return elements.slice(from - length, from);
    });
  };

  const readBinary = (count: number): unknown[] => {
    const types = readNumbers(count);
    return readNumbers(count).map((length, i) => {
      if (!(length >= 0 && length <= end - at)) damaged();
      at += length;
      // A copy: it starts at 0, as wide elements need, and does not hold the page.
      const copy = bytes.slice(at - length, at);
      const type = types[i]!;
      // Most are. Asking a short one for its buffer makes V8 move it out of its heap.
      if (type === BINARY_UINT8) return copy;
      try {
        return type === 0
          ? copy.buffer
          : new (globalThis as unknown as Record<string, BufferView>)[BINARY_TYPES[type]!]!(copy.buffer);
      } catch (cause) {
        // Not a whole number of elements, or a type that this browser does not have.
        return damaged(cause);
      }
    });
  };

  const readNumbers = (count: number): number[] => {
    const values: number[] = [];
    if (count === 0) return values;
    const header = readByte();
    const bits = NUMBER_BITS[header & 15] ?? 64;
    const min = bits > 48 ? 0 : header > 127 ? -readVarint() : readVarint();
    const needed = Math.ceil((count * bits) / 8);
    if (needed > end - at || (bits > 48 && header !== NUMBER_FLOAT)) damaged();
    if (bits === 0) claim(count > FREE_CELLS_MAX ? Number.NaN : count);
    let from = at;
    at += needed;
    if (bits > 48) {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      for (; from < at; from += 8) values.push(view.getFloat64(from, true));
      return values;
    }
    const mask = (1 << bits) - 1;
    for (let i = 0, filled = 0; i < count; i++) {
      let value = min;
      if (bits > 4) for (let k = 0, unit = 1; k < bits; k += 8, unit *= 256) value += bytes[from++]! * unit;
      else {
        value += (bytes[from + (filled >> 3)]! >> (filled & 7)) & mask;
        filled += bits;
      }
      values.push(value);
    }
    const factor = 10 ** ((header >> 4) & 7);
    if (factor > 1) for (let i = 0; i < count; i++) values[i] = values[i]! / factor;
    return values;
  };

  let start = bytes.length;
  let textBytes = 0;
  let byte: number;
  do {
    byte = bytes[--start]!;
    textBytes = textBytes * 128 + (byte & 127);
  } while (byte > 127);
  end = start - textBytes;
  if (bytes[0] !== CODEC_VERSION || !(end > 0)) damaged();
  try {
    strings = JSON.parse(decoder.decode(bytes.subarray(end, start)));
  } catch (cause) {
    damaged(cause);
  }
  if (!Array.isArray(strings) || strings.some((string) => typeof string !== 'string')) damaged();
  const rows = readObjects(claim(readVarint()), 1);
  if (at !== end || stringAt !== strings.length) damaged();
  return rows;
}
