/** The command line of `npm run test:kill`. */
import { parseArgs } from 'node:util';
import type { BrowserName } from '../../harness.ts';
import { runKills, summarise } from './kill-run.ts';

const USAGE = 'npm run test:kill -- [--runs 20] [--browser chromium|firefox] [--seed N]';

export async function main(args: readonly string[], root: string): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { runs: { type: 'string' }, browser: { type: 'string' }, seed: { type: 'string' } },
  });
  const kills = Number(values.runs ?? 20);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
  const browser = (values.browser ?? 'chromium') as BrowserName;
  if (!(kills > 0) || !Number.isSafeInteger(seed) || !['chromium', 'firefox'].includes(browser)) {
    console.error(USAGE);
    return 2;
  }
  console.log(`Seed ${seed}, ${browser}`);
  const start = performance.now();
  try {
    const done = await runKills({ root, browser, seed, kills, log: (line) => console.log(line) });
    console.log(`  ${summarise(done)}\n  ${((performance.now() - start) / 1_000).toFixed(0)} s`);
    return 0;
  } catch (error) {
    console.error(`FAILED\n${error instanceof Error ? error.message : error}`);
    return 1;
  }
}
