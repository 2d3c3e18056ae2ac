/**
 * The keys of a batch of rows in an index, from the columns of the batch. They come out of one JSON text: strings that
 * were put together from pieces stay trees of pieces, which every later comparison would have to walk.
 */
import type { Column } from '../../src/base/codec/index.ts';
import type { IndexSpec } from '../../src/protocol/definition.ts';
import { encodeComponent, encodePlainText, foldCase } from './key-encoding.ts';

export type ColumnBatch = {
  /** The columns of the index's paths; undefined where no row has such a field. */
  readonly columns: readonly (Column | undefined)[];
  /** Encoded primary keys. */
  readonly keys: readonly string[];
  readonly isAscending: boolean;
  /** Whether all strings stand in JSON as they are. */
  readonly isPlainText: boolean;
};

/** The end of a component and of an entry, as they stand in JSON. */
const COMPONENT_END_JSON = '\\b';
const BETWEEN = '","';
const CONTROL_MAX = 31;

/** In the order of the values where that costs little: whoever joins batches has to sort. */
export function columnEntries(
  { sparse, caseInsensitive }: IndexSpec,
  { columns, keys, isAscending, isPlainText }: ColumnBatch,
): readonly string[] {
  if (sparse && columns.every((column) => column === undefined)) return [];
  const componentOf = (value: unknown): string => {
    const folded = caseInsensitive ? foldCase(value) : value;
    if (!isPlainText) return quoted(encodeComponent(folded)) + COMPONENT_END_JSON;
    // What other values become is plain: letters and digits.
    return (typeof folded === 'string' ? encodePlainText(folded) : encodeComponent(folded)) + COMPONENT_END_JSON;
  };
  const [first, ...others] = columns;
  const cells = others.map((column) => column && cellsOf(column));
  const tailOf = (row: number): string => {
    let tail = '';
    for (let i = 0; i < cells.length; i += 1) tail += componentOf(cells[i]?.[row]);
    const key = keys[row]!;
    // Keys that were numbers, or empty, begin with a control character.
    return tail + (isPlainText && key.charCodeAt(0) > CONTROL_MAX ? key : quoted(key));
  };
  const [text, isSorted] =
    first === undefined || first.codes === undefined
      ? [textOfRows(first, keys.length, componentOf, tailOf), false]
      : [textOfValues(first.distinct, first.codes, componentOf, tailOf), isAscending && others.length === 0];
  const entries = JSON.parse(`["${text}"]`) as string[];
  // Each entry has the mark before it: the first of all is nothing.
  entries.shift();
  return isSorted ? entries : entries.sort();
}

const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

function textOfRows(
  first: Column | undefined,
  count: number,
  componentOf: (value: unknown) => string,
  tailOf: (row: number) => string,
): string {
  let text = '';
  for (let row = 0; row < count; row += 1) text += BETWEEN + componentOf(first?.distinct[row]) + tailOf(row);
  return text;
}

/** Rows of one value after the other, and each value encoded once. */
function textOfValues(
  distinct: readonly unknown[],
  codes: readonly number[],
  componentOf: (value: unknown) => string,
  tailOf: (row: number) => string,
): string {
  const heads = distinct.map((value) => BETWEEN + componentOf(value));
  const texts = heads.map(() => '');
  for (let row = 0; row < codes.length; row += 1) {
    const code = codes[row]!;
    texts[code] = texts[code]! + heads[code]! + tailOf(row);
  }
  const order = [...heads.keys()].sort((a, b) => (heads[a]! < heads[b]! ? -1 : 1));
  return order.map((code) => texts[code]!).join('');
}

const cellsOf = ({ distinct, codes }: Column): readonly unknown[] =>
  codes === undefined ? distinct : codes.map((code) => distinct[code]);
