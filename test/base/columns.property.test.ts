/**
 * Goal: columns are what the rows hold, and are given for nothing that does not decode. Method: random flat rows against
 * the rows themselves; other rows, and bytes damaged at random, against the decoder.
 */
import { describe, expect, test } from 'vitest';
import { type Columns, decodeRows, encodeRows, estimateRowBytes, readColumns } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const FIELDS = ['id', 'status', 'when', 'n', 'flag', 'none', 'absent'];

function createRows(random: () => number): readonly Row[] {
  const int = (below: number): number => Math.floor(random() * below);
  const scale = [1, 1e4, 1e13, 0.01, Number.NaN, 0][int(6)]!;
  const isDate = random() < 0.3;
  const isRepeated = random() < 0.5;
  const isOdd = random() < 0.2;
  return Array.from({ length: int(random() < 0.2 ? 700 : 40) }, (_, at) => ({
    id: random() < 0.001 ? 'tab\t"quoted"' : `key ${at}`,
    status: ['open', 'done', '', 'x'][int(isRepeated ? 3 : 4)]!,
    when: isDate ? new Date(int(1e12)) : int(1e12),
    n: scale === 0.01 ? int(10_000) * 0.01 : scale * (int(200) - 100),
    title: `Title ${int(isRepeated ? 5 : 100_000)} \u00e4\u{1f600}`,
    flag: random() < 0.5,
    none: null,
    ...(isOdd && random() < 0.1 && { more: [{}, [1], { a: 1 }, new Uint8Array(3), 'text', 1][int(6)] }),
  }));
}

const columnsOf = (rows: readonly Row[]): unknown =>
  FIELDS.map((field) => (rows[0]?.[field] === undefined ? undefined : rows.map((row) => row[field])));

const cellsOf = ({ columns, count }: Columns): unknown =>
  columns.map((column) => column && Array.from({ length: count }, (_, i) => column.distinct[column.codes?.[i] ?? i]));

function decoded(bytes: Uint8Array): readonly Row[] | undefined {
  try {
    return decodeRows(bytes);
  } catch {
    return undefined;
  }
}

describe('columns', () => {
  test.each([1, 2, 3])('are those of the rows: seed %i', (seed) => {
    const random = createSeededRandom(seed);
    let given = 0;
    for (let time = 0; time < 300; time += 1) {
      const rows = createRows(random);
      const columns = readColumns(encodeRows(rows), FIELDS);
      const isFlat = rows.length > 0 && rows.every((row) => !('more' in row));
      expect(columns !== undefined, `seed ${seed}, time ${time}`).toBe(isFlat);
      if (columns === undefined) continue;
      given += 1;
      expect(columns.count).toBe(rows.length);
      expect(cellsOf(columns), `seed ${seed}, time ${time}`).toEqual(columnsOf(rows));
      expect(columns.weights, `seed ${seed}, time ${time}`).toEqual(rows.map(estimateRowBytes));
      expect(columns.isPlainText).toBe(!rows.some(({ id }) => String(id).includes('\t')));
    }
    expect(given).toBeGreaterThan(200);
  });

  test.each([4, 5, 6])('[B10] are not given for damaged bytes that do not decode: seed %i', (seed) => {
    const random = createSeededRandom(seed);
    let refused = 0;
    for (let time = 0; time < 4_000; time += 1) {
      const bytes = encodeRows(createRows(random).slice(0, 300)).slice();
      for (let left = 1 + Math.floor(random() * 3); left > 0; left -= 1) {
        const at = Math.floor(random() * (random() < 0.7 ? Math.min(40, bytes.length) : bytes.length));
        bytes[at] = Math.floor(random() * 256);
      }
      const columns = readColumns(bytes, FIELDS);
      const rows = decoded(bytes);
      if (columns === undefined) {
        refused += 1;
        continue;
      }
      expect(rows, `seed ${seed}, time ${time}`).toBeDefined();
      expect(columns.count).toBe(rows!.length);
      expect(cellsOf(columns), `seed ${seed}, time ${time}`).toEqual(columnsOf(rows!));
    }
    expect(refused).toBeGreaterThan(500);
  });
});
