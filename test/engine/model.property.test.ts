/**
 * Goal: whatever happens, the engine is a Map with a filter and a sort. Method: seeded random lives beside a plain model,
 * with indexes coming and going, reopening, crashes and failing requests (see model-run.ts). `MODEL_SEED=n` runs one seed,
 * `MODEL_OPERATIONS=n` as many operations as wanted.
 */
import { expect, test } from 'vitest';
import { ModelRun } from './model-run.ts';

const RUNS = 10;
const OPERATIONS = Number(process.env['MODEL_OPERATIONS'] ?? 50_000) / RUNS;
const FIRST_SEED = Number(process.env['MODEL_SEED'] ?? 7_001);
const seeds = Array.from({ length: process.env['MODEL_SEED'] === undefined ? RUNS : 1 }, (_, at) => FIRST_SEED + at);

for (const seed of seeds) {
  test(`[B6] [B16] [B17] seed ${seed}: ${OPERATIONS} operations agree with a plain model`, {
    timeout: 3_600_000,
  }, async () => {
    const run = new ModelRun(seed, { rowsMax: 80 });
    await run.run(OPERATIONS);
    expect(run.operations).toBeGreaterThanOrEqual(OPERATIONS);
    expect(run.crashes, 'lives that ended in a crash').toBeGreaterThan(0);
  });
}
