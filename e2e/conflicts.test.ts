/**
 * Goal: a conflict of two devices in a real browser is shown in one tab and resolved in another, and functions of the page
 * decide. Method: two profiles of Chromium with the built package; the relay is stopped while both change a row.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';
import type { Conflict } from '../src/index.ts';
import { launchWithProfile, withProfile } from './harness.ts';
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

type Order = { id: string; total: number; comment: string; status: string };
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

test('[CONF-5] [CONF-6] [CONF-7] a conflict is shown in every tab, and resolved in one', { timeout: 120_000 }, () =>
  withProfile((one) =>
    withProfile(async (two) => {
      const contexts = [await launchWithProfile('chromium', one), await launchWithProfile('chromium', two)] as const;
      try {
        const [a, b] = [await openTab(contexts[0]), await openTab(contexts[1])];
        const follower = await openTab(contexts[1]);
        const start = { id: 'a', total: 10, comment: '', status: 'new' };
        await put(a, start);
        await flush(a);
        await expect.poll(() => get(b), POLL).toEqual(start);
        const port = new URL(relay.url).port;
        await relay.end('SIGTERM');
        await expect.poll(() => connection(a), POLL).not.toBe('online');
        await put(a, { ...start, total: 15, comment: 'of a', status: 'paid' });
        await put(follower, { ...start, total: 12, comment: 'of b', status: 'sent' });
        // Nobody has b's page meanwhile: a is the first at the relay.
        await contexts[1].setOffline(true);
        relay = await startRelay(port);
        await flush(a);
        await contexts[1].setOffline(false);
        await flush(b);
        const fields = { total: 17, status: 'paid' };
        for (const page of [a, b, follower]) await expect.poll(() => get(page), POLL).toMatchObject(fields);
        for (const page of [b, follower]) {
          await expect
            .poll(() => inbox(page), POLL)
            .toMatchObject([
              { kind: 'manual', fields: ['comment'], local: { comment: 'of b' }, remote: { comment: 'of a' } },
              { kind: 'merged', fields: ['status'] },
            ]);
        }
        expect(await inbox(a)).toEqual([]);
        // A reload keeps it.
        await b.close();
        const reloaded = await openTab(contexts[1]);
        await expect.poll(() => inbox(reloaded), POLL).toHaveLength(2);
        await follower.evaluate(async () => {
          const { conflicts } = globalThis as unknown as Globals;
          const { local, remote } = conflicts[0]!;
          await conflicts[0]!.resolve({
            ...remote!,
            comment: `${remote!['comment']}, ${local!['comment']}`,
            total: 17,
          });
          await conflicts[1]!.undo();
        });
        for (const page of [reloaded, follower]) await expect.poll(() => inbox(page), POLL).toEqual([]);
        const resolved = { id: 'a', total: 17, comment: 'of a, of b', status: 'sent' };
        for (const page of [a, reloaded]) await expect.poll(() => get(page), POLL).toEqual(resolved);
      } finally {
        for (const context of contexts) await context.close().catch(() => undefined);
      }
    }),
  ),
);
