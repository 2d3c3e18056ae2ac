/** Goal: medians, ratios and verdicts are what they say, and nothing is left out. Method: small records by hand. */
import { describe, expect, test } from 'vitest';
import type { SystemName } from './page/system-description.ts';
import { parseOptions } from './runner/options.ts';
import { planRuns } from './runner/plan.ts';
import { type Report, type RunRecord, summarize } from './runner/report.ts';
import { reportTable } from './runner/report-table.ts';
import { statisticsOf } from './runner/statistics.ts';
import { judge } from './runner/targets.ts';

const run = (system: SystemName, scenario: string, samples: RunRecord['samples'], more = {}): RunRecord => ({
  ...{ scenario, size: 20_000, operations: 1, system, round: 1, seconds: 1, samples, error: undefined },
  ...more,
});
const reportOf = (...runs: readonly RunRecord[]): Report => ({
  ...{ format: 1, startedAt: '', machine: {}, versions: {}, command: [], rounds: 1 },
  runs,
  summary: summarize(runs),
});
const outcomeOf = (report: Report, target: string) =>
  judge(report).find((verdict) => verdict.target === target)?.outcome;

describe('statistics', () => {
  test('percentiles are nearest ranks, and the median of an even count is between the middle two', () => {
    const values = Array.from({ length: 100 }, (_, at) => 100 - at);
    expect(statisticsOf(values)).toEqual({ count: 100, median: 50.5, p95: 95, p99: 99, min: 1, max: 100 });
    expect(statisticsOf([7])).toEqual({ count: 1, median: 7, p95: 7, p99: 7, min: 7, max: 7 });
  });
});

describe('summary', () => {
  test('rounds are pooled, and times ours says how many times worse, whichever way the unit counts', () => {
    const summary = summarize([
      run('ours', 'bulk-insert', { acknowledged: [10], rate: [2_000] }),
      run('ours', 'bulk-insert', { acknowledged: [20], rate: [1_000] }, { round: 2 }),
      run('dexie', 'bulk-insert', { acknowledged: [150], rate: [150] }),
    ]);
    const ours = summary.find((line) => line.system === 'ours' && line.metric === 'acknowledged');
    expect(ours).toMatchObject({ count: 2, median: 15, timesOurs: undefined, unit: 'ms' });
    const dexie = summary.filter((line) => line.system === 'dexie');
    expect(dexie.map((line) => line.timesOurs)).toEqual([10, 10]);
  });

  test('a failed run is printed with its reason', () => {
    const report = reportOf(run('dexie', 'count', {}, { error: 'Wrong answer: 3.' }));
    expect(reportTable(report)).toContain('count 20000 dexie, round 1: Wrong answer: 3.');
  });
});

describe('targets', () => {
  const bulk = (ours: number, dexie: number, pglite: number) =>
    reportOf(
      run('ours', 'bulk-insert', { acknowledged: [ours] }),
      run('dexie', 'bulk-insert', { acknowledged: [dexie] }),
      run('pglite', 'bulk-insert', { acknowledged: [pglite] }),
    );

  test('compare with the best peer and with a named one', () => {
    const best = 'bulk insert of 20000: 2 times the best peer';
    const dexie = 'bulk insert of 20000: 10 times Dexie';
    expect(outcomeOf(bulk(100, 1_000, 200), best)).toBe('pass');
    expect(outcomeOf(bulk(100, 1_000, 199), best)).toBe('fail');
    expect(outcomeOf(bulk(100, 1_000, 200), dexie)).toBe('pass');
    expect(outcomeOf(bulk(100, 999, 200), dexie)).toBe('fail');
  });

  test('an update under many live queries is judged by the wait for it and by what it takes of the page', () => {
    const report = reportOf(
      run('ours-deferred', 'live-many', { emission: [0.2], 'page-thread': [0.1] }),
      run('tanstack', 'live-many', { emission: [0.4], 'page-thread': [0.5] }),
      run('dexie', 'live-many', { emission: [3], 'page-thread': [8] }),
    );
    expect(outcomeOf(report, "200 live queries, deferred: a fifth of the best peer's time on the page")).toBe('pass');
    expect(outcomeOf(report, '200 live queries, deferred: update() to emission a fifth of the best peer')).toBe('fail');
  });

  test('what was not measured is said to be so', () => {
    expect(judge(reportOf()).map((verdict) => verdict.outcome)).toEqual(judge(reportOf()).map(() => 'not-measured'));
  });
});

describe('plan', () => {
  test('systems alternate within a round, and peers are spared sizes beyond theirs', () => {
    const options = parseOptions(['--scenario', 'reopen-first-read', '--peers', 'dexie', '--rounds', '2']);
    const order = planRuns(options).map(({ size, system, round }) => `${size} ${system.name} ${round}`);
    expect(order.slice(0, 4)).toEqual(['20000 ours 1', '20000 dexie 1', '20000 ours 2', '20000 dexie 2']);
    expect(order.slice(-2)).toEqual(['1000000 ours 1', '1000000 ours 2']);
  });

  test('an unknown name or number is refused', () => {
    expect(() => parseOptions(['--scenario', 'nothing'])).toThrow('There is no scenario nothing');
    expect(() => parseOptions(['--peers', 'nobody'])).toThrow('There is no system nobody');
    expect(() => parseOptions(['--sizes', '20k'])).toThrow('--sizes takes whole numbers');
  });
});
