/** Pages that share a store, for tests of several tabs: the fixture page with a store opened in it. */
import type { BrowserContext, Page } from 'playwright';
import type { AnyRow, Collection } from '../src/index.ts';
import { launchWithProfile, withProfile } from './harness.ts';

/** What the fixture page makes global. Used only in functions that run in a page. */
declare const collectionStore: typeof import('../src/index.ts');

export type TabStore = Awaited<ReturnType<typeof collectionStore.openStore>>;
/** What `openTab` makes global in the page. */
export type TabGlobals = { readonly store: TabStore; readonly rows: Collection<AnyRow> };

export type TabOptions = {
  readonly address: string;
  readonly store: string;
  /** Collections without a definition of their own; the first one is `rows` in the page. */
  readonly collections?: readonly string[];
};

/** A page with the store open. */
export async function openTab(context: BrowserContext, options: TabOptions): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${options.address}/fixture/`);
  await openStoreIn(page, options);
  return page;
}

/** Opens the store in a page that was loaded, or loaded again. */
export async function openStoreIn(page: Page, { store, collections = ['rows'] }: TabOptions): Promise<void> {
  await page.waitForFunction(() => 'collectionStore' in globalThis);
  await page.evaluate(
    async ([name, names]) => {
      const definitions = Object.fromEntries(names.map((each) => [each, {}]));
      const opened = await collectionStore.openStore({ name, collections: definitions });
      Object.assign(globalThis, { store: opened, rows: opened.collection(names[0]!) });
    },
    [store, collections] as const,
  );
}

/** Who holds the store's lock, and whether it was stolen within the last minute, as the browser tells. */
export function lockOf(page: Page, store: string): Promise<{ holders: string[]; isStolen: boolean }> {
  return page.evaluate(async (name) => {
    const { held = [] } = await navigator.locks.query();
    return {
      holders: held.filter((lock) => lock.name === `collection-store/${name}`).map(({ clientId }) => clientId!),
      isStolen: held.some((lock) => lock.name === `collection-store/${name}/steal`),
    };
  }, store);
}

/** A Chromium on a profile of its own, closed and removed afterwards. */
export function withChromium<T>(use: (context: BrowserContext, profile: string) => Promise<T>): Promise<T> {
  return withProfile(async (profile) => {
    const context = await launchWithProfile('chromium', profile);
    try {
      return await use(context, profile);
    } finally {
      await context.close().catch(() => undefined);
    }
  });
}
