/**
 * Bytes to rows (FORMAT.md). The bytes may be damaged or crafted: every count is bounded by the bytes that remain,
 * and every name is checked before it is assigned (S5).
 */
import { ROW_DEPTH_MAX } from '../limits.ts';
import type { Row } from '../row.ts';
import { StoreError } from '../store-error.ts';
import {
  BINARY_TYPES,
  CODEC_VERSION,
  FREE_CELLS_MAX,
  isForbiddenKey,
  KIND_ARRAY,
  KIND_BINARY,
  KIND_BOOLEAN,
  KIND_DATE,
  KIND_NUMBER,
  KIND_OBJECT,
  KIND_STRING,
  MIXED,
  WIDTH_BYTES,
  WIDTH_FLOAT,
} from './format.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The rows that `encodeRows` was given. Throws `codec/damaged` for anything that it cannot have written, and
 * `codec/newer-version` for bytes of a later version.
 */
export function decodeRows(bytes: Uint8Array): Row[] {
  if (bytes[0] !== CODEC_VERSION) {
    if (bytes[0]! > CODEC_VERSION) {
      throw new StoreError(
        'codec/newer-version',
        `Rows are in format ${bytes[0]}; this version reads ${CODEC_VERSION}.`,
      );
    }
    damaged('version', 0);
  }
  const reader = createReader(bytes);
  const count = readVarint(reader);
  claim(reader, count);
  const rows = readObjects(reader, count, 1);
  if (reader.at !== reader.end || reader.stringAt !== reader.strings.length) damaged('surplus', reader.at);
  return rows;
}

type Reader = {
  readonly bytes: Uint8Array;
  at: number;
  /** Where the text begins. */
  readonly end: number;
  readonly strings: readonly string[];
  stringAt: number;
};

function damaged(what: string, at: number, cause?: unknown): never {
  throw new StoreError('codec/damaged', `Encoded rows are damaged at byte ${at}: ${what}.`, {
    details: { what, at },
    ...(cause === undefined ? {} : { cause }),
  });
}

function createReader(bytes: Uint8Array): Reader {
  let start = bytes.length;
  let textBytes = 0;
  for (let unit = 1, byte = 128; byte > 127; unit *= 128) {
    if (start < 2 || unit > 2 ** 42) damaged('text length', start);
    byte = bytes[--start]!;
    textBytes += (byte & 127) * unit;
  }
  const end = start - textBytes;
  if (end < 1) damaged('text length', start);
  let strings: unknown = [];
  if (textBytes > 0) {
    try {
      strings = JSON.parse(decoder.decode(bytes.subarray(end, start)));
    } catch (cause) {
      damaged('text', end, cause);
    }
    if (!Array.isArray(strings)) damaged('text', end);
    for (let i = 0; i < strings.length; i++) if (typeof strings[i] !== 'string') damaged('text', end);
  }
  return { bytes, at: 1, end, strings: strings as readonly string[], stringAt: 0 };
}

/** Refuses a number of cells for which there cannot be bits. */
function claim(reader: Reader, cells: number): void {
  if (cells > FREE_CELLS_MAX && cells > (reader.end - reader.at) * 8) damaged('count', reader.at);
}

function readByte(reader: Reader): number {
  if (reader.at >= reader.end) damaged('end', reader.at);
  return reader.bytes[reader.at++]!;
}

function readVarint(reader: Reader): number {
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = readByte(reader);
    value += (byte & 127) * unit;
    if (byte < 128) return value;
    if (unit > 2 ** 42) damaged('varint', reader.at);
  }
}

function readString(reader: Reader): string {
  const string = reader.strings[reader.stringAt++];
  return string === undefined ? damaged('strings', reader.at) : string;
}

function readName(reader: Reader): string {
  const name = readString(reader);
  return isForbiddenKey(name) ? damaged('name', reader.at) : name;
}

type Mutable = Record<string, unknown>;

function readObjects(reader: Reader, count: number, depth: number): Row[] {
  if (depth > ROW_DEPTH_MAX) damaged('depth', reader.at);
  const objects: Mutable[] = [];
  for (let i = 0; i < count; i++) objects.push({});
  const shapeCount = readVarint(reader);
  if (shapeCount === 0) {
    if (count > 0) readMaps(reader, objects, depth);
    else if (readVarint(reader) > 0) damaged('shapes', reader.at);
    return objects;
  }
  const columnCount = readVarint(reader);
  if (columnCount > reader.strings.length || shapeCount > count) damaged('shapes', reader.at);
  const names: string[] = [];
  for (let i = 0; i < columnCount; i++) names.push(readName(reader));
  if (shapeCount === 1) {
    if (count > FREE_CELLS_MAX) readNumbers(reader, count);
    for (let i = 0; i < columnCount; i++) {
      const name = names[i]!;
      const cells = readColumn(reader, count, depth + 1);
      // One name over all rows: measured faster than row by row, and than copies of a template.
      for (let j = 0; j < count; j++) objects[j]![name] = cells[j];
    }
    return objects;
  }
  readShapes(reader, objects, names, shapeCount, depth);
  return objects;
}

function readShapes(
  reader: Reader,
  objects: readonly Mutable[],
  names: readonly string[],
  shapeCount: number,
  depth: number,
): void {
  const shapes: number[][] = [];
  for (let i = 0; i < shapeCount; i++) {
    const shape: number[] = [];
    for (let left = readVarint(reader); left > 0; left--) {
      const column = readVarint(reader);
      if (column >= names.length) damaged('shape', reader.at);
      shape.push(column);
    }
    shapes.push(shape);
  }
  const shapeIds = readNumbers(reader, objects.length);
  const cellCounts = new Array<number>(names.length).fill(0);
  for (const id of shapeIds) for (const column of shapes[id] ?? damaged('shape', reader.at)) cellCounts[column]!++;
  const columns = cellCounts.map((cells) => readColumn(reader, cells, depth + 1));
  const at = new Array<number>(names.length).fill(0);
  for (let i = 0; i < objects.length; i++) {
    const object = objects[i]!;
    for (const column of shapes[shapeIds[i]!]!) object[names[column]!] = columns[column]![at[column]!++];
  }
}

function readMaps(reader: Reader, objects: readonly Mutable[], depth: number): void {
  const lengths = readNumbers(reader, objects.length);
  const total = sum(reader, lengths);
  const names = readStrings(reader, total);
  const values = readColumn(reader, total, depth + 1);
  let at = 0;
  for (let i = 0; i < objects.length; i++) {
    for (let left = lengths[i]!; left > 0; left--, at++) {
      const name = names[at]!;
      if (isForbiddenKey(name)) damaged('name', reader.at);
      objects[i]![name] = values[at];
    }
  }
}

/** The sum of lengths that are counts: whole, not negative, and with bits left for them. */
function sum(reader: Reader, lengths: readonly number[]): number {
  let total = 0;
  for (const length of lengths) {
    if (!(length >= 0 && Number.isSafeInteger(length))) damaged('length', reader.at);
    total += length;
  }
  claim(reader, total);
  return total;
}

function readColumn(reader: Reader, count: number, depth: number): unknown[] {
  const kind = readByte(reader);
  if (kind !== MIXED) return readKind(reader, kind, count, depth);
  const mask = readByte(reader);
  const tags = readNumbers(reader, count);
  const kinds: number[] = [];
  for (let each = 0; each < MIXED; each++) if (mask & (1 << each)) kinds.push(each);
  const counts = kinds.map(() => 0);
  for (const tag of tags) {
    if (kinds[tag] === undefined) damaged('tag', reader.at);
    counts[tag]!++;
  }
  const parts = kinds.map((each, part) => readKind(reader, each, counts[part]!, depth));
  const at = kinds.map(() => 0);
  return tags.map((tag) => parts[tag]![at[tag]!++]);
}

function readKind(reader: Reader, kind: number, count: number, depth: number): unknown[] {
  if (kind === KIND_STRING) return readStrings(reader, count);
  if (kind === KIND_NUMBER) return readNumbers(reader, count);
  if (kind === KIND_DATE) return readNumbers(reader, count).map((time) => new Date(time));
  if (kind === KIND_BOOLEAN) return readNumbers(reader, count).map((bit) => bit === 1);
  if (kind === KIND_OBJECT) return readObjects(reader, count, depth);
  if (kind === KIND_ARRAY) return readArrays(reader, count, depth);
  if (kind === KIND_BINARY) return readBinary(reader, count);
  if (kind > MIXED) damaged('kind', reader.at);
  claim(reader, count);
  if (count > FREE_CELLS_MAX) readNumbers(reader, count);
  return new Array<null>(count).fill(null);
}

function readStrings(reader: Reader, count: number): string[] {
  const distinct = readVarint(reader);
  const start = reader.stringAt;
  reader.stringAt += distinct || count;
  if (reader.stringAt > reader.strings.length) damaged('strings', reader.at);
  if (distinct === 0) return reader.strings.slice(start, reader.stringAt);
  return readNumbers(reader, count).map((number) =>
    number < distinct ? (reader.strings[start + number] ?? damaged('string', reader.at)) : damaged('string', reader.at),
  );
}

function readArrays(reader: Reader, count: number, depth: number): unknown[][] {
  if (depth > ROW_DEPTH_MAX) damaged('depth', reader.at);
  const lengths = readNumbers(reader, count);
  const elements = readColumn(reader, sum(reader, lengths), depth + 1);
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return elements.slice(at - length, at);
  });
}

type BufferView = { new (buffer: ArrayBuffer): ArrayBufferView; readonly BYTES_PER_ELEMENT?: number };

function readBinary(reader: Reader, count: number): (ArrayBuffer | ArrayBufferView)[] {
  const types = readNumbers(reader, count);
  const lengths = readNumbers(reader, count);
  return types.map((type, i) => {
    const name = BINARY_TYPES[type];
    const length = lengths[i]!;
    if (name === undefined || !(length >= 0 && length <= reader.end - reader.at)) damaged('binary', reader.at);
    // A copy: it starts at 0, as wide elements need, and does not hold the page.
    reader.at += length;
    const { buffer } = reader.bytes.slice(reader.at - length, reader.at);
    if (type === 0) return buffer as ArrayBuffer;
    const View = (globalThis as unknown as Record<string, BufferView | undefined>)[name];
    if (View === undefined) throw new StoreError('codec/unsupported-type', `This browser has no ${name}.`);
    if (length % (View.BYTES_PER_ELEMENT ?? 1) > 0) damaged('binary', reader.at);
    return new View(buffer as ArrayBuffer);
  });
}

function readNumbers(reader: Reader, count: number): number[] {
  const values: number[] = [];
  if (count === 0) return values;
  const header = readByte(reader);
  const width = header & 15;
  const { bytes, end } = reader;
  if (width >= WIDTH_FLOAT) {
    if (header > WIDTH_FLOAT || count * 8 > end - reader.at) damaged('floats', reader.at);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (let i = 0; i < count; i++, reader.at += 8) values.push(view.getFloat64(reader.at, true));
    return values;
  }
  const min = header > 127 ? -readVarint(reader) : readVarint(reader);
  const wide = width - WIDTH_BYTES + 1;
  const bits = width === 0 ? 0 : wide > 0 ? wide * 8 : 1 << (width - 1);
  const needed = Math.ceil((count * bits) / 8);
  if (needed > end - reader.at || (bits === 0 && count > FREE_CELLS_MAX)) damaged('numbers', reader.at);
  let at = reader.at;
  reader.at += needed;
  if (wide > 0) {
    for (let i = 0; i < count; i++) {
      let value = min;
      for (let k = 0, unit = 1; k < wide; k++, unit *= 256) value += bytes[at++]! * unit;
      values.push(value);
    }
  } else {
    const mask = (1 << bits) - 1;
    for (let i = 0, filled = 0; i < count; i++, filled += bits)
      values.push(min + ((bytes[at + (filled >> 3)]! >> (filled & 7)) & mask));
  }
  const factor = 10 ** ((header >> 4) & 7);
  if (factor > 1) for (let i = 0; i < count; i++) values[i] = values[i]! / factor;
  return values;
}
