/**
 * Goal: the performance suite works and its answers are right; nothing here judges speed. Method: tiny runs of our
 * store and Dexie in real Chromium, through the same code as `npm run perf`.
 */
import { describe, expect, test } from 'vitest';
import { mustScenario } from './page/scenarios/index.ts';
import { isGap } from './page/step-protocol.ts';
import { mustSystem } from './page/system-description.ts';
import { planRuns } from './runner/plan.ts';
import { runSuite } from './runner/suite.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const OPERATIONS = 25;
const DOCUMENTS = 300;
const ALL_SYSTEMS = ['bulk-insert', 'parallel-insert', 'indexed-range', 'filter', 'live-update'];
const OURS_ONLY = ['reopen-first-read', 'recovery', 'tabs', 'first-sync', 'sync-edit', 'sync-away'];

describe('performance suite', () => {
  test('tiny runs of ours and Dexie give right answers and every metric', { timeout: 180_000 }, async () => {
    const runs = [planned(ALL_SYSTEMS, ['ours', 'dexie']), planned(OURS_ONLY, ['ours'])].flat();
    const report = await runSuite({ root: ROOT, runs, rounds: 1, command: [] });

    expect(report.runs.filter((run) => run.error !== undefined)).toEqual([]);
    expect(report.runs).toHaveLength(runs.length);
    for (const { scenario, samples } of report.runs) {
      expect(Object.keys(samples), scenario).toEqual(
        expect.arrayContaining(Object.keys(mustScenario(scenario).metrics)),
      );
    }
    const dexie = report.summary.filter((line) => line.system === 'dexie' && !isGap(line.metric));
    expect(dexie.every((line) => line.timesOurs !== undefined)).toBe(true);
  });
});

const planned = (scenarios: readonly string[], systems: readonly string[]) =>
  planRuns({
    scenarios: scenarios.map(mustScenario),
    systems: systems.map(mustSystem),
    sizes: [DOCUMENTS],
    operations: OPERATIONS,
    rounds: 1,
  });
