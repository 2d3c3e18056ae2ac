// Node 20 runs no TypeScript: bundles the entry of a command and hands its module to `use`.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

/** `entry` is a path below the repository, which `use` is told as well. */
export async function runBundled(entry, use) {
  // Below the repository, so that the bundle's imports of packages resolve.
  await mkdir(join(root, '.cache'), { recursive: true });
  const outDir = await mkdtemp(join(root, '.cache/runner-'));
  try {
    await build({
      configFile: false,
      root,
      logLevel: 'warn',
      build: {
        ssr: join(root, entry),
        outDir,
        emptyOutDir: false,
        rolldownOptions: { output: { entryFileNames: 'runner.mjs' } },
      },
    });
    return await use(await import(pathToFileURL(join(outDir, 'runner.mjs')).href), root);
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}
