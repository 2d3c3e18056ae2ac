/**
 * Goal: a live query is always what asking again would give. Method: seeded random steps beside reruns and a plain model
 * (see live-run.ts). `LIVE_STEPS=10000` for the long run, `LIVE_SEED=n` for one seed.
 */
import { expect, test } from 'vitest';
import { LiveRun } from './live-run.ts';

const RUNS = 10;
const STEPS = Number(process.env['LIVE_STEPS'] ?? 1_500) / RUNS;
const FIRST_SEED = Number(process.env['LIVE_SEED'] ?? 8_001);
const seeds = Array.from({ length: process.env['LIVE_SEED'] === undefined ? RUNS : 1 }, (_, at) => FIRST_SEED + at);

for (const seed of seeds) {
  test(`[LIVE-1] [LIVE-3] seed ${seed}: in ${STEPS} steps every emission equals a rerun`, {
    timeout: 3_600_000,
  }, async () => {
    const run = new LiveRun(seed, { rowsMax: seed % 2 === 0 ? 30 : 300 });
    await run.run(STEPS);
    expect(run.emissions).toBeGreaterThan(STEPS / 2);
  });
}
