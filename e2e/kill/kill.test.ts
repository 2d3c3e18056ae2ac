/**
 * Goal: whatever is killed, acknowledged writes are there, calls are whole, and indexes agree with a scan. Method: a
 * seeded workload in a real browser on a profile, ended at random moments, several times per profile; after each kill
 * the state must be the one after some number of calls that no durable answer exceeds. `npm run test:kill -- --runs 200`
 * goes on for longer, from a random seed.
 */
import { expect, test } from 'vitest';
import { type Kill, runKills, summarise } from './runner/kill-run.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const SEED = 20_260_001;

const kill = async (browser: 'chromium' | 'firefox', kills: number): Promise<readonly Kill[]> => {
  const done = await runKills({ root: ROOT, browser, seed: SEED, kills, log: (line) => console.log(line) });
  console.log(`${browser}, seed ${SEED}: ${summarise(done)}`);
  return done;
};

test('[B16] [B17] acknowledged writes survive 20 kills of Chromium', { timeout: 400_000 }, async () => {
  const done = await kill('chromium', 20);
  expect(done).toHaveLength(20);
  // A run in which no kill met anything that matters would prove nothing.
  expect(done.some(({ framesRecovered }) => framesRecovered > 0)).toBe(true);
  expect(done.some(({ checkpoints }) => checkpoints > 0)).toBe(true);
  expect(done.some(({ bulkUnderWay }) => bulkUnderWay)).toBe(true);
  expect(done.some(({ isTrapped }) => isTrapped)).toBe(true);
});

test('[B16] [B17] acknowledged writes survive 5 kills of Firefox', { timeout: 300_000 }, async () => {
  expect(await kill('firefox', 5)).toHaveLength(5);
});
