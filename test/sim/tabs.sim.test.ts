/**
 * Goal: whatever happens to tabs and to what they say, a write that was answered is there once, every call settles, and
 * live queries end equal to a find. Method: seeded lives in a simulated browser (see tabs-run.ts). `SIM_SEEDS=n` runs as
 * many, `SIM_SEED=n` one.
 */
import { expect, test } from 'vitest';
import { TabsRun } from './tabs-run.ts';

const COUNT = Number(process.env['SIM_SEEDS'] ?? 500);
const ONE = process.env['SIM_SEED'];
const seeds = ONE === undefined ? Array.from({ length: COUNT }, (_, at) => 1 + at) : [Number(ONE)];
const STEPS = 120;

test(`[T1] [T2] [T3] [T4] [T5] [T7] [T9] [TAB-1] [TAB-2] [TAB-3] ${seeds.length} lives of tabs`, {
  timeout: 3_600_000,
}, async () => {
  let kills = 0;
  let handovers = 0;
  let writes = 0;
  let freezes = 0;
  let replaced = 0;
  let givenUp = 0;
  let transfers = 0;
  for (const seed of seeds) {
    const run = new TabsRun(seed);
    await run.run(STEPS);
    kills += run.kills;
    handovers += run.handovers;
    writes += run.writes;
    freezes += run.freezes;
    replaced += run.replaced;
    givenUp += run.givenUp;
    transfers += run.transfers;
  }
  console.log(
    `${seeds.length} lives: ${writes} writes, ${transfers} transactions, ${kills} kills, ${freezes} freezes, ${replaced} leaders replaced that went on, ${givenUp} tabs given up, ${handovers} changes of the leader`,
  );
  if (seeds.length < 50) return;
  expect(handovers).toBeGreaterThan(seeds.length / 2);
  expect(replaced).toBeGreaterThan(seeds.length / 20);
});
