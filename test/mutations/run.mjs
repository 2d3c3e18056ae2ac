// Plants bugs, one at a time, in a copy of the sources, and runs the test file that must notice. Not part of `npm test`:
//   node test/mutations/run.mjs [name ...]
// Answers with the table for test/MUTATIONS.md; fails when a bug goes unnoticed, or when its text is no longer there.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MUTATIONS } from './mutations.mjs';

const root = resolve(import.meta.dirname, '../..');
const wanted = process.argv.slice(2);
const chosen = MUTATIONS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const unknown = wanted.filter((name) => !MUTATIONS.some((mutation) => mutation.name === name));
if (unknown.length > 0) {
  console.error(`No planted bug is called ${unknown.join(', ')}. test/MUTATIONS.md has their names.`);
  process.exit(2);
}
const copy = mkdtempSync(join(tmpdir(), 'mutations-'));
const failures = [];
// Only whether a life fails is asked.
const env = { ...process.env, SIM_SHRINK: 'no' };

try {
  for (const entry of ['src', 'worker', 'server', 'test', 'package.json', 'tsconfig.json', '.ci']) {
    cpSync(join(root, entry), join(copy, entry), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  writeFileSync(
    join(copy, 'vitest.config.mjs'),
    "export default { test: { include: ['test/**/*.test.ts'], environment: 'node', pool: 'threads', testTimeout: 15_000 } };\n",
  );
  console.log('| planted bug | in | caught by | first test that fails |\n|---|---|---|---|');
  for (const mutation of chosen) run(mutation);
} finally {
  rmSync(copy, { recursive: true, force: true });
}

for (const failure of failures) console.error(failure);
process.exitCode = failures.length > 0 ? 1 : 0;

function run({ name, file, from, to, also, test }) {
  const edits = also === undefined ? [{ file, from, to }] : [{ file, from, to }, also];
  const sources = edits.map((edit) => readFileSync(join(copy, edit.file), 'utf8'));
  for (const [at, edit] of edits.entries()) {
    const times = sources[at].split(edit.from).length - 1;
    if (times === 1)
      writeFileSync(
        join(copy, edit.file),
        sources[at].replace(edit.from, () => edit.to),
      );
    else failures.push(`${name}: its text stands ${times} times in ${edit.file}`);
  }
  const { stdout, status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', test, '--bail', '1', '--reporter', 'json'],
    { cwd: copy, env, encoding: 'utf8', timeout: 180_000, maxBuffer: 64 * 1024 * 1024 },
  );
  for (const [at, edit] of edits.entries()) writeFileSync(join(copy, edit.file), sources[at]);
  // A bug may also make the tests wait for ever; then the run is ended, which is noticed as well.
  const title = status === null ? '(never ends)' : firstFailure(stdout);
  if (status === 0) failures.push(`${name}: not noticed by ${test}`);
  else console.log(`| ${name} | \`${file}\` | \`${test}\` | ${title} |`);
}

function firstFailure(stdout) {
  const start = stdout.indexOf('{"numTotalTestSuites"');
  if (start < 0) return '(the run fails)';
  const { testResults } = JSON.parse(stdout.slice(start));
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed');
  return failed === undefined ? '(the file fails)' : failed.title.replaceAll('|', '\\|');
}
