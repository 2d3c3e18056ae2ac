/**
 * Goal: whatever changes rows of a synchronised collection marks them, in the same commit and in no other. Method: random
 * calls of all kinds beside a model, with crashes in between (sync-marks-run.ts).
 */
import { expect, test } from 'vitest';
import { MarksRun } from './sync-marks-run.ts';

const SEEDS = 40;
const OPERATIONS = 400;

test('[MARK-1] [MARK-2] [MARK-3] [MARK-4] marks are the commits of a model, also after crashes', async () => {
  const met = { crashes: 0, parts: 0, together: 0 };
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const run = new MarksRun(seed);
    await run.run(OPERATIONS);
    met.crashes += run.crashes;
    met.parts += run.parts;
    met.together += run.together;
  }
  // What is to be shown has been met.
  expect(met.crashes).toBeGreaterThan(SEEDS);
  expect(met.parts).toBeGreaterThan(SEEDS);
  expect(met.together).toBeGreaterThan(SEEDS);
});
