/**
 * Goal: what clients in several tabs are told of their transactions is serializable, and every append that was answered
 * is there once, while the tab that leads is closed, crashed and killed. Method: list-append histories of real browsers,
 * judged by the checker of test/history. `npm run test:histories -- --runs 200` goes on for longer, from a random seed.
 */
import { expect, test } from 'vitest';
import { runHistories, summarise } from './histories.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const SEED = 20_264_001;
const RUNS = 5;

test(`[R21] [T4] [TXN-3] ${RUNS} histories of tabs whose leaders end are serializable`, {
  timeout: 240_000,
}, async () => {
  const results = await runHistories({ root: ROOT, runs: RUNS, seed: SEED, log: (line) => console.log(line) });
  console.log(summarise(results));
  // A run in which nothing happens would prove nothing.
  for (const { committed, appends } of results) {
    expect(committed).toBeGreaterThan(10);
    expect(appends).toBeGreaterThan(10);
  }
  expect(results.some(({ kills, crashes }) => kills + crashes > 0)).toBe(true);
  expect(results.some(({ aborted, unknown }) => aborted + unknown > 0)).toBe(true);
});
