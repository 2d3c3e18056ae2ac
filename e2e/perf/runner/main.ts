import { readFile, writeFile } from 'node:fs/promises';
import { SCENARIOS } from '../page/scenarios/index.ts';
import { isOurs, SYSTEMS } from '../page/system-description.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { planRuns } from './plan.ts';
import type { Report, RunRecord } from './report.ts';
import { acknowledgementTable, columns, reportTable } from './report-table.ts';
import { runSuite } from './suite.ts';
import { judge, verdictTable } from './targets.ts';

export type Surroundings = {
  readonly root: string;
  /** Brings the built package up to date; called when our store takes part. */
  buildPackage(): Promise<void>;
};

/** Answers the exit code: 1 when a run failed or a target is missed, 2 when the command is wrong. */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let options: Options;
  try {
    options = parseOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return 2;
  }
  if (options.task !== 'run') {
    console.log(options.task === 'help' ? USAGE : list());
    return 0;
  }
  const report =
    options.fromFile === undefined ? await measured(options, args, surroundings) : await readReport(options.fromFile);
  console.log(`${acknowledgementTable(report)}\n${reportTable(report)}`);
  const hasFailures = report.runs.some((run) => run.error !== undefined);
  if (options.targets === 'ignore') return hasFailures ? 1 : 0;
  const verdicts = judge(report);
  console.log(`\n## Targets\n${verdictTable(verdicts)}`);
  return hasFailures || verdicts.some(({ outcome }) => outcome === 'fail') ? 1 : 0;
}

async function measured(
  options: Options,
  command: readonly string[],
  { root, buildPackage }: Surroundings,
): Promise<Report> {
  const runs = planRuns(options);
  if (runs.some(({ system }) => isOurs(system.name))) await buildPackage();
  const onRun = async (record: RunRecord, soFar: Report): Promise<void> => {
    const done = soFar.runs.length;
    const { scenario, size, system, round, seconds, error } = record;
    const outcome = error === undefined ? '' : ` FAILED: ${error.split('\n')[0]}`;
    console.error(
      `${done}/${runs.length} ${scenario} ${size} ${system} round ${round}: ${seconds.toFixed(1)} s${outcome}`,
    );
    if (options.jsonFile !== undefined) await writeFile(options.jsonFile, `${JSON.stringify(soFar)}\n`);
  };
  return runSuite({ root, runs, rounds: options.rounds, command, onRun });
}

async function readReport(file: string): Promise<Report> {
  const report = JSON.parse(await readFile(file, 'utf8')) as Report;
  if (report.format !== 1) throw new Error(`${file} is no report of this suite.`);
  return report;
}

function list(): string {
  const scenarios = SCENARIOS.map(({ name, what, sizes }) => [name, sizes.join(','), what]);
  const systems = SYSTEMS.map(
    (system) => `  ${system.name}: ${system.label}, works on the ${system.thread}
    acknowledged: ${system.acknowledgement}. ${system.meaning}
    indexes: ${system.indexes}
    ${system.notes}`,
  );
  return `Scenarios\n${columns(scenarios)}\n\nSystems\n${systems.join('\n')}`;
}
