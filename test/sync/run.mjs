// Runs simulated lives of devices and a relay: npm run test:sync-sim -- [--seeds N] [--from N], or one of them: --seed S
// [--steps N].
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const options = { seeds: { ...text, default: '2000' }, from: text, seed: text, steps: text };
const { values } = parseArgs({ options });
const env = { ...process.env };
for (const [name, value] of Object.entries(values)) env[`SIM_${name.toUpperCase()}`] = value;
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', 'test/sync/sync.sim'];
process.exitCode = spawnSync(process.execPath, vitest, { env, stdio: 'inherit' }).status ?? 1;
