/** The report as text for a terminal. */
import type { Unit } from '../page/scenario.ts';
import { mustScenario } from '../page/scenarios/index.ts';
import { mustSystem } from '../page/system-description.ts';
import type { Report, SummaryLine } from './report.ts';

const HEADER = ['system', 'acknowledged', 'n', 'median', 'p95', 'p99', 'times ours'];

export function reportTable(report: Report): string {
  const blocks = [...groups(report.summary, ({ scenario, size, metric }) => `${scenario} ${size} ${metric}`).values()];
  const text: string[] = [];
  let heading = '';
  for (const lines of blocks) {
    const { scenario, size, metric, unit } = lines[0]!;
    const next = `\n## ${scenario}${mustScenario(scenario).hasFixedSizes ? '' : `, ${size.toLocaleString('en')} documents`}`;
    if (next !== heading) text.push(next, mustScenario(scenario).what);
    heading = next;
    text.push('', `${metric} (${unit === 'per-s' ? 'per second, more is better' : unit})`);
    text.push(columns([HEADER, ...lines.map(cells)]));
  }
  const failures = report.runs.filter((run) => run.error !== undefined);
  if (failures.length > 0) text.push('\n## Failed runs');
  for (const { scenario, size, system, round, error } of failures) {
    text.push(`${scenario} ${size} ${system}, round ${round}: ${error}`);
  }
  return text.join('\n');
}

export function acknowledgementTable(report: Report): string {
  const used = [...new Set(report.runs.map((run) => run.system))].map(mustSystem);
  const lines = used.map(({ label, packages, acknowledgement, meaning }) => [
    label,
    packages.map((name) => report.versions[name] ?? '?').join(', '),
    acknowledgement,
    meaning,
  ]);
  return columns([['system', 'version', 'acknowledged', 'which means'], ...lines]);
}

function cells(line: SummaryLine): string[] {
  const { label, acknowledgement } = mustSystem(line.system);
  const figures = [line.median, line.p95, line.p99].map((value) => formatted(value, line.unit));
  const times = line.timesOurs === undefined ? '-' : `${line.timesOurs.toFixed(2)}x`;
  return [label, acknowledgement, String(line.count), ...figures, times];
}

export function formatted(value: number, unit: Unit): string {
  if (unit === 'bytes') return `${(value / 1_000_000).toFixed(2)} MB`;
  if (unit === 'ratio') return value.toFixed(2);
  if (unit !== 'ms') return Math.round(value).toLocaleString('en');
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd()).join('\n');
}

function groups<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const found = new Map<string, Item[]>();
  for (const item of items) {
    const group = found.get(keyOf(item));
    if (group === undefined) found.set(keyOf(item), [item]);
    else group.push(item);
  }
  return found;
}
