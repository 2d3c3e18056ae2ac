// Runs simulated lives of tabs: npm run test:sim -- [--seeds N] [--seed S]. A failure prints the seed that repeats it.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '50000' }, seed: { type: 'string' } } });
const env = { ...process.env, SIM_SEEDS: values.seeds, ...(values.seed && { SIM_SEED: values.seed }) };
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', 'test/sim'];
process.exitCode = spawnSync(process.execPath, vitest, { env, stdio: 'inherit' }).status ?? 1;
