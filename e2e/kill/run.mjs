// `npm run test:kill`. Node 20 runs no TypeScript, so the runner is bundled first; it lives in runner/.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';
import { buildIfStale } from '../../.ci/build.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
if (!process.argv.includes('--no-build')) await buildIfStale();
// Below the repository, so that the bundle's imports of packages resolve.
await mkdir(join(root, '.cache'), { recursive: true });
const outDir = await mkdtemp(join(root, '.cache/kill-runner-'));
try {
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      ssr: join(root, 'e2e/kill/runner/main.ts'),
      outDir,
      emptyOutDir: false,
      rolldownOptions: { output: { entryFileNames: 'runner.mjs' } },
    },
  });
  const { main } = await import(pathToFileURL(join(outDir, 'runner.mjs')).href);
  process.exitCode = await main(
    process.argv.slice(2).filter((argument) => argument !== '--no-build'),
    root,
  );
} finally {
  await rm(outDir, { recursive: true, force: true });
}
