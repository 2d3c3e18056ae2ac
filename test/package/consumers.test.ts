/**
 * Goal: the packed package works for those who use Vite, webpack 5 or no bundler, under a strict policy. Method: build
 * three small applications outside the repository with default settings and run them in real browsers.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { build, createServer } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import webpack from 'webpack';
import { type Served, serve } from '../../.ci/serve.mjs';
import { BROWSERS, launch, watchComplaints } from '../../e2e/harness.ts';
import type { CollectionDefinition, Store } from '../../src/index.ts';
import { type Installation, installPackage, ROOT } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await installPackage();
  await installation.link('react', 'react-dom');
});
afterAll(() => installation.remove());

type App = { write(): Promise<void>; read(): Promise<unknown> };

const WRITTEN = {
  rows: [
    { id: 'a', title: 'ONE', status: 'open' },
    { id: 'b', title: 'two', status: 'done' },
  ],
  openOnes: 1,
  storage: 'indexeddb',
};

/** What each kind of application needs before it can be served. Answers the folder to serve. */
const BUILDS = {
  vite: async (folder: string): Promise<string> => {
    await build({ root: folder, configFile: false, logLevel: 'warn' });
    return join(folder, 'dist');
  },
  webpack: async (folder: string): Promise<string> => {
    await runWebpack(folder);
    return folder;
  },
  plain: async (folder: string): Promise<string> => folder,
};

describe.each(['vite', 'webpack', 'plain'] as const)('%s', (kind) => {
  let served: Served;
  beforeAll(async () => {
    const folder = await BUILDS[kind](await installation.createApp(kind));
    served = await serve({ mounts: { '/': folder } });
  });
  afterAll(() => served?.close());

  test.each(BROWSERS)(
    '[S10] an application writes, reloads and reads in %s without a violation',
    async (browserName) => {
      const browser = await launch(browserName);
      try {
        const page = await browser.newPage();
        const complaints = await watchComplaints(page);
        await page.goto(served.address);
        await driveApp(page);
        expect(complaints).toEqual([]);
      } finally {
        await browser.close();
      }
    },
  );
});

test.each([
  ['default settings', {}],
  ['the setting that README names for older versions', { optimizeDeps: { exclude: ['collection-store'] } }],
])("Vite's development server runs the application with %s", async (_name, settings) => {
  const root = await installation.createAppAtRoot('vite');
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    ...settings,
  });
  await server.listen(0);
  const browser = await launch('chromium');
  try {
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls?.local[0] ?? 'no address');
    await driveApp(page);
  } finally {
    await browser.close();
    await server.close();
  }
});

test.each(BROWSERS)('a React application shows what it writes in %s', async (browserName) => {
  const served = await serve({ mounts: { '/': await BUILDS.vite(await installation.createApp('react')) } });
  const browser = await launch(browserName);
  try {
    const page = await browser.newPage();
    const complaints = await watchComplaints(page);
    await page.goto(served.address);
    await page.getByText('0 in all, open').waitFor();
    await page.evaluate(async () => {
      const { store } = (globalThis as unknown as { app: { store: Store<{ tasks: CollectionDefinition }> } }).app;
      await store.tasks.create({ id: 'a', title: 'one', status: 'open' });
      await store.tasks.create({ id: 'b', title: 'two', status: 'done' });
    });
    await page.getByText('ready: one').waitFor();
    await page.getByText('2 in all, open').waitFor();
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
    await served.close();
  }
});

test("README's first example does what it says", async () => {
  const folder = await installation.createApp('vite');
  const [, example = ''] = /^```ts\n(.*?)^```$/ms.exec(await readFile(join(ROOT, 'README.md'), 'utf8')) ?? [];
  await writeFile(join(folder, 'main.ts'), example);
  await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="./main.ts"></script>');
  const served = await serve({ mounts: { '/': await BUILDS.vite(folder) } });
  const browser = await launch('chromium');
  try {
    const page = await browser.newPage();
    const complaints = await watchComplaints(page);
    const printed = page.waitForEvent('console');
    await page.goto(served.address);
    expect(await (await printed).args()[0]?.jsonValue()).toEqual(['Water all plants']);
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
    await served.close();
  }
});

test.each(BROWSERS)('[S10] [canary] violations in a page and in a worker are noticed in %s', async (browserName) => {
  const folder = await installation.createApp('plain');
  await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="./main.js"></script>');
  await writeFile(join(folder, 'main.js'), `new Worker('./worker.js'); document.body.append(planted());\n${PLANTED}`);
  // The violation is caught, so that nothing but the report tells of it.
  await writeFile(join(folder, 'worker.js'), "try { (0, eval)('1'); } catch {}");
  const served = await serve({ mounts: { '/': folder } });
  const browser = await launch(browserName);
  try {
    const page = await browser.newPage();
    const complaints = await watchComplaints(page);
    await page.goto(served.address);
    await expect.poll(() => complaints.join('\n'), POLL).toContain('policy violation: script-src-elem');
    await expect.poll(() => served.violations.join('\n'), POLL).toContain('worker.js');
  } finally {
    await browser.close();
    await served.close();
  }
});

const POLL = { timeout: 20_000, interval: 50 };
const PLANTED = `function planted() {
  const script = document.createElement('script');
  script.textContent = 'globalThis.planted = true';
  return script;
}`;

async function driveApp(page: Page): Promise<void> {
  await page.waitForFunction(() => 'app' in globalThis);
  await page.evaluate(() => (globalThis as unknown as { app: App }).app.write());
  await page.reload();
  await page.waitForFunction(() => 'app' in globalThis);
  const found = await page.evaluate(() => (globalThis as unknown as { app: App }).app.read());
  expect(found).toEqual(WRITTEN);
}

function runWebpack(folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const config: webpack.Configuration = {
      mode: 'production',
      context: folder,
      entry: './main.js',
      output: { path: folder, filename: 'bundle.js' },
      // Any file over 244 KiB is a warning to webpack. The worker is one, and the page does not wait for it.
      performance: { hints: false },
    };
    webpack(config, (error, stats) => {
      if (error) reject(error);
      else if (stats?.hasErrors() || stats?.hasWarnings()) reject(new Error(stats.toString('errors-warnings')));
      else resolve();
    });
  });
}
