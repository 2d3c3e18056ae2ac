/** The page of the kill test behind the strict headers, with a copy of the package that a rebuild does not disturb. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'vite';
import { type Served, serve } from '../../../.ci/serve.mjs';

export async function serveKillPage(root: string): Promise<Served> {
  await mkdir(join(root, '.cache'), { recursive: true });
  const folder = await mkdtemp(join(root, '.cache/kill-page-'));
  for (const file of ['standalone.js', 'worker.js']) await cp(join(root, 'dist', file), join(folder, 'dist', file));
  for (const entry of ['main', 'observe']) {
    await build({
      configFile: false,
      root,
      logLevel: 'warn',
      publicDir: false,
      plugins: [
        {
          name: 'built-package',
          enforce: 'pre',
          resolveId: (source) =>
            source === 'collection-store' ? { id: '../../dist/standalone.js', external: true } : null,
        },
      ],
      build: {
        target: 'es2022',
        outDir: join(folder, 'built'),
        emptyOutDir: false,
        minify: false,
        reportCompressedSize: false,
        lib: { entry: join(root, `e2e/kill/page/${entry}.ts`), formats: ['es'], fileName: () => `${entry}.js` },
      },
    });
  }
  const served = await serve({
    mounts: {
      '/kill/': join(root, 'e2e/kill/page'),
      '/kill/built/': join(folder, 'built'),
      '/dist/': join(folder, 'dist'),
    },
  });
  return {
    ...served,
    async close() {
      await served.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
