/** The figures that the product promises, each judged on the medians of one report. */
import { GAP_METRIC, MACHINE_GAP_METRIC } from '../page/step-protocol.ts';
import { OURS, type SystemName } from '../page/system-description.ts';
import type { Report, SummaryLine } from './report.ts';
import { columns, formatted } from './report-table.ts';

export type Verdict = {
  readonly target: string;
  readonly outcome: 'pass' | 'fail' | 'not-measured';
  readonly measured: string;
};

/** Peers whose engine is written in JavaScript. */
const JAVASCRIPT_PEERS: readonly SystemName[] = ['idb', 'dexie', 'rxdb', 'tinybase', 'tanstack', 'pouchdb'];

type Statistic = 'median' | 'p95' | 'p99' | 'max';

export function judge(report: Report): readonly Verdict[] {
  const lines = report.summary;
  const find = (scenario: string, size: number | undefined, metric: string, system: SystemName) =>
    lines.find(
      (line) =>
        line.scenario === scenario &&
        (size === undefined || line.size === size) &&
        line.metric === metric &&
        line.system === system,
    );
  const peersOf = (scenario: string, size: number | undefined, metric: string): readonly SummaryLine[] =>
    lines.filter(
      (line) =>
        line.scenario === scenario &&
        (size === undefined || line.size === size) &&
        line.metric === metric &&
        !OURS.includes(line.system),
    );

  /** Ours is at least `factor` times as fast as `peer`: at most `1 / factor` of its time, or `factor` times its rate. */
  const faster = (
    target: string,
    scenario: string,
    metric: string,
    factor: number,
    peer: SystemName | 'best',
    more: { readonly size?: number; readonly system?: SystemName } = {},
  ): Verdict => {
    const ours = find(scenario, more.size, metric, more.system ?? 'ours');
    const peers = peersOf(scenario, more.size, metric);
    const other =
      peer === 'best' ? [...peers].sort((a, b) => a.median - b.median)[0] : peers.find(({ system }) => system === peer);
    if (ours === undefined || other === undefined) return notMeasured(target);
    const times = ours.unit === 'per-s' ? ours.median / other.median : other.median / ours.median;
    const unit = ours.unit === 'per-s' ? 'per s' : 'ms';
    const figures = `ours ${formatted(ours.median, ours.unit)}, ${other.system} ${formatted(other.median, other.unit)} ${unit}`;
    return verdict(target, times >= factor, `${times.toFixed(2)} times (${figures})`);
  };
  const atMost = (
    target: string,
    scenario: string,
    metric: string,
    most: number,
    more: { readonly size?: number; readonly statistic?: Statistic; readonly system?: SystemName } = {},
  ): Verdict => {
    const ours = find(scenario, more.size, metric, more.system ?? 'ours');
    if (ours === undefined) return notMeasured(target);
    const value = ours[more.statistic ?? 'median'];
    const figure = `${formatted(value, ours.unit)}${ours.unit === 'ms' ? ' ms' : ''}`;
    const machine = metric === GAP_METRIC ? find(scenario, more.size, MACHINE_GAP_METRIC, 'ours') : undefined;
    const noise =
      machine === undefined ? '' : ` (an idle thread woke up to ${formatted(machine.median, 'ms')} ms late)`;
    return verdict(target, value <= most, figure + noise);
  };
  const atLeast = (target: string, scenario: string, metric: string, least: number): Verdict => {
    const ours = find(scenario, undefined, metric, 'ours');
    if (ours === undefined) return notMeasured(target);
    return verdict(target, ours.median >= least, `${formatted(ours.median, ours.unit)} per s`);
  };
  const followerCost = (): Verdict => {
    const target = "tabs: a get of a follower at most 1 ms above the leader's";
    const leader = find('tabs', undefined, 'first-get', 'ours');
    const follower = find('tabs', undefined, 'second-get', 'ours');
    if (leader === undefined || follower === undefined) return notMeasured(target);
    const figures = `${formatted(follower.median, 'ms')} and ${formatted(leader.median, 'ms')} ms`;
    return verdict(target, follower.median - leader.median <= 1, figures);
  };
  const reopenRatio = (): Verdict => {
    const target = 'reopen and first read: 1 million at most 2 times 20k';
    const small = find('reopen-first-read', 20_000, 'reload', 'ours');
    const large = find('reopen-first-read', 1_000_000, 'reload', 'ours');
    if (small === undefined || large === undefined) return notMeasured(target);
    const ratio = large.median / small.median;
    return verdict(target, ratio <= 2, `${ratio.toFixed(2)} times`);
  };

  const bulkSizes = [20_000, 100_000];
  const filterSizes = [20_000, 100_000];
  const reopenSizes = [20_000, 100_000, 1_000_000];
  return [
    ...bulkSizes.flatMap((size) => [
      faster(`bulk insert of ${size}: 2 times the best peer`, 'bulk-insert', 'acknowledged', 2, 'best', { size }),
      faster(`bulk insert of ${size}: 10 times Dexie`, 'bulk-insert', 'acknowledged', 10, 'dexie', { size }),
      atMost(`bulk insert of ${size}: main-thread gap at most 16 ms`, 'bulk-insert', GAP_METRIC, 16, { size }),
    ]),
    faster('parallel inserts: 8 times raw IndexedDB', 'parallel-insert', 'all', 8, 'idb'),
    faster('serial inserts: 1.1 times raw IndexedDB', 'serial-insert', 'rate', 1.1, 'idb'),
    faster('serial inserts, deferred: 2 times PGlite', 'serial-insert-deferred', 'rate', 2, 'pglite', {
      system: 'ours-deferred',
    }),
    faster("get by key: at most 0.6 of PGlite's time", 'get-by-key', 'each', 1 / 0.6, 'pglite'),
    faster("indexed range: at most half of Dexie's time", 'indexed-range', 'each', 2, 'dexie'),
    faster("indexed range: at most half of PGlite's time", 'indexed-range', 'each', 2, 'pglite'),
    ...filterSizes.flatMap((size) =>
      ['owner', 'fifth'].flatMap((metric) => [
        faster(`filter ${metric} of ${size}: at most twice SQLite's time`, 'filter', metric, 0.5, 'sqlite', { size }),
        ...JAVASCRIPT_PEERS.map((peer) =>
          faster(`filter ${metric} of ${size}: below ${peer}`, 'filter', metric, 1, peer, { size }),
        ),
      ]),
    ),
    faster("count by an index: at most SQLite's time", 'count', 'status', 1, 'sqlite'),
    faster("group by over 100k: at most twice SQLite's time", 'group-by', 'each', 0.5, 'sqlite', { size: 100_000 }),
    ...reopenSizes.map((size) =>
      atMost(`reopen and first read at ${size}: at most 60 ms`, 'reopen-first-read', 'reload', 60, { size }),
    ),
    reopenRatio(),
    atMost('1 million documents: heap under 100 MB', 'heap-million', 'mixed:heap', 100_000_000, { size: 1_000_000 }),
    atMost('1 million documents: disk at most 1.3 times the JSON', 'disk-bytes', 'after:usage-over-json', 1.3, {
      size: 1_000_000,
    }),
    atMost('log of 100k entries recovers in under 1 s', 'recovery', 'first-read', 1_000, { size: 100_000 }),
    atLeast('sustained log writes above 10,000 per s', 'sustained-log-writes', 'rate', 10_000),
    atMost('one-document transaction under 10 ms at p99', 'one-document-latency', 'each', 10, { statistic: 'p99' }),
    atMost('transfer between two documents under 10 ms at p99', 'transactions', 'each', 10, { statistic: 'p99' }),
    faster(
      "live, deferred: update() to emission at most half of PGlite's time",
      'live-update',
      'emission',
      2,
      'pglite',
      {
        system: 'ours-deferred',
      },
    ),
    faster("live, relaxed: update() to emission at most half of Dexie's time", 'live-update', 'emission', 2, 'dexie'),
    faster(
      "200 live queries, deferred: a fifth of the best peer's time on the page",
      'live-many',
      'page-thread',
      5,
      'best',
      {
        system: 'ours-deferred',
      },
    ),
    faster(
      '200 live queries, deferred: update() to emission a fifth of the best peer',
      'live-many',
      'emission',
      5,
      'best',
      {
        system: 'ours-deferred',
      },
    ),
    atMost('sorted live window of 100k: at most 0.1 ms for a change', 'live-window', 'cost', 0.1, {
      system: 'ours-deferred',
    }),
    atMost('1,000 live queries, 1,000 updates per s: p95 under 16 ms', 'live-storm', 'emission', 16, {
      statistic: 'p95',
    }),
    atMost('the same: p95 of the time that a frame loses under 2 ms', 'live-storm', 'blocked', 2, { statistic: 'p95' }),
    followerCost(),
    ...['emission', 'emission-back'].flatMap((metric) => [
      atMost(`tabs, ${metric}: update() in one to a live query of the other under 5 ms`, 'tabs', metric, 5),
      ...(['dexie', 'rxdb'] as const).map((peer) =>
        faster(`tabs, ${metric}: 3 times ${peer}`, 'tabs', metric, 3, peer),
      ),
      // Its other tabs show what is in memory: its persister stores that later.
      faster(`tabs, ${metric}, deferred: 3 times tinybase`, 'tabs', metric, 3, 'tinybase', { system: 'ours-deferred' }),
    ]),
    atMost('deleting 450,000 documents by an index: under 10 s', 'delete-many', 'acknowledged', 10_000, {
      size: 600_000,
    }),
    atMost('the same: main-thread gap at most 16 ms', 'delete-many', GAP_METRIC, 16, { size: 600_000 }),
    faster("deleting by an index, 20k: below Dexie's time", 'delete-many', 'acknowledged', 1, 'dexie', {
      size: 20_000,
    }),
    atMost('first sync of 100,000 documents: under 10 s', 'first-sync', 'pull', 10_000, { size: 100_000 }),
    faster('the same: 5 times RxDB', 'first-sync', 'pull', 5, 'rxdb', { size: 100_000 }),
    atMost('the same: main-thread gap at most 50 ms', 'first-sync', GAP_METRIC, 50, { size: 100_000 }),
    atMost('an edit is seen on another device within 20 ms', 'sync-edit', 'edit', 20),
    atMost('1,000 of 1 million changed while away: there in under 2 s', 'sync-away', 'caught-up', 2_000, {
      size: 1_000_000,
    }),
    atMost('the same: less than 300 KB', 'sync-away', 'traffic', 300_000, { size: 1_000_000 }),
    atMost(
      'B19: disk after churn and compaction at most 10 times the live data',
      'churn',
      'compact:usage-over-json',
      10,
    ),
  ];
}

export function verdictTable(verdicts: readonly Verdict[]): string {
  return columns(verdicts.map(({ outcome, target, measured }) => [outcome, target, measured]));
}

const verdict = (target: string, isMet: boolean, measured: string): Verdict => ({
  target,
  outcome: isMet ? 'pass' : 'fail',
  measured,
});
const notMeasured = (target: string): Verdict => ({ target, outcome: 'not-measured', measured: '' });
