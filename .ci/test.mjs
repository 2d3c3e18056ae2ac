// npm test: everything that CI runs. `npm test -- ARGUMENTS` hands the arguments to vitest and runs only its tests,
// for example `npm test -- -t B7` or `npm test -- test/wal`.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { findBrowser, installHint } from './browsers.mjs';
import { ROOT, setUp } from './setup.mjs';

const RESULTS = join(ROOT, 'test-results/vitest.json');
const start = performance.now();

requireBrowsers();
setUp();
const vitestArguments = process.argv.slice(2);
const checks = vitestArguments.length > 0 ? [] : await runChecks();
const tests = await runTests(vitestArguments);
summarise(checks, tests);

function requireBrowsers() {
  try {
    const missing = ['chromium', 'firefox'].filter((name) => findBrowser(name) === undefined);
    if (missing.length === 0) return;
    for (const name of missing) console.error(installHint(name));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  process.exit(1);
}

/** Lint, types and build side by side: each is mostly one thread. */
function runChecks() {
  return Promise.all([
    check('lint', ['node_modules/@biomejs/biome/bin/biome', 'ci', '--diagnostic-level=warn', '--colors=off']),
    check('types', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']),
    check('build', ['.ci/build.mjs']),
  ]);
}

async function check(name, args) {
  const from = performance.now();
  const { code, output } = await runNode(args, { isShown: false });
  const isPassed = code === 0;
  console.log(`${isPassed ? 'pass' : 'FAIL'}  ${name} (${seconds(from)})`);
  if (output.trim() !== '' && (!isPassed || name === 'build')) console.log(indent(output));
  return { name, isPassed };
}

/** Each project waits for the one before; within one, files share the two cores. */
async function runTests(args) {
  mkdirSync(join(ROOT, 'test-results'), { recursive: true });
  rmSync(RESULTS, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${RESULTS}`];
  const { code } = await runNode(['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args], { isShown: true });
  return { code, report: existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : undefined };
}

function summarise(checks, { code, report }) {
  const failedTests = (report?.testResults ?? []).flatMap((file) => {
    const failures = file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName);
    // A file that cannot be loaded has no tests to fail.
    if (file.status === 'failed' && failures.length === 0) failures.push(file.message || 'the file failed');
    return failures.map((failure) => `${file.name.replace(ROOT, '')}: ${failure}`);
  });
  const failures = [...checks.filter(({ isPassed }) => !isPassed).map(({ name }) => name), ...failedTests];
  const passed = checks.filter(({ isPassed }) => isPassed).length + (report?.numPassedTests ?? 0);
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  if (report === undefined) failures.push('vitest ended without a report');
  else if (code !== 0 && failedTests.length === 0) failures.push('vitest reported errors outside of tests');
  else if (report.numPassedTests === 0 && failedTests.length === 0) failures.push('no test matched');

  console.log(`\nSummary (${seconds(start)})`);
  for (const failure of failures) console.log(`  FAIL  ${failure.split('\n')[0]}`);
  if (failures.length === 0) console.log('  Everything passed.');
  console.log(`${passed} passed, ${failures.length} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exit(failures.length === 0 ? 0 : 1);
}

function runNode(args, { isShown }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: isShown ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout?.on('data', (text) => {
      output += text;
    });
    child.stderr?.on('data', (text) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

function seconds(from) {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`;
}

function indent(text) {
  return text.trimEnd().replace(/^/gm, '      ');
}
