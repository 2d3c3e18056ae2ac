// The test projects. The package and the demo are built by .ci/build.mjs, which uses Vite's own functions.
import { playwright } from '@vitest/browser-playwright';
import { compile } from 'svelte/compiler';
import type { Plugin } from 'vite';
import { defineConfig, type ViteUserConfig } from 'vitest/config';
import { type BrowserName, findBrowser, launchOptions } from './.ci/browsers.mjs';

const BROWSERS: readonly BrowserName[] = ['chromium', 'firefox'];
const isAvailable = (name: BrowserName): boolean => findBrowser(name) !== undefined;

const FRAMEWORK_MODULES = [
  ...['react', 'react-dom', 'react-dom/client', 'vue', 'solid-js', 'solid-js/web'],
  ...['svelte', 'svelte/store', 'svelte/internal/client', 'svelte/internal/disclose-version'],
];

/** Components of the Svelte tests: the framework is its compiler. */
function compileSvelte(): Plugin {
  return {
    name: 'compile-svelte',
    transform(code, id) {
      if (!id.endsWith('.svelte')) return undefined;
      return { code: compile(code, { generate: 'client', filename: id }).js.code, map: null };
    },
  };
}

const config: ViteUserConfig = defineConfig({
  // Tests and the demo import the package by its name where they stand for a user of it.
  resolve: { alias: { 'collection-store': new URL('./src/index.ts', import.meta.url).pathname } },
  test: {
    // The groups run one after the other: two cores do not carry two browsers and the property tests at once.
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts', 'test/package/**'],
          environment: 'node',
          pool: 'threads',
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        // Named here so that Vite does not find them during a run and reload the page under a test.
        optimizeDeps: {
          include: ['comlink', 'idb', 'rxjs', 'fast-check', '@cfworker/json-schema', ...FRAMEWORK_MODULES],
        },
        plugins: [compileSvelte()],
        define: {
          __VUE_OPTIONS_API__: 'true',
          __VUE_PROD_DEVTOOLS__: 'false',
          __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
        },
        test: {
          name: 'browser',
          include: ['test/**/*.browser.test.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 1 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright(),
            instances: BROWSERS.filter(isAvailable).map((browser) => ({
              browser,
              provider: playwright({ launchOptions: launchOptions(browser) }),
            })),
          },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          globalSetup: './test/setup/build.ts',
          exclude: ['e2e/perf/page/**'],
          environment: 'node',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: './test/setup/build.ts',
          environment: 'node',
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});

export default config;
