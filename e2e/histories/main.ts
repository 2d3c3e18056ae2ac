/** The command line of `npm run test:histories`. */
import { parseArgs } from 'node:util';
import { runHistories, summarise } from './histories.ts';

const USAGE = 'npm run test:histories -- [--runs 200] [--seed N]';

export async function main(args: readonly string[], root: string): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { runs: { type: 'string' }, seed: { type: 'string' } } });
  const runs = Number(values.runs ?? 200);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 0x1_0000_0000));
  if (!(runs > 0) || !Number.isSafeInteger(seed)) {
    console.error(USAGE);
    return 2;
  }
  console.log(`Seed ${seed}`);
  const start = performance.now();
  try {
    const results = await runHistories({ root, runs, seed, log: (line) => console.log(line) });
    console.log(`  ${summarise(results)}\n  ${((performance.now() - start) / 1_000).toFixed(0)} s`);
    return 0;
  } catch (error) {
    console.error(`FAILED\n${error instanceof Error ? error.message : error}`);
    return 1;
  }
}
