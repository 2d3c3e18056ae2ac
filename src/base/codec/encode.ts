/**
 * Rows to bytes, by column (FORMAT.md). One pass sorts cells into columns along a trie of field names; then each
 * column is written with the cheapest vector that holds it. All strings leave as one JSON text, which engines write
 * and read faster than anything built from parts.
 */
import { assert } from '../assert.ts';
import { ROW_DEPTH_MAX } from '../limits.ts';
import type { Row } from '../row.ts';
import { assertRow } from './check.ts';
import {
  CODEC_VERSION,
  FREE_CELLS_MAX,
  isForbiddenKey,
  KIND_ARRAY,
  KIND_BINARY,
  KIND_BOOLEAN,
  KIND_DATE,
  KIND_NULL,
  KIND_NUMBER,
  KIND_OBJECT,
  KIND_STRING,
  MIXED,
  WIDTH_BYTES,
  WIDTH_FLOAT,
} from './format.ts';
import { binaryType, kindOf } from './kind.ts';

/** Cells after which rows are checked for cycles: an array that holds itself twice doubles at every level. */
const CELLS_UNCHECKED_MAX = 100_000;
const CELLS_UNCHECKED_PER_ROW = 100;
/** Objects with at least so many names, most of them in one object only, are written as maps. */
const MAP_NAMES_MIN = 16;
/** Decimal digits tried before numbers are written as raw floats. */
const SCALE_MAX = 6;

const SCRATCH_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/**
 * Kept between calls, because a new buffer costs more than encoding a small row. Whoever encodes takes it away, so a
 * getter in a row that encodes rows itself gets another.
 */
let scratch: Uint8Array | undefined;

/** Thrown inside only: `encodeRows` answers it with the exact reason. */
const UNSUPPORTED = new Error('unsupported');

/**
 * Encodes rows exactly as they are: `decodeRows` gives equal rows back, with their keys in the same order. Nothing is
 * written for `undefined` properties; array holes and `undefined` elements become null; symbol keys are left out.
 * Throws `row/...` for a row that cannot be stored, with details `{ row, path, found }`.
 */
export function encodeRows(rows: readonly Row[]): Uint8Array {
  const writer: Writer = {
    rows,
    bytes: scratch ?? new Uint8Array(SCRATCH_BYTES),
    at: 1,
    strings: [],
    cellsUnchecked: CELLS_UNCHECKED_MAX + rows.length * CELLS_UNCHECKED_PER_ROW,
  };
  scratch = undefined;
  writer.bytes[0] = CODEC_VERSION;
  try {
    writeVarint(writer, rows.length);
    writeObjects(writer, rows, 1);
  } catch (error) {
    if (error !== UNSUPPORTED) throw error;
    rows.forEach(assertRow);
    assert(false, 'The encoder refused rows in which the check finds no fault.');
  }
  return finish(writer);
}

type Writer = {
  readonly rows: readonly Row[];
  bytes: Uint8Array;
  at: number;
  readonly strings: string[];
  cellsUnchecked: number;
};

/** Text last, its length behind it, so that nothing written before has to move. */
function finish(writer: Writer): Uint8Array {
  let textBytes = 0;
  if (writer.strings.length > 0) {
    const text = JSON.stringify(writer.strings);
    reserve(writer, text.length * 3);
    textBytes = encoder.encodeInto(text, writer.bytes.subarray(writer.at)).written;
    writer.at += textBytes;
  }
  reserve(writer, 8);
  // Little end last: the reader starts at the end.
  const { bytes } = writer;
  let high = Math.floor(textBytes / 128);
  let digits = 1;
  for (let rest = high; rest > 0; rest = Math.floor(rest / 128)) digits++;
  let at = writer.at + digits;
  bytes[--at] = (textBytes % 128) | (high > 0 ? 128 : 0);
  for (; high > 0; high = Math.floor(high / 128)) bytes[--at] = (high % 128) | (high >= 128 ? 128 : 0);
  if (bytes.length === SCRATCH_BYTES) scratch = bytes;
  return bytes.slice(0, writer.at + digits);
}

function reserve(writer: Writer, bytes: number): void {
  const needed = writer.at + bytes;
  if (needed <= writer.bytes.length) return;
  const grown = new Uint8Array(Math.max(needed, writer.bytes.length * 2));
  grown.set(writer.bytes.subarray(0, writer.at));
  writer.bytes = grown;
}

function writeByte(writer: Writer, byte: number): void {
  if (writer.at === writer.bytes.length) reserve(writer, 1);
  writer.bytes[writer.at++] = byte;
}

function writeVarint(writer: Writer, value: number): void {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) writeByte(writer, (rest % 128) | 128);
  writeByte(writer, rest);
}

/** A step in the trie of field names. The path from the root to a field is the key order of a shape. */
type Field = {
  readonly column: Column;
  readonly parent: Field | undefined;
  /** Number of the shape that ends here, or -1. */
  shape: number;
  /** Where the first row went on; other ways are in `more`. */
  next: Field | undefined;
  more: Map<string, Field> | undefined;
};
type Column = { readonly index: number; readonly name: string; readonly cells: unknown[] };
type Table = {
  readonly columns: Column[];
  /** The last field of each shape. */
  readonly shapes: Field[];
  columnByName: Map<string, Column> | undefined;
};

function writeObjects(writer: Writer, objects: readonly object[], depth: number): void {
  if (depth > ROW_DEPTH_MAX) throw UNSUPPORTED;
  const table: Table = { columns: [], shapes: [], columnByName: undefined };
  const { columns, shapes } = table;
  const root = createField({ index: -1, name: '', cells: [] }, undefined);
  const shapeIds: number[] = [];
  let cellCount = 0;
  for (const object of objects) {
    // Rows come unchecked; objects deeper down have been told apart by their kind.
    if (depth === 1 && kindOf(object) !== KIND_OBJECT) throw UNSUPPORTED;
    let field = root;
    const names = Object.keys(object);
    cellCount += names.length;
    for (let i = 0; i < names.length; i++) {
      const name = names[i]!;
      const value = (object as Record<string, unknown>)[name];
      if (value !== undefined) {
        const { next } = field;
        field = next !== undefined && next.column.name === name ? next : step(table, field, name);
        field.column.cells.push(value);
      } else if (isForbiddenKey(name)) throw UNSUPPORTED;
    }
    if (field.shape < 0) field.shape = shapes.push(field) - 1;
    shapeIds.push(field.shape);
  }
  if (columns.length >= MAP_NAMES_MIN && columns.length * 2 > cellCount && objects.length > 1) {
    writeMaps(writer, objects, depth);
    return;
  }
  writeVarint(writer, shapes.length);
  writeVarint(writer, columns.length);
  for (const { name } of columns) writer.strings.push(name);
  if (shapes.length > 1) for (const shape of shapes) writeShape(writer, shape);
  if (shapes.length > 1 || objects.length > FREE_CELLS_MAX) writeNumbers(writer, shapeIds);
  for (const { cells } of columns) writeColumn(writer, cells, depth + 1);
}

/** Every field gets all its properties here, in one order: the loop over rows stays monomorphic. */
function createField(column: Column, parent: Field | undefined): Field {
  return { column, parent, shape: -1, next: undefined, more: undefined };
}

function step(table: Table, from: Field, name: string): Field {
  const known = from.more?.get(name);
  if (known !== undefined) return known;
  if (isForbiddenKey(name)) throw UNSUPPORTED;
  const { columns, shapes } = table;
  // The names of the first object are distinct. Later ones may have a column, in another place of the trie.
  if (shapes.length > 0) table.columnByName ??= new Map(columns.map((column) => [column.name, column]));
  let column = table.columnByName?.get(name);
  if (column === undefined) {
    column = { index: columns.length, name, cells: [] };
    columns.push(column);
    table.columnByName?.set(name, column);
  }
  const field = createField(column, from);
  if (from.next === undefined) from.next = field;
  else {
    from.more ??= new Map();
    from.more.set(name, field);
  }
  return field;
}

/** Objects used as maps would make a column for each key: names and values are columns instead. */
function writeMaps(writer: Writer, objects: readonly object[], depth: number): void {
  const lengths: number[] = [];
  const names: string[] = [];
  const values: unknown[] = [];
  for (const object of objects) {
    const before = names.length;
    for (const name of Object.keys(object)) {
      const value = (object as Record<string, unknown>)[name];
      if (value === undefined) continue;
      names.push(name);
      values.push(value);
    }
    lengths.push(names.length - before);
  }
  writeVarint(writer, 0);
  writeNumbers(writer, lengths);
  writeStrings(writer, names);
  writeColumn(writer, values, depth + 1);
}

function writeShape(writer: Writer, end: Field): void {
  const path: number[] = [];
  for (let field = end; field.parent !== undefined; field = field.parent) path.push(field.column.index);
  writeVarint(writer, path.length);
  while (path.length > 0) writeVarint(writer, path.pop()!);
}

function writeColumn(writer: Writer, cells: readonly unknown[], depth: number): void {
  countCells(writer, cells.length);
  let mask = 0;
  for (let i = 0; i < cells.length; i++) {
    const kind = kindOf(cells[i]);
    if (kind < 0) throw UNSUPPORTED;
    mask |= 1 << kind;
  }
  // Cells of an empty column (elements of empty arrays) count as null.
  if (mask === 0) mask = 1;
  if ((mask & (mask - 1)) === 0) {
    const kind = 31 - Math.clz32(mask);
    writeByte(writer, kind);
    writeKind(writer, kind, cells, depth);
    return;
  }
  writeByte(writer, MIXED);
  writeByte(writer, mask);
  const parts: unknown[][] = [];
  const partByKind: number[] = [];
  for (let kind = 0; kind < MIXED; kind++) if (mask & (1 << kind)) partByKind[kind] = parts.push([]) - 1;
  const tags: number[] = [];
  for (const cell of cells) {
    const part = partByKind[kindOf(cell)]!;
    tags.push(part);
    parts[part]!.push(cell);
  }
  writeNumbers(writer, tags);
  for (let kind = 0; kind < MIXED; kind++) {
    const part = partByKind[kind];
    if (part !== undefined) writeKind(writer, kind, parts[part]!, depth);
  }
}

function countCells(writer: Writer, cells: number): void {
  writer.cellsUnchecked -= cells;
  if (writer.cellsUnchecked >= 0) return;
  writer.rows.forEach(assertRow);
  writer.cellsUnchecked = Number.POSITIVE_INFINITY;
}

function writeKind(writer: Writer, kind: number, cells: readonly unknown[], depth: number): void {
  if (kind === KIND_STRING) writeStrings(writer, cells as readonly string[]);
  else if (kind === KIND_NUMBER) writeNumbers(writer, cells as readonly number[]);
  else if (kind === KIND_DATE) writeNumbers(writer, (cells as readonly Date[]).map(Number));
  else if (kind === KIND_BOOLEAN) writeNumbers(writer, (cells as readonly boolean[]).map(Number));
  else if (kind === KIND_OBJECT) writeObjects(writer, cells as readonly object[], depth);
  else if (kind === KIND_ARRAY) writeArrays(writer, cells as readonly (readonly unknown[])[], depth);
  else if (kind === KIND_BINARY) writeBinary(writer, cells as readonly (ArrayBuffer | ArrayBufferView)[]);
  // Nulls need nothing but their number, which must cost bits once it is large.
  else if (cells.length > FREE_CELLS_MAX) writeNumbers(writer, new Array<number>(cells.length).fill(KIND_NULL));
}

/** Strings as they are, or, when few are distinct, each once and then their numbers. */
function writeStrings(writer: Writer, cells: readonly string[]): void {
  const numberByString = new Map<string, number>();
  const numbers: number[] = [];
  for (let i = 0; i < cells.length; i++) {
    // Give up as soon as numbers would not pay: a column of unique strings stops after eight.
    if (cells.length < 4 || numberByString.size > 4 + (i >> 1)) {
      writeVarint(writer, 0);
      for (let j = 0; j < cells.length; j++) writer.strings.push(cells[j]!);
      return;
    }
    let number = numberByString.get(cells[i]!);
    if (number === undefined) {
      number = numberByString.size;
      numberByString.set(cells[i]!, number);
    }
    numbers.push(number);
  }
  writeVarint(writer, numberByString.size);
  for (const string of numberByString.keys()) writer.strings.push(string);
  writeNumbers(writer, numbers);
}

function writeArrays(writer: Writer, arrays: readonly (readonly unknown[])[], depth: number): void {
  if (depth > ROW_DEPTH_MAX) throw UNSUPPORTED;
  const lengths: number[] = [];
  let total = 0;
  for (const array of arrays) {
    lengths.push(array.length);
    total += array.length;
  }
  writeNumbers(writer, lengths);
  // Counted before they are copied: an array that holds itself doubles at every level.
  countCells(writer, total);
  const elements: unknown[] = [];
  for (const array of arrays) for (let i = 0; i < array.length; i++) elements.push(array[i]);
  writeColumn(writer, elements, depth + 1);
}

function writeBinary(writer: Writer, values: readonly (ArrayBuffer | ArrayBufferView)[]): void {
  writeNumbers(writer, values.map(binaryType));
  writeNumbers(
    writer,
    values.map((value) => value.byteLength),
  );
  for (const value of values) {
    reserve(writer, value.byteLength);
    const bytes = ArrayBuffer.isView(value)
      ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      : new Uint8Array(value);
    writer.bytes.set(bytes, writer.at);
    writer.at += bytes.length;
  }
}

/** Numbers as offsets from the smallest, scaled to integers when few decimal digits do it, else as raw floats. */
function writeNumbers(writer: Writer, values: readonly number[]): void {
  if (values.length === 0) return;
  for (let scale = 0; scale <= SCALE_MAX; scale++) if (writeIntegers(writer, values, scale)) return;
  reserve(writer, 1 + values.length * 8);
  writer.bytes[writer.at++] = WIDTH_FLOAT;
  const view = new DataView(writer.bytes.buffer);
  for (let i = 0; i < values.length; i++, writer.at += 8) view.setFloat64(writer.at, values[i]!, true);
}

/** Answers whether the values are integers once multiplied by a power of ten, and come back exactly by dividing. */
function writeIntegers(writer: Writer, values: readonly number[], scale: number): boolean {
  const factor = 10 ** scale;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const integer = scale === 0 ? value : Math.round(value * factor);
    if (!Number.isSafeInteger(integer) || Object.is(integer, -0) || integer / factor !== value) return false;
    if (integer < min) min = integer;
    if (integer > max) max = integer;
  }
  const range = max - min;
  let width =
    range < 16 ? (range < 2 ? (range > 0 || values.length > FREE_CELLS_MAX ? 1 : 0) : range < 4 ? 2 : 3) : WIDTH_BYTES;
  for (let limit = 256; width >= WIDTH_BYTES && limit <= range; limit *= 256) width++;
  if (width >= WIDTH_FLOAT) return false;
  writeByte(writer, width | (scale << 4) | (min < 0 ? 128 : 0));
  writeVarint(writer, Math.abs(min));
  reserve(writer, values.length * 6);
  const { bytes } = writer;
  let at = writer.at;
  if (width >= WIDTH_BYTES) {
    for (let i = 0; i < values.length; i++) {
      let rest = (scale === 0 ? values[i]! : Math.round(values[i]! * factor)) - min;
      for (let left = width - WIDTH_BYTES; left >= 0; left--) {
        bytes[at++] = rest;
        rest = Math.floor(rest / 256);
      }
    }
  } else if (width > 0) {
    const bits = 1 << (width - 1);
    let byte = 0;
    let filled = 0;
    for (let i = 0; i < values.length; i++) {
      byte |= ((scale === 0 ? values[i]! : Math.round(values[i]! * factor)) - min) << filled;
      filled += bits;
      if (filled === 8 || i === values.length - 1) {
        bytes[at++] = byte;
        byte = filled = 0;
      }
    }
  }
  writer.at = at;
  return true;
}
