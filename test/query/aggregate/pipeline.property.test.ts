/**
 * Goal: a pipeline gives what mingo gives, and the same with and without indexes. Method: random rows of three kinds,
 * random pipelines made to type and random sets of indexes, all from a seed; each pipeline runs on an engine without
 * indexes, on one with some, and stage by stage in mingo. PIPELINES sets how many.
 */
import { expect, test } from 'vitest';
import type { Row } from '../../../src/base/row.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import type { Engine } from '../../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../../engine/engine-fixture.ts';
import { verbsOf } from '../../engine/engine-verbs.ts';
import { createSeededRandom } from '../../fakes/seeded-random.ts';
import { normalized, runOracle } from './pipeline-oracle.ts';
import { INDEX_PATHS, type Kind, randomOther, randomPipeline, randomRow } from './random-pipeline.ts';

const SEED = Number(process.env['SEED'] ?? 20_260_003);
const PIPELINES = Number(process.env['PIPELINES'] ?? 300);
/** Pipelines that are run on the same rows. */
const PIPELINES_PER_STORE = 20;
const ROWS = 60;
const OTHERS = 12;

for (const kind of ['flat', 'nested', 'mixed'] as const) {
  test(`pipelines over ${kind} rows agree with the oracle, with and without indexes`, {
    timeout: 600_000,
  }, async () => {
    const tally = { refused: 0, empty: 0 };
    const count = Math.ceil(PIPELINES / 3);
    for (let from = 0; from < count; from += PIPELINES_PER_STORE) {
      await comparePipelines(kind, SEED + from, Math.min(PIPELINES_PER_STORE, count - from), tally);
    }
    // Both refuse a few, such as a number that is too large for $toInt.
    expect(tally.refused).toBeLessThan(count / 20 + 2);
    expect(tally.empty).toBeLessThan(count / 3);
  });
}

async function comparePipelines(
  kind: Kind,
  seed: number,
  count: number,
  tally: { refused: number; empty: number },
): Promise<void> {
  const random = createSeededRandom(seed + kind.length * 1_000_003);
  const rows = Array.from({ length: ROWS }, (_, id) => randomRow(random, kind, id));
  const others = Array.from({ length: OTHERS }, (_, id) => randomOther(random, id));
  const paths = INDEX_PATHS.filter(() => random() < 0.4);
  const foreign = ['ref', 'name'].filter(() => random() < 0.6);
  const engines = await Promise.all([openWith([], [], rows, others), openWith(paths, foreign, rows, others)]);
  for (let at = 0; at < count; at++) {
    const pipeline = randomPipeline(random, kind);
    const where = `seed ${seed}, ${kind} ${at}, indexes ${JSON.stringify([paths, foreign])}\n${JSON.stringify(pipeline)}`;
    const expected = attempt(() => runOracle(rows, pipeline, { others }));
    for (const engine of engines) {
      const actual = await runAll(engine, pipeline);
      if (expected === undefined) expect(actual, where).toBeInstanceOf(StoreError);
      else expect(actual, where).toEqual(expected);
    }
    if (expected === undefined) tally.refused++;
    else if (expected.length === 0) tally.empty++;
  }
  for (const engine of engines) await engine.close();
}

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}

async function openWith(
  paths: readonly (string | readonly string[])[],
  foreign: readonly string[],
  rows: readonly Row[],
  others: readonly Row[],
): Promise<Engine> {
  const multi = foreign.length > 0 ? [index('tags', { multi: true })] : [];
  const engine = await openOnImage(createMemoryImage(), [
    collection(
      'items',
      paths.map((path) => index(path)),
    ),
    collection('others', [...foreign.map((path) => index(path)), ...multi]),
  ]);
  await verbsOf(engine, 'items').create(...rows);
  await verbsOf(engine, 'others').create(...others);
  return engine;
}

/** Rows, or the error. */
async function runAll(engine: Engine, pipeline: readonly unknown[]): Promise<unknown> {
  try {
    const cursor = engine.aggregate('items', pipeline);
    const rows: Row[] = [];
    for (;;) {
      const chunk = await cursor.next(7);
      rows.push(...chunk.rows);
      if (chunk.done) return normalized(rows);
    }
  } catch (error) {
    return error;
  }
}
