// Runs simulated lives of tabs: npm run test:sim -- [--seeds N] [--from N], or one of them: --seed S [--steps N] [--tabs N]
// [--without kill,lost,...]. A failure is made smaller, and prints the command that repeats it.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const options = {
  seeds: { ...text, default: '50000' },
  from: text,
  seed: text,
  steps: text,
  tabs: text,
  without: text,
};
const { values } = parseArgs({ options });
const env = { ...process.env };
for (const [name, value] of Object.entries(values)) env[`SIM_${name.toUpperCase()}`] = value;
const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', 'test/sim/tabs.sim'];
process.exitCode = spawnSync(process.execPath, vitest, { env, stdio: 'inherit' }).status ?? 1;
