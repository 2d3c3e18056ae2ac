/**
 * Goal: a question about rows all over a store asks for the pages that it needs together, and not one after the other.
 * Method: questions with 600 values against a cold cache; reads of the page store are counted, and answers compared with
 * those of a store that has everything in memory.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { copyMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';
import { collection, createMemoryImage, index, openCounting, openOnImage } from '../engine/engine-fixture.ts';
import { verbsOf } from '../engine/engine-verbs.ts';

const ROWS = 20_000;
const COLLECTIONS = [collection('items', [index('n'), index(['part', 'n'])])];
const PARTS = 50;
/** One after the other they would be some hundreds. */
const READS_MAX = 30;

const rowOf = (n: number): Row => ({
  id: `row ${String(n).padStart(8, '0')}`,
  n: (n * 7919) % ROWS,
  part: n % PARTS,
  text: 'x'.repeat(150),
});
const chosen = Array.from({ length: 600 }, (_, at) => rowOf(at * 33));
const ids = { id: { $in: chosen.map(({ id }) => id) } };
const numbers = { n: { $in: chosen.map(({ n }) => n) } };
const parts = { part: { $in: Array.from({ length: PARTS }, (_, part) => part) } };

let image: MemoryImage;
let warm: Engine;
beforeAll(async () => {
  image = createMemoryImage();
  const engine = await openOnImage(image, COLLECTIONS);
  await verbsOf(engine).create(...Array.from({ length: ROWS }, (_, n) => rowOf(n)));
  await engine.checkpoint();
  await engine.close();
  warm = await openOnImage(copyMemoryImage(image), COLLECTIONS);
});
afterAll(() => warm.close());

test.each<readonly [string, (engine: Engine) => Promise<unknown>]>([
  ['find by keys', (engine) => verbsOf(engine).find(ids)],
  ['find by keys, descending', (engine) => verbsOf(engine).find(ids, { sort: [['id', -1]] })],
  ['find by an index', (engine) => verbsOf(engine).find(numbers)],
  ['find by an index, descending', (engine) => verbsOf(engine).find(numbers, { sort: [['n', -1]] })],
  [
    'find in the order of ranges that are merged',
    (engine) => verbsOf(engine).find(parts, { sort: [['n', 1]], limit: 9 }),
  ],
  ['count by keys', (engine) => verbsOf(engine).count(ids)],
  ['count by an index', (engine) => verbsOf(engine).count(numbers)],
])('[PAGE-4] %s', async (_, ask) => {
  const { engine, reads } = await openCounting(copyMemoryImage(image), COLLECTIONS);
  const before = reads();
  const answer = await ask(engine);
  expect(reads() - before).toBeGreaterThan(0);
  expect(reads() - before).toBeLessThanOrEqual(READS_MAX);
  expect(answer).toEqual(await ask(warm));
  await engine.close();
});
