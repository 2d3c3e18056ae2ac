/** Runs a plan and gives the report. A failed run is recorded with its reason, and the suite goes on. */
import { readFile } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright';
import { launchOptions } from '../../../.ci/browsers.mjs';
import { SYSTEMS } from '../page/system-description.ts';
import { serveBenchPage } from './bench-page.ts';
import { runOnce } from './browser-run.ts';
import type { PlannedRun } from './plan.ts';
import { type Report, type RunRecord, summarize } from './report.ts';

export type SuiteOptions = {
  readonly root: string;
  readonly runs: readonly PlannedRun[];
  readonly rounds: number;
  readonly command: readonly string[];
  /** After each run, with the report of what is done: a suite that is interrupted has not worked for nothing. */
  readonly onRun?: (record: RunRecord, soFar: Report) => Promise<void>;
};

export async function runSuite(options: SuiteOptions): Promise<Report> {
  const startedAt = new Date().toISOString();
  const versions = await packageVersions(options.root);
  const machine = await machineFacts();
  const page = await serveBenchPage(options.root);
  const runs: RunRecord[] = [];
  const { rounds, command } = options;
  const reportNow = (): Report => ({
    format: 1,
    startedAt,
    machine,
    versions,
    command,
    rounds,
    runs: [...runs],
    summary: summarize(runs),
  });
  try {
    for (const planned of options.runs) {
      const record = await recorded(planned, options.root, page.url);
      runs.push(record);
      await options.onRun?.(record, reportNow());
    }
  } finally {
    await page.close();
  }
  return reportNow();
}

async function recorded(planned: PlannedRun, root: string, url: string): Promise<RunRecord> {
  const { scenario, size, operations, system, round } = planned;
  const start = performance.now();
  const about = { scenario: scenario.name, size, operations, system: system.name, round };
  const seconds = (): number => (performance.now() - start) / 1_000;
  try {
    const samples = await runOnce({ root, url, scenario, system, size, operations });
    return { ...about, seconds: seconds(), samples, error: undefined };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...about, seconds: seconds(), samples: {}, error: reason };
  }
}

async function machineFacts(): Promise<{ [fact: string]: string | number }> {
  const browser = await chromium.launch(launchOptions('chromium'));
  const chromiumVersion = browser.version();
  await browser.close();
  const processors = cpus();
  return {
    chromium: chromiumVersion,
    node: process.version,
    processor: processors[0]?.model ?? '?',
    cores: processors.length,
    memoryBytes: totalmem(),
  };
}

async function packageVersions(root: string): Promise<{ [name: string]: string }> {
  const versions: { [name: string]: string } = {};
  const versionIn = async (folder: string): Promise<string> => {
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string };
    return version;
  };
  for (const name of new Set(SYSTEMS.flatMap((system) => system.packages))) {
    versions[name] = await versionIn(name === 'collection-store' ? root : join(root, 'node_modules', name));
  }
  return versions;
}
