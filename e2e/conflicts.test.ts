/**
 * Goal: a conflict of two devices in a real browser is shown in one tab and resolved in another, and functions of the page
 * decide. Method: two profiles of a browser with the built package; the relay is stopped while both change a row.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import ts from 'typescript';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';
import type { Conflict } from '../src/index.ts';
import { BROWSERS, type BrowserName, launchWithProfile, withProfile } from './harness.ts';
import { type RelayProcess, startRelayProcess } from './relay/relay-process.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const POLL = { timeout: 20_000, interval: 50 } as const;

declare const collectionStore: typeof import('../src/index.ts');
const open = (url: string) =>
  collectionStore.openStore({
    name: 'app',
    collections: {
      orders: collectionStore.defineCollection<{ id: string; total: number; comment: string; status: string }>({
        conflict: {
          comment: 'manual',
          status: 'server-wins',
          total: (base = 0, local = 0, remote = 0) => local + remote - base,
        },
      }),
    },
    sync: { relays: [{ url }], token: 'open sesame' },
  });
type Globals = { store: Awaited<ReturnType<typeof open>>; conflicts: readonly Conflict[] };

let folder: string;
let relay: RelayProcess;
let served: Served;
const startRelay = (port: string): Promise<RelayProcess> =>
  startRelayProcess(ROOT, ['--data', join(folder, 'data'), '--port', port, '--origin', '*'], {
    COLLECTION_STORE_SECRET: 'open sesame',
  });
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'conflicts-'));
  relay = await startRelay('0');
  served = await serve({
    mounts: { '/': DEMO, '/dist/': join(ROOT, 'dist'), '/fixture/': join(ROOT, 'e2e/fixture') },
    headers: { 'content-security-policy': `default-src 'self'; connect-src 'self' ${relay.url}` },
  });
});
afterEach(async () => {
  await relay.end('SIGTERM');
  await served.close();
  await rm(folder, { recursive: true, force: true });
});

async function openTab(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.address}/fixture/`);
  await page.waitForFunction(() => 'collectionStore' in globalThis);
  await page.evaluate(`globalThis.openSynced = ${open.toString()}`);
  await page.evaluate(async (url) => {
    const store = await (globalThis as unknown as { openSynced: typeof open }).openSynced(url);
    const globals = Object.assign(globalThis, { store, conflicts: [] as readonly Conflict[] });
    store.conflicts$.subscribe((conflicts) => Object.assign(globals, { conflicts }));
  }, relay.url);
  return page;
}

type Order = { id: string; total: number; comment: string; status: string; address?: string; views?: number };
const put = (page: Page, row: Order): Promise<unknown> =>
  page.evaluate((given) => (globalThis as unknown as Globals).store.orders.put(given), row);
const get = (page: Page): Promise<unknown> =>
  page.evaluate(() => (globalThis as unknown as Globals).store.orders.get('a'));
const flush = (page: Page): Promise<void> => page.evaluate(() => (globalThis as unknown as Globals).store.sync.flush());
const connection = (page: Page): Promise<unknown> =>
  page.evaluate(
    () =>
      new Promise((resolve) =>
        (globalThis as unknown as Globals).store.sync.status$.subscribe((status) => resolve(status.connection)),
      ),
  );
const inbox = (page: Page): Promise<readonly Partial<Conflict>[]> =>
  page.evaluate(() =>
    (globalThis as unknown as Globals).conflicts.map(({ kind, fields, local, remote }) => ({
      kind,
      fields,
      local,
      remote,
    })),
  );

/** Two devices. The second one has no page while the first one brings its changes to the relay. */
function withDevices(
  browser: BrowserName,
  use: (contexts: readonly [BrowserContext, BrowserContext]) => Promise<void>,
): Promise<void> {
  return withProfile((one) =>
    withProfile(async (two) => {
      const contexts = [await launchWithProfile(browser, one), await launchWithProfile(browser, two)] as const;
      try {
        await use(contexts);
      } finally {
        for (const context of contexts) await context.close().catch(() => undefined);
      }
    }),
  );
}

/** Until a device has noticed. Answers the port on which it can start again. */
async function endRelay(device: Page): Promise<string> {
  const { port } = new URL(relay.url);
  await relay.end('SIGTERM');
  await expect.poll(() => connection(device), POLL).not.toBe('online');
  return port;
}

async function openExample(context: BrowserContext, example: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.address}/fixture/`);
  await page.waitForFunction(() => 'collectionStore' in globalThis);
  await page.evaluate(`(async () => { ${example} globalThis.store = store; })()`);
  return page;
}

/** The example of the guide as a browser runs it, with the relay of the test. */
async function readExample(): Promise<string> {
  const guide = await readFile(join(ROOT, 'src/client/SYNC.md'), 'utf8');
  const [, example = ''] = /^```ts\n([^`]*?store\.conflicts\$.*?)^```$/ms.exec(guide) ?? [];
  const [imports, relays] = ["import { defineCollection, openStore } from 'collection-store';", 'wss://relay.example'];
  expect(example).toContain(imports);
  expect(example).toContain(`{ url: '${relays}' }] }`);
  const run = example
    .replace(imports, 'const { defineCollection, openStore } = globalThis.collectionStore;')
    .replace(`{ url: '${relays}' }] }`, `{ url: '${relay.url}' }], token: 'open sesame' }`);
  return ts.transpileModule(run, { compilerOptions: { target: ts.ScriptTarget.ES2022 } }).outputText;
}

describe.each(BROWSERS)('%s', (browser) => {
  test('[CONF-5] [CONF-6] [CONF-7] a conflict is shown in every tab, and resolved in one', { timeout: 120_000 }, () =>
    withDevices(browser, async (contexts) => {
      const [a, b] = [await openTab(contexts[0]), await openTab(contexts[1])];
      const follower = await openTab(contexts[1]);
      const start = { id: 'a', total: 10, comment: '', status: 'new' };
      await put(a, start);
      await flush(a);
      await expect.poll(() => get(b), POLL).toEqual(start);
      const port = await endRelay(a);
      await put(a, { ...start, total: 15, comment: 'of a', status: 'paid' });
      await put(follower, { ...start, total: 12, comment: 'of b', status: 'sent' });
      await b.close();
      await follower.close();
      relay = await startRelay(port);
      await flush(a);
      const [leader, second] = [await openTab(contexts[1]), await openTab(contexts[1])];
      await flush(leader);
      const fields = { total: 17, status: 'paid' };
      for (const page of [a, leader, second]) await expect.poll(() => get(page), POLL).toMatchObject(fields);
      for (const page of [leader, second]) {
        await expect
          .poll(() => inbox(page), POLL)
          .toMatchObject([
            { kind: 'manual', fields: ['comment'], local: { comment: 'of b' }, remote: { comment: 'of a' } },
            { kind: 'merged', fields: ['status'] },
          ]);
      }
      expect(await inbox(a)).toEqual([]);
      // A reload keeps it.
      await leader.close();
      const reloaded = await openTab(contexts[1]);
      await expect.poll(() => inbox(reloaded), POLL).toHaveLength(2);
      await second.evaluate(async () => {
        const { conflicts } = globalThis as unknown as Globals;
        const { local, remote } = conflicts[0]!;
        await conflicts[0]!.resolve({
          ...remote!,
          comment: `${remote!['comment']}, ${local!['comment']}`,
          total: 17,
        });
        await conflicts[1]!.undo();
      });
      for (const page of [reloaded, second]) await expect.poll(() => inbox(page), POLL).toEqual([]);
      const resolved = { id: 'a', total: 17, comment: 'of a, of b', status: 'sent' };
      for (const page of [a, reloaded]) await expect.poll(() => get(page), POLL).toEqual(resolved);
    }),
  );

  test('[CONF-5] [CONF-7] the example of the guide decides, resolves and undoes', { timeout: 120_000 }, () =>
    withDevices(browser, async (contexts) => {
      const example = await readExample();
      const a = await openExample(contexts[0], example);
      const b = await openExample(contexts[1], example);
      const start = { id: 'a', total: 10, comment: '', status: 'new', address: 'old', views: 1 };
      await put(a, start);
      await flush(a);
      await expect.poll(() => get(b), POLL).toEqual(start);
      const port = await endRelay(a);
      await put(a, { ...start, total: 15, comment: 'of a', status: 'paid', address: 'of a', views: 3 });
      await put(b, { ...start, total: 12, comment: 'of b', status: 'sent', address: 'of b', views: 8 });
      await b.close();
      relay = await startRelay(port);
      await flush(a);
      const again = await openExample(contexts[1], example);
      await flush(again);
      // The example takes the entry back in which b's address had won over a's, and b's status had lost.
      const merged = { id: 'a', total: 17, comment: 'of a\nof b', status: 'sent', address: 'of a', views: 10 };
      for (const page of [a, again]) await expect.poll(() => get(page), POLL).toEqual(merged);
    }),
  );
});
