/** Builds the page with every system, and serves it on localhost with the headers that OPFS and exact clocks need. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Plugin, preview } from 'vite';

export interface BenchPage {
  readonly url: string;
  close(): Promise<void>;
}

const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export async function serveBenchPage(root: string): Promise<BenchPage> {
  await mkdir(join(root, '.cache'), { recursive: true });
  const outDir = await mkdtemp(join(root, '.cache/perf-page-'));
  const common = { configFile: false, root: join(root, 'e2e/perf/page'), logLevel: 'error' } as const;
  const packageUnderTest = await builtPackage(root);
  await build({
    ...common,
    plugins: [packageUnderTest],
    worker: { format: 'es', plugins: () => [packageUnderTest] },
    // RxDB's replication takes it for both sides; in a page it is the browser's own.
    resolve: { alias: { ws: join(root, 'e2e/perf/page/browser-ws.ts') } },
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    build: {
      outDir,
      emptyOutDir: true,
      target: 'esnext',
      // A package's worker must stay a file: as a data address it would be refused by the isolation headers.
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 100_000,
      modulePreload: false,
    },
  });
  const server = await preview({
    ...common,
    build: { outDir },
    preview: { host: '127.0.0.1', port: 0, strictPort: false, headers: ISOLATION },
  });
  const address = server.httpServer.address();
  if (address === null || typeof address === 'string') throw new Error('The page has no port.');
  return {
    url: `http://localhost:${address.port}/`,
    async close() {
      await server.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}

/** Resolves our package's name through its own `exports`, as an application's bundler would after installing it. */
async function builtPackage(root: string): Promise<Plugin> {
  const { name, exports = {} } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string;
    exports?: { readonly [path: string]: unknown };
  };
  const isOwn = (source: string): boolean => source === name || source.startsWith(`${name}/`);
  return {
    name: 'package-under-test',
    enforce: 'pre',
    resolveId(source) {
      if (!isOwn(source)) return undefined;
      const target = importTarget(exports[`.${source.slice(name.length)}`]);
      const file = target === undefined ? undefined : join(root, target);
      // A run of peers alone must not need our build.
      return file !== undefined && existsSync(file) ? file : `\0missing:${source}`;
    },
    load(id) {
      if (!id.startsWith('\0missing:')) return undefined;
      const message = `${id.slice('\0missing:'.length)} is not built: run npm run build first.`;
      return `const refuse = () => { throw new Error(${JSON.stringify(message)}); };
        export { refuse as openStore, refuse as defineCollection };`;
    },
  };
}

function importTarget(entry: unknown): string | undefined {
  if (typeof entry === 'string') return entry;
  if (typeof entry !== 'object' || entry === null) return undefined;
  const conditions = entry as { readonly [condition: string]: unknown };
  return importTarget(conditions['browser'] ?? conditions['import'] ?? conditions['default']);
}
