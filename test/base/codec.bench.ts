/**
 * Cost of the row codec against JSON by column, for pages of 200 rows of about 150 bytes and for one row.
 * Budget: a page below 0.8 us a row each way, one row below 3 us each way.
 */
import { bench, describe } from 'vitest';
import { decodeRows, encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';

const WORDS = ['alpha', 'beta', 'gamma', 'delta', 'omega', 'sigma'];
const NAMES = ['id', 'title', 'status', 'priority', 'done', 'project', 'dueAt', 'score'];

const rows: readonly Row[] = Array.from({ length: 200 }, (_, i) => ({
  id: `01890a5d-ac96-7${100 + i}-8100-${123_456_789_012 + i}`,
  title: `${WORDS[i % 6]} ${WORDS[(i * 5 + 1) % 6]} task ${i}`,
  status: WORDS[i % 3],
  priority: i % 5,
  done: i % 3 === 0,
  project: `project-${i % 20}`,
  dueAt: 1_700_000_000_000 + ((i * 7919) % 1e9),
  score: ((i * 37) % 10_000) / 100,
}));
const one = rows.slice(3, 4);

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function jsonOf(batch: readonly Row[]): Uint8Array {
  return encoder.encode(JSON.stringify(NAMES.map((name) => batch.map((row) => row[name]))));
}

function rowsOfJson(bytes: Uint8Array): Row[] {
  const columns = JSON.parse(decoder.decode(bytes)) as unknown[][];
  return columns[0]!.map((_, i) => {
    const row: Record<string, unknown> = {};
    for (let column = 0; column < NAMES.length; column++) row[NAMES[column]!] = columns[column]![i];
    return row;
  });
}

for (const [name, batch] of [
  ['a page of 200 rows', rows],
  ['one row', one],
] as const) {
  const encoded = encodeRows(batch);
  const json = jsonOf(batch);
  describe(`${name}: ${encoded.length} bytes, as JSON by column ${json.length}`, () => {
    bench('encode', () => void encodeRows(batch));
    bench('encode JSON by column', () => void jsonOf(batch));
    bench('decode', () => void decodeRows(encoded));
    bench('decode JSON by column', () => void rowsOfJson(json));
  });
}
