/**
 * Goal: in real browsers, tabs of two builds do not get in each other's way (T8), tabs know of each other, and one of
 * them can destroy the store. Method: the package's worker beside one that is built with the next number of the protocol
 * between tabs, in pages of one browser.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Served } from '../.ci/serve.mjs';
import type { AnyRow, Collection, Store, TabInfo } from '../src/index.ts';
import { BROWSERS, launch, serveFixture } from './harness.ts';

declare const collectionStore: typeof import('../src/index.ts');
type Globals = { rows: Collection<AnyRow>; store: Store; tabs: readonly TabInfo[] };

const ROOT = new URL('..', import.meta.url).pathname;
const PROTOCOL = 'TABS_PROTOCOL = 1;';

/** What a page opens: a worker, and an index that the application has, or has not yet. */
type Build = { readonly worker: string; readonly indexes: readonly string[] };
const NOW: Build = { worker: '/dist/worker.js', indexes: [] };
const NEXT: Build = { worker: '/next/worker.js', indexes: [] };
const INDEXED: Build = { worker: '/dist/worker.js', indexes: ['n'] };

let served: Served;
let next: string;
beforeAll(async () => {
  next = await mkdtemp(join(tmpdir(), 'collection-store-next-'));
  await buildNext(next);
  served = await serveFixture({ '/next/': next });
});
afterAll(async () => {
  await served.close();
  await rm(next, { recursive: true, force: true });
});

/** The worker as it will be when tabs have to say other things to each other. */
async function buildNext(outDir: string): Promise<void> {
  let isRaised = false;
  const raise = (code: string): string | undefined => {
    if (!code.includes(PROTOCOL)) return undefined;
    isRaised = true;
    return code.replace(PROTOCOL, 'TABS_PROTOCOL = 2;');
  };
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    publicDir: false,
    plugins: [{ name: 'raise-protocol', enforce: 'pre', transform: raise }],
    build: {
      target: 'es2022',
      outDir,
      emptyOutDir: true,
      lib: { entry: join(ROOT, 'worker/main.ts'), formats: ['es'], fileName: () => 'worker.js' },
    },
  });
  if (!isRaised) throw new Error(`No file has ${PROTOCOL}`);
}

async function openPage(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.address}/fixture/`);
  await page.waitForFunction(() => 'collectionStore' in globalThis);
  return page;
}

/** Answers the code of the error, if there is one. */
const open = (page: Page, { worker, indexes }: Build): Promise<string | undefined> =>
  page.evaluate(
    async ([url, on]) => {
      try {
        const store = await collectionStore.openStore({
          name: 'builds',
          collections: { rows: { indexes: [...on] } },
          worker: () => new Worker(url, { type: 'module' }),
        });
        Object.assign(globalThis, { store, rows: store.collection('rows') });
        store.tabs$.subscribe({ next: (tabs) => Object.assign(globalThis, { tabs }), error: () => undefined });
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      }
    },
    [worker, indexes] as const,
  );

async function tabOf(context: BrowserContext, which: Build): Promise<Page> {
  const page = await openPage(context);
  expect(await open(page, which)).toBe(undefined);
  return page;
}

const statusOf = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const { state, reasons } = (globalThis as unknown as Globals).store.status;
    return [state, ...reasons].join(' ');
  });

const codeOfRead = (page: Page): Promise<unknown> =>
  page.evaluate(() => (globalThis as unknown as Globals).rows.count().catch((error) => error.code));

/** The last that a page was told of all tabs. */
const tabsOf = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const { tabs = [] } = globalThis as unknown as Globals;
    return tabs
      .map(({ isLeader, isOwn }) => (isLeader ? 'leader' : 'follower') + (isOwn ? ' (own)' : ''))
      .toSorted()
      .join(', ');
  });

describe.each(BROWSERS)('%s', (browserName) => {
  test.each([
    ['of the next protocol', NEXT],
    ['with another index', INDEXED],
  ] as const)(
    '[T8] a tab %s gets the store, older ones are told to reload',
    { timeout: 120_000 },
    async (_what, newer) => {
      const browser = await launch(browserName);
      try {
        const context = await browser.newContext();
        const [leader, follower] = [await tabOf(context, NOW), await tabOf(context, NOW)];
        await leader.evaluate(async () => {
          const { rows } = globalThis as unknown as Globals;
          for (let n = 0; n < 20; n++) await rows.create({ id: `r${n}`, n }, { durability: 'deferred' });
        });
        const latest = await tabOf(context, newer);
        expect(await latest.evaluate(() => (globalThis as unknown as Globals).rows.count())).toBe(20);
        // Nobody has asked them anything.
        for (const old of [leader, follower]) {
          await expect.poll(() => statusOf(old)).toMatch(/^poisoned store\/outdated/);
          expect(await codeOfRead(old)).toBe('store/outdated');
        }
        expect(await tabsOf(latest)).toBe('leader (own)');
        if (newer === NEXT) expect(await open(await openPage(context), NOW)).toBe('store/outdated');
        expect(await codeOfRead(latest)).toBe(20);
        // As the user was told to.
        await leader.reload();
        await leader.waitForFunction(() => 'collectionStore' in globalThis);
        expect(await open(leader, newer)).toBe(undefined);
        expect(await codeOfRead(leader)).toBe(20);
      } finally {
        await browser.close();
      }
    },
  );

  test('tabs know of each other, and one that follows can destroy the store', { timeout: 120_000 }, async () => {
    const browser = await launch(browserName);
    try {
      const context = await browser.newContext();
      const [first, second, third] = [
        await tabOf(context, NOW),
        await tabOf(context, NOW),
        await tabOf(context, NOW),
      ] as const;
      await expect.poll(() => tabsOf(first)).toBe('follower, follower, leader (own)');
      await expect.poll(() => tabsOf(second)).toBe('follower, follower (own), leader');
      await first.close();
      await expect.poll(() => tabsOf(second).then((tabs) => tabs.split(', ').length)).toBe(2);
      await expect.poll(() => tabsOf(third)).toMatch(/leader/);
      await second.evaluate(() => (globalThis as unknown as Globals).rows.create({ id: 'a' }));
      const leads = (await tabsOf(second)).includes('leader (own)');
      const [follower, leader] = leads ? [third, second] : [second, third];
      await follower.evaluate(() => (globalThis as unknown as Globals).store.destroy());
      await expect.poll(() => statusOf(leader)).toMatch(/^poisoned store\/destroyed/);
      expect(await codeOfRead(leader)).toBe('store/destroyed');
      const names = await leader.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name));
      expect(names.filter((name) => name?.includes('builds'))).toEqual([]);
      const fresh = await tabOf(context, NOW);
      expect(await codeOfRead(fresh)).toBe(0);
    } finally {
      await browser.close();
    }
  });
});
