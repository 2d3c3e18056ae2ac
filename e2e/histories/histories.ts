/** Many histories, one after the other; a browser serves some of them. */
import { join } from 'node:path';
import { serveFixture } from '../harness.ts';
import { withChromium } from '../tab-page.ts';
import { type HistoryResult, runHistory } from './run.ts';

/** Then a new browser and profile. */
const RUNS_PER_BROWSER = 20;

export type HistoriesOptions = {
  /** The repository. */
  readonly root: string;
  readonly runs: number;
  /** Of the first; the others follow. */
  readonly seed: number;
  readonly log: (line: string) => void;
};

/** Throws at the first one that is wrong. */
export async function runHistories({ root, runs, seed, log }: HistoriesOptions): Promise<readonly HistoryResult[]> {
  const served = await serveFixture({ '/dist/': join(root, 'dist'), '/fixture/': join(root, 'e2e/fixture') });
  const results: HistoryResult[] = [];
  try {
    while (results.length < runs) {
      await withChromium(async (context, profile) => {
        for (let run = 0; run < RUNS_PER_BROWSER && results.length < runs; run++) {
          const own = (seed + results.length) >>> 0;
          const result = await runHistory({ context, profile, address: served.address, seed: own });
          results.push(result);
          log(`#${results.length} seed ${own}: ${describe(result)}`);
        }
      });
    }
    if (served.violations.length > 0) throw new Error(`Violations of the policy: ${served.violations.join('\n')}`);
    return results;
  } finally {
    await served.close();
  }
}

export function summarise(results: readonly HistoryResult[]): string {
  const sum = (field: keyof HistoryResult): number => results.reduce((all, result) => all + result[field], 0);
  const fields = Object.keys(results[0] ?? {}) as (keyof HistoryResult)[];
  const totals = Object.fromEntries(fields.map((field) => [field, sum(field)])) as HistoryResult;
  return `${results.length} histories, no anomaly: ${describe(totals)}`;
}

const describe = ({ committed, aborted, unknown, appends, kills, crashes, closes }: HistoryResult): string =>
  `${committed} committed, ${aborted} aborted, ${unknown} unknown, ${appends} appends; ` +
  `${kills} kills, ${crashes} crashes, ${closes} closes`;
