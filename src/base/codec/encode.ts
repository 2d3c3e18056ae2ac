/**
 * Rows to bytes, by column (FORMAT.md). One pass sorts cells into columns along a trie of field names; then each
 * column is written as the smallest vector that holds it. All strings leave as one JSON text, which engines write and
 * read faster than anything built from parts.
 */
import { ROW_DEPTH_MAX } from '../limits.ts';
import type { Row } from '../row.ts';
import { assertRow } from './check.ts';
import {
  CODEC_VERSION,
  FREE_CELLS_MAX,
  isForbiddenKey,
  KIND_ARRAY,
  KIND_BINARY,
  KIND_NUMBER,
  KIND_OBJECT,
  KIND_STRING,
  MIXED,
  NUMBER_BITS,
  NUMBER_FLOAT,
} from './format.ts';
import { binaryType, kindOf } from './kind.ts';

/** Cells after which rows are checked for cycles: an array that holds itself twice doubles at every level. */
const CELLS_UNCHECKED_MAX = 100_000;
const CELLS_UNCHECKED_PER_ROW = 100;
/** Decimal digits tried before numbers are written as raw floats. */
const SCALE_MAX = 6;
const SCRATCH_BYTES = 64 * 1024;

const encoder = new TextEncoder();

/**
 * Kept between calls, because a new buffer costs more than encoding a small row. Whoever encodes takes it away, so a
 * getter in a row that encodes rows itself gets another.
 */
let scratch: Uint8Array | undefined;

/** Thrown inside only: `encodeRows` answers it with the exact reason, unless there is a bug. */
const UNSUPPORTED = Symbol('refused');

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

/**
 * Encodes rows exactly as they are: `decodeRows` gives equal rows back, with their keys in the same order. Nothing is
 * written for `undefined` properties; array holes and `undefined` elements become null; symbol keys are left out.
 * Throws `row/...` for a row that cannot be stored, with details `{ row, path, found }`.
 */
export function encodeRows(rows: readonly Row[]): Uint8Array {
  // One closure over the state, rather than functions on a state object: a third less code for the page to load.
  let bytes = scratch ?? new Uint8Array(SCRATCH_BYTES);
  let at = 0;
  let cellsUnchecked = CELLS_UNCHECKED_MAX + rows.length * CELLS_UNCHECKED_PER_ROW;
  const strings: string[] = [];
  scratch = undefined;

  const reserve = (size: number): void => {
    if (at + size <= bytes.length) return;
    const grown = new Uint8Array((at + size) * 2);
    grown.set(bytes);
    bytes = grown;
  };

  const writeVarint = (value: number): void => {
    reserve(8);
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128;
    bytes[at++] = rest;
  };

  const countCells = (count: number): void => {
    cellsUnchecked -= count;
    if (cellsUnchecked >= 0) return;
    rows.forEach(assertRow);
    cellsUnchecked = Number.POSITIVE_INFINITY;
  };

  const writeObjects = (objects: readonly object[], depth: number): void => {
    if (depth > ROW_DEPTH_MAX) throw UNSUPPORTED;
    const columns: Column[] = [];
    const shapes: Field[] = [];
    const shapeIds: number[] = [];
    let columnByName: Map<string, Column> | undefined;
    const root = createField({ index: -1, name: '', cells: [] }, undefined);

    const step = (from: Field, name: string): Field => {
      let field = from.more?.get(name);
      if (field !== undefined) return field;
      if (isForbiddenKey(name)) throw UNSUPPORTED;
      // The names of the first object are distinct. Later ones may have a column, in another place of the trie.
      if (shapes.length > 0) columnByName ??= new Map(columns.map((column) => [column.name, column]));
      let column = columnByName?.get(name);
      if (column === undefined) {
        column = { index: columns.length, name, cells: [] };
        columns.push(column);
        strings.push(name);
        columnByName?.set(name, column);
      }
      field = createField(column, from);
      if (from.next === undefined) from.next = field;
      else {
        from.more ??= new Map();
        from.more.set(name, field);
      }
      return field;
    };

    for (const object of objects) {
      // Rows come unchecked; objects deeper down have been told apart by their kind.
      if (depth === 1 && kindOf(object) !== KIND_OBJECT) throw UNSUPPORTED;
      let field = root;
      const names = Object.keys(object);
      for (let i = 0; i < names.length; i++) {
        const name = names[i]!;
        const value = (object as Row)[name];
        if (value !== undefined) {
          const { next } = field;
          field = next !== undefined && next.column.name === name ? next : step(field, name);
          field.column.cells.push(value);
        } else if (isForbiddenKey(name)) throw UNSUPPORTED;
      }
      if (field.shape < 0) field.shape = shapes.push(field) - 1;
      shapeIds.push(field.shape);
    }

    writeVarint(columns.length);
    writeVarint(shapes.length);
    if (shapes.length > 1) {
      for (const shape of shapes) {
        const path: number[] = [];
        for (let field = shape; field.parent !== undefined; field = field.parent) path.push(field.column.index);
        writeVarint(path.length);
        while (path.length > 0) writeVarint(path.pop()!);
      }
    }
    if (shapes.length > 1 || objects.length > FREE_CELLS_MAX) writeNumbers(shapeIds);
    for (const { cells } of columns) writeColumn(cells, depth + 1);
  };

  const writeColumn = (cells: readonly unknown[], depth: number): void => {
    countCells(cells.length);
    let mask = 0;
    for (let i = 0; i < cells.length; i++) {
      const kind = kindOf(cells[i]);
      if (kind < 0) throw UNSUPPORTED;
      mask |= 1 << kind;
    }
    reserve(2);
    // A column of one kind, or of no cells at all.
    if ((mask & (mask - 1)) === 0) {
      const kind = mask === 0 ? 0 : 31 - Math.clz32(mask);
      bytes[at++] = kind;
      writeCells(kind, cells, depth);
      return;
    }
    bytes[at++] = MIXED;
    bytes[at++] = mask;
    const kinds = cells.map(kindOf);
    // The tag of a cell is how many lower kinds the column has.
    const parts: number[] = [];
    const tagByKind: number[] = [];
    for (let kind = 0; kind < MIXED; kind++) if (mask & (1 << kind)) tagByKind[kind] = parts.push(kind) - 1;
    writeNumbers(kinds.map((kind) => tagByKind[kind]!));
    for (const part of parts) {
      writeCells(
        part,
        cells.filter((_, index) => kinds[index] === part),
        depth,
      );
    }
  };

  const writeCells = (kind: number, cells: readonly unknown[], depth: number): void => {
    if (kind === KIND_STRING) writeStrings(cells as readonly string[]);
    else if (kind === KIND_OBJECT) writeObjects(cells as readonly object[], depth);
    else if (kind === KIND_ARRAY) writeArrays(cells as readonly (readonly unknown[])[], depth);
    else if (kind === KIND_BINARY) writeBinary(cells as readonly (ArrayBuffer | ArrayBufferView)[]);
    // Null is 0, false and true are 0 and 1, a date is its time.
    else writeNumbers(kind === KIND_NUMBER ? (cells as readonly number[]) : cells.map((cell) => Number(cell ?? 0)));
  };

  /** Strings as they are, or, when few are distinct, each once and then their numbers. */
  const writeStrings = (cells: readonly string[]): void => {
    const numberByString = new Map<string, number>();
    const numbers: number[] = [];
    // Given up as soon as numbers would not pay: a column of unique strings stops after eight.
    for (let i = 0; cells.length > 3 && i < cells.length && numberByString.size <= 4 + i / 2; i++) {
      const string = cells[i]!;
      let number = numberByString.get(string);
      if (number === undefined) {
        number = numberByString.size;
        numberByString.set(string, number);
      }
      numbers.push(number);
    }
    const pays = numbers.length === cells.length;
    writeVarint(pays ? numberByString.size : 0);
    for (const string of pays ? numberByString.keys() : cells) strings.push(string);
    if (pays) writeNumbers(numbers);
  };

  const writeArrays = (arrays: readonly (readonly unknown[])[], depth: number): void => {
    if (depth > ROW_DEPTH_MAX) throw UNSUPPORTED;
    const lengths = arrays.map((array) => array.length);
    writeNumbers(lengths);
    // Counted before they are copied: see CELLS_UNCHECKED_MAX.
    countCells(lengths.reduce((sum, length) => sum + length, 0));
    const elements: unknown[] = [];
    for (const array of arrays) for (let i = 0; i < array.length; i++) elements.push(array[i]);
    writeColumn(elements, depth + 1);
  };

  const writeBinary = (values: readonly (ArrayBuffer | ArrayBufferView)[]): void => {
    writeNumbers(values.map(binaryType));
    writeNumbers(values.map((value) => value.byteLength));
    for (const value of values) {
      reserve(value.byteLength);
      bytes.set(bytesOf(value), at);
      at += value.byteLength;
    }
  };

  /** Numbers as offsets from the smallest, as integers when few decimal digits make them so, else as raw floats. */
  const writeNumbers = (values: readonly number[]): void => {
    const { length } = values;
    if (length === 0) return;
    let scale = -1;
    let factor = 1;
    let min: number;
    let max: number;
    do {
      factor = 10 ** ++scale;
      min = Number.POSITIVE_INFINITY;
      max = Number.NEGATIVE_INFINITY;
      for (let i = 0; i < length; i++) {
        const value = values[i]!;
        const integer = Math.round(value * factor);
        if (!Number.isSafeInteger(integer) || Object.is(integer, -0) || integer / factor !== value) {
          min = Number.NaN;
          break;
        }
        if (integer < min) min = integer;
        if (integer > max) max = integer;
      }
    } while (scale < SCALE_MAX && Number.isNaN(min));
    let code = NUMBER_BITS.findIndex((bits) => max - min < 2 ** bits);
    if (code === 0 && length > FREE_CELLS_MAX) code = 1;
    reserve(1 + length * 8);
    if (code < 0) {
      bytes[at++] = NUMBER_FLOAT;
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < length; i++, at += 8) view.setFloat64(at, values[i]!, true);
      return;
    }
    bytes[at++] = code | (scale << 4) | (min < 0 ? 128 : 0);
    writeVarint(Math.abs(min));
    reserve(length * 6);
    const bits = NUMBER_BITS[code]!;
    const target = bytes;
    let to = at;
    let byte = 0;
    let filled = 0;
    for (let i = 0; i < length; i++) {
      let rest = (scale === 0 ? values[i]! : Math.round(values[i]! * factor)) - min;
      if (bits > 4) {
        for (let left = bits; left > 0; left -= 8) {
          target[to++] = rest;
          rest = Math.floor(rest / 256);
        }
      } else {
        byte |= rest << filled;
        filled += bits;
        if (filled === 8 || (i === length - 1 && bits > 0)) {
          target[to++] = byte;
          byte = filled = 0;
        }
      }
    }
    at = to;
  };

  try {
    bytes[at++] = CODEC_VERSION;
    writeVarint(rows.length);
    writeObjects(rows, 1);
  } catch (error) {
    if (error === UNSUPPORTED) rows.forEach(assertRow);
    throw error;
  }
  // The text comes last, so that nothing has to move, and its length behind it, for a reader that starts at the end:
  // lowest seven bits first, and only that byte without the high bit.
  const text = JSON.stringify(strings);
  reserve(text.length * 3 + 8);
  let { written } = encoder.encodeInto(text, bytes.subarray(at));
  at += written;
  bytes[at++] = written & 127;
  for (written >>>= 7; written > 0; written >>>= 7) bytes[at++] = written | 128;
  if (bytes.length === SCRATCH_BYTES) scratch = bytes;
  return bytes.slice(0, at);
}

/** Every field gets all its properties here, in one order: the loop over rows stays monomorphic. */
function createField(column: Column, parent: Field | undefined): Field {
  return { column, parent, shape: -1, next: undefined, more: undefined };
}

function bytesOf(value: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}
