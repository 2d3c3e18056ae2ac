/** What a run leaves: all samples, failures by name, and a summary. Nothing is left out. */
import type { Unit } from '../page/scenario.ts';
import { mustScenario } from '../page/scenarios/index.ts';
import { isGap } from '../page/step-protocol.ts';
import { OURS, type SystemName } from '../page/system-description.ts';
import type { Samples } from './browser-run.ts';
import { type Statistics, statisticsOf } from './statistics.ts';

export type RunRecord = {
  readonly scenario: string;
  readonly size: number;
  readonly operations: number;
  readonly system: SystemName;
  readonly round: number;
  readonly seconds: number;
  readonly samples: Samples;
  readonly error: string | undefined;
};

export type SummaryLine = Statistics & {
  readonly scenario: string;
  readonly size: number;
  readonly metric: string;
  readonly unit: Unit;
  readonly system: SystemName;
  /** How many times worse than ours, by medians; undefined for ours, for what cannot be compared, and without ours. */
  readonly timesOurs: number | undefined;
};

export type Report = {
  readonly format: 1;
  readonly startedAt: string;
  readonly machine: { readonly [fact: string]: string | number };
  readonly versions: { readonly [name: string]: string };
  readonly command: readonly string[];
  readonly rounds: number;
  readonly runs: readonly RunRecord[];
  readonly summary: readonly SummaryLine[];
};

/** Samples of all rounds are pooled; a metric with one sample a round has as many samples as rounds. */
export function summarize(runs: readonly RunRecord[]): SummaryLine[] {
  const pools = new Map<string, { line: Omit<SummaryLine, keyof Statistics | 'timesOurs'>; values: number[] }>();
  for (const run of runs) {
    for (const [metric, values] of Object.entries(run.samples)) {
      const { scenario, size, system } = run;
      const id = JSON.stringify([scenario, size, metric, system]);
      const pool = pools.get(id) ?? {
        line: { scenario, size, metric, unit: unitOf(scenario, metric), system },
        values: [],
      };
      for (const value of values) pool.values.push(value);
      pools.set(id, pool);
    }
  }
  const lines = [...pools.values()]
    .filter(({ values }) => values.length > 0)
    .map(({ line, values }) => ({ ...line, ...statisticsOf(values) }));
  return lines.map((line) => ({ ...line, timesOurs: timesOurs(line, lines) }));
}

function unitOf(scenario: string, metric: string): Unit {
  if (isGap(metric)) return 'ms';
  return mustScenario(scenario).metrics[metric] ?? (metric.endsWith('-over-json') ? 'ratio' : 'bytes');
}

type Measured = Omit<SummaryLine, 'timesOurs'>;

function timesOurs(line: Measured, lines: readonly Measured[]): number | undefined {
  if (line.unit === 'count' || isGap(line.metric)) return undefined;
  const same = lines.filter(
    (other) => other.scenario === line.scenario && other.size === line.size && other.metric === line.metric,
  );
  const base = OURS.map((name) => same.find((other) => other.system === name)).find((found) => found !== undefined);
  if (base === undefined || base.system === line.system) return undefined;
  return line.unit === 'per-s' ? base.median / line.median : line.median / base.median;
}
