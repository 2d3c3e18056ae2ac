// Prepares a bare clone: installs what the lockfile names when node_modules is missing or differs from it. No dependencies.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

const NODE_MIN = [20, 19];

export function setUp() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
    console.error(`Node ${NODE_MIN.join('.')} or later is needed; this is ${process.versions.node}.`);
    process.exit(1);
  }
  const missing = missingPackage();
  if (missing === undefined) return;
  console.log(`Installing dependencies (${missing}) ...`);
  // No package that we use needs its install script, and none of them gets to run one.
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (status !== 0) {
    console.error('npm ci failed: see its message above.');
    process.exit(1);
  }
}

/**
 * What differs between the lockfile and node_modules, or undefined. npm writes its own record of what it installed as
 * the last step of an installation, so an interrupted one counts as missing.
 */
function missingPackage() {
  const record = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return 'none are installed';
  const wanted = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const [path, { version, optional, devOptional }] of Object.entries(wanted)) {
    // Optional packages are often builds for another platform.
    if (path === '' || optional || devOptional) continue;
    if (installed[path]?.version !== version) return `${path.replace('node_modules/', '')} ${version} is not installed`;
  }
  return undefined;
}
