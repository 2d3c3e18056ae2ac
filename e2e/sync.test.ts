/**
 * Goal: devices in real browsers share what they have through the built relay, and nothing else leaves them. Method: two
 * profiles with pages of one application; the relay is stopped and started, tabs that lead are closed and killed.
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Doc } from 'yjs';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';
import type { LiveDocument, Participant, SyncState } from '../src/index.ts';
import { createSeededRandom } from '../test/fakes/seeded-random.ts';
import { BROWSERS, type BrowserName, launchWithProfile, withProfile } from './harness.ts';
import { type RelayProcess, startRelayProcess } from './relay/relay-process.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const POLL = { timeout: 20_000, interval: 50 } as const;
const CANARY = 'never-leaves-the-device';

/** What the fixture page makes global. Used only in functions that run in the page. */
declare const collectionStore: typeof import('../src/index.ts');
const open = (name: string, url: string) =>
  collectionStore.openStore({
    name,
    collections: {
      tasks: { fields: { notes: 'text', likes: 'counter', labels: 'set', steps: 'list' } },
      secrets: { sync: false },
    },
    sync: { relays: [{ url }], token: async () => 'open sesame' },
  });
type Globals = {
  store: Awaited<ReturnType<typeof open>>;
  told: SyncState;
  pending: number[];
  others: readonly Participant[];
  doc: LiveDocument<Doc> | undefined;
  yjs: typeof import('yjs');
};

/** Yjs as an application has it, for a page without a bundler. */
let vendor: string;
beforeAll(async () => {
  vendor = await mkdtemp(join(tmpdir(), 'yjs-'));
  const lib = { entry: join(ROOT, 'node_modules/yjs/dist/yjs.mjs'), formats: ['es' as const], fileName: 'yjs' };
  await build({ configFile: false, logLevel: 'error', publicDir: false, build: { lib, outDir: vendor } });
});
afterAll(() => rm(vendor, { recursive: true, force: true }));

let folder: string;
let relay: RelayProcess;
let served: Served;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sync-'));
  relay = await startRelay('0');
  served = await serve({
    mounts: { '/': DEMO, '/dist/': join(ROOT, 'dist'), '/fixture/': join(ROOT, 'e2e/fixture'), '/vendor/': vendor },
    headers: { 'content-security-policy': `default-src 'self'; connect-src 'self' ${relay.url}` },
  });
});
afterEach(async () => {
  await relay.end('SIGTERM');
  await served.close();
  await rm(folder, { recursive: true, force: true });
});

const startRelay = (port: string): Promise<RelayProcess> =>
  startRelayProcess(ROOT, ['--data', join(folder, 'data'), '--port', port, '--origin', '*'], {
    COLLECTION_STORE_SECRET: 'open sesame',
  });

async function openTab(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${served.address}/fixture/`);
  await page.waitForFunction(() => 'collectionStore' in globalThis);
  await page.evaluate("import('/vendor/yjs.js').then((yjs) => Object.assign(globalThis, { yjs }) && undefined)");
  await page.evaluate(`globalThis.openSynced = ${open.toString()}`);
  await page.evaluate(async (url) => {
    const store = await (globalThis as unknown as { openSynced: typeof open }).openSynced('app', url);
    const globals = Object.assign(globalThis, { store, pending: [] as number[] });
    store.sync.status$.subscribe((status) => Object.assign(globals, { told: status }));
    store.sync.presence.others$.subscribe((others) => Object.assign(globals, { others }));
    store.sync.pending$.subscribe((pending) => globals.pending.push(pending));
  }, relay.url);
  return page;
}

const put = (page: Page, row: Record<string, unknown>): Promise<unknown> =>
  page.evaluate((given) => (globalThis as unknown as Globals).store.tasks.put(given), row);
const update = (page: Page, id: string, changes: Record<string, unknown>): Promise<unknown> =>
  page.evaluate(([key, given]) => (globalThis as unknown as Globals).store.tasks.update(key, given), [
    id,
    changes,
  ] as const);
const get = (page: Page, id: string): Promise<unknown> =>
  page.evaluate((key) => (globalThis as unknown as Globals).store.tasks.get(key), id);
const all = (page: Page): Promise<unknown> =>
  page.evaluate(async () => (globalThis as unknown as Globals).store.tasks.find());
const flush = (page: Page): Promise<void> => page.evaluate(() => (globalThis as unknown as Globals).store.sync.flush());
const status = (page: Page): Promise<SyncState> => page.evaluate(() => (globalThis as unknown as Globals).told);
const pending = (page: Page): Promise<number | undefined> =>
  page.evaluate(() => (globalThis as unknown as Globals).pending.at(-1));

/** The text of a document in an editor, after something was done to it and stored. */
const edit = (page: Page, id: string, at: number, text: string): Promise<string> =>
  page.evaluate(
    async ([key, place, inserted]) => {
      const globals = globalThis as unknown as Globals;
      globals.doc ??= await globals.store.doc('tasks', key, { yjs: globals.yjs });
      const notes = globals.doc.ydoc.getText('notes');
      if (inserted !== '') notes.insert(Math.min(place, notes.length), inserted);
      await globals.doc.saved();
      return notes.toString();
    },
    [id, at, text] as const,
  );
const read = (page: Page): Promise<string> => edit(page, 't1', 0, '');
const here = (page: Page, name: string): Promise<void> =>
  page.evaluate((given) => (globalThis as unknown as Globals).store.sync.presence.set({ name: given }), name);
const others = (page: Page): Promise<readonly string[]> =>
  page.evaluate(() =>
    (globalThis as unknown as Globals).others
      .map(({ state, isHere }) => `${state['name']}${isHere ? ' here' : ''}`)
      .sort(),
  );

/** Two devices with one tab each. */
function withDevices(
  browser: BrowserName,
  use: (devices: Devices) => Promise<void>,
  other: BrowserName = browser,
): Promise<void> {
  return withProfile((one) =>
    withProfile(async (two) => {
      const contexts = [await launchWithProfile(browser, one), await launchWithProfile(other, two)] as const;
      try {
        const [a, b] = [await openTab(contexts[0]), await openTab(contexts[1])];
        await use({ a, b, contextA: contexts[0], contextB: contexts[1] });
      } finally {
        for (const context of contexts) await context.close().catch(() => undefined);
      }
    }),
  );
}
type Devices = {
  readonly a: Page;
  readonly b: Page;
  readonly contextA: BrowserContext;
  readonly contextB: BrowserContext;
};

describe.each(BROWSERS)('%s', (browser) => {
  test('[R2] [R19] edits go both ways, also those that were made offline, and merge', { timeout: 120_000 }, () =>
    withDevices(browser, async ({ a, b }) => {
      await put(a, { id: 't1', title: 'Buy milk', notes: 'two', likes: 1 });
      await flush(a);
      expect(await pending(a)).toBe(0);
      await expect.poll(() => get(b, 't1'), POLL).toMatchObject({ title: 'Buy milk', notes: 'two', likes: 1 });
      await update(b, 't1', { title: 'Buy oat milk' });
      await expect.poll(() => get(a, 't1'), POLL).toMatchObject({ title: 'Buy oat milk' });
      expect(await status(a)).toMatchObject({ connection: 'online' });

      const port = new URL(relay.url).port;
      await relay.end('SIGTERM');
      await expect.poll(async () => (await status(a)).connection, POLL).not.toBe('online');
      await update(a, 't1', { notes: 'two litres', likes: 3 });
      await update(b, 't1', { notes: 'now two', likes: 6 });
      await put(a, { id: 't2', title: 'of a' });
      await put(b, { id: 't3', title: 'of b' });
      expect(await pending(a)).toBeGreaterThan(0);
      expect(await a.evaluate(() => (globalThis as unknown as Globals).store.sync.isSaved())).toBe(false);
      relay = await startRelay(port);
      await Promise.all([flush(a), flush(b)]);
      await expect.poll(() => get(a, 't1'), POLL).toMatchObject({ notes: 'now two litres', likes: 8 });
      await expect
        .poll(async () => [await all(a), await all(b)].map((rows) => JSON.stringify(rows)), POLL)
        .toEqual(Array(2).fill(JSON.stringify(await all(a))));
      expect(await all(b)).toHaveLength(3);
    }),
  );

  test('[R2] the tab that leads is closed, or killed, and the next one goes on', { timeout: 120_000 }, () =>
    withDevices(browser, async ({ a, b, contextA }) => {
      const second = await openTab(contextA);
      await put(second, { id: 'of the follower' });
      await flush(second);
      expect(await pending(a)).toBe(0);
      await a.close();
      await put(second, { id: 'after closing' });
      await flush(second);
      await expect.poll(() => get(b, 'after closing'), POLL).toBeDefined();
      await put(b, { id: 'back' });
      await expect.poll(() => get(second, 'back'), POLL).toBeDefined();
      if (browser === 'chromium') {
        const third = await openTab(contextA);
        await put(second, { id: 'before the kill' });
        await second.goto('chrome://crash').catch(() => undefined);
        await put(third, { id: 'after the kill' });
        await flush(third);
        await expect.poll(() => get(b, 'before the kill'), POLL).toBeDefined();
        await expect.poll(() => get(b, 'after the kill'), POLL).toBeDefined();
      }
    }),
  );

  test('[R17] tabs see who else is here, on this device and on others, until they go', { timeout: 120_000 }, () =>
    withDevices(browser, async ({ a, b, contextA }) => {
      const second = await openTab(contextA);
      await here(a, 'a');
      await here(b, 'b');
      await here(second, 'second');
      await expect.poll(() => others(a), POLL).toEqual(['b', 'second here']);
      await expect.poll(() => others(b), POLL).toEqual(['a', 'second']);
      await expect.poll(() => others(second), POLL).toEqual(['a here', 'b']);
      // The tab that leads is closed: the other one's sync worker goes on.
      await a.close();
      await expect.poll(() => others(second), POLL).toEqual(['b']);
      await expect.poll(() => others(b), POLL).toEqual(['second']);
      if (browser === 'chromium') {
        const third = await openTab(contextA);
        await here(third, 'third');
        await expect.poll(() => others(b), POLL).toEqual(['second', 'third']);
        await third.goto('chrome://crash').catch(() => undefined);
        await expect.poll(() => others(b), POLL).toEqual(['second']);
        await expect.poll(() => others(second), POLL).toEqual(['b']);
      }
      await relay.end('SIGTERM');
      await expect.poll(() => others(second), POLL).toEqual([]);
    }),
  );

  test('[EDIT-2] the example of the guide binds a textarea', { timeout: 60_000 }, () =>
    withDevices(browser, async ({ a, b }) => {
      const guide = await readFile(join(ROOT, 'src/client/SYNC.md'), 'utf8');
      const [, example = ''] = /^```js example\n(.*?)^```$/ms.exec(guide) ?? [];
      expect(example).not.toBe('');
      await put(a, { id: 'milk', notes: 'buy \u{1f95b}' });
      await flush(a);
      await expect.poll(() => get(b, 'milk'), POLL).toBeDefined();
      for (const page of [a, b]) {
        await page.evaluate(() => document.body.append(document.createElement('textarea')));
        await page.evaluate(`(async () => { ${example} globalThis.stop = stop; })()`);
      }
      // One writes before the caret of the other, who goes on.
      await b.locator('textarea').press('End');
      await a.locator('textarea').press('Home');
      await a.locator('textarea').pressSequentially('now ');
      await expect.poll(() => b.locator('textarea').inputValue(), POLL).toBe('now buy \u{1f95b}');
      await b.locator('textarea').pressSequentially('!\u{1f600}');
      const both = 'now buy \u{1f95b}!\u{1f600}';
      for (const page of [a, b]) {
        await expect.poll(() => page.locator('textarea').inputValue(), POLL).toBe(both);
        await expect.poll(() => get(page, 'milk'), POLL).toMatchObject({ notes: both });
      }
    }),
  );

  test('[EDIT-1] [EDIT-3] an editor in every tab, offline and under another leader', { timeout: 120_000 }, () =>
    withDevices(browser, async ({ a, b, contextA }) => {
      await put(a, { id: 't1', title: 'x', notes: 'hello' });
      await flush(a);
      await expect.poll(() => get(b, 't1'), POLL).toBeDefined();
      const second = await openTab(contextA);
      expect(await edit(second, 't1', 5, ' world')).toBe('hello world');
      expect(await get(a, 't1')).toMatchObject({ notes: 'hello world' });
      expect(await read(a)).toBe('hello world');
      await expect.poll(() => read(b), POLL).toBe('hello world');
      await update(b, 't1', { notes: 'hello world!' });
      await expect.poll(() => read(second), POLL).toBe('hello world!');
      const port = new URL(relay.url).port;
      await relay.end('SIGTERM');
      expect(await edit(second, 't1', 0, 'A ')).toBe('A hello world!');
      expect(await edit(b, 't1', 99, ' B')).toBe('hello world! B');
      // What was saved is there when the tab that led is gone, or killed at once.
      await a.evaluate(async () => {
        const { doc } = globalThis as unknown as Globals;
        doc!.ydoc.getText('notes').insert(0, 'led ');
        await doc!.saved();
      });
      await a.close();
      expect(await edit(second, 't1', 0, 'next ')).toBe('next led A hello world!');
      if (browser === 'chromium') {
        const third = await openTab(contextA);
        expect(await edit(third, 't1', 0, 'third ')).toBe('third next led A hello world!');
        await third.goto('chrome://crash').catch(() => undefined);
      } else await edit(second, 't1', 0, 'third ');
      await expect.poll(() => get(second, 't1'), POLL).toMatchObject({ notes: 'third next led A hello world!' });
      relay = await startRelay(port);
      await Promise.all([flush(second), flush(b)]);
      await expect.poll(() => read(b), POLL).toBe('third next led A hello world! B');
      await expect.poll(() => read(second), POLL).toBe('third next led A hello world! B');
      expect(await get(second, 't1')).toEqual(await get(b, 't1'));
    }),
  );

  test('[MARK-4] what is not synchronised does not leave the device', { timeout: 60_000 }, () =>
    withDevices(browser, async ({ a, b }) => {
      const secret = { id: 'secret', text: CANARY };
      await a.evaluate((row) => (globalThis as unknown as Globals).store.secrets.put(row), secret);
      await a.evaluate(
        (row) =>
          (globalThis as unknown as Globals).store.transaction(async (tx) => {
            await tx.secrets.put({ ...row, id: 'in a transaction' });
            await tx.tasks.put({ id: 'beside it', text: 'leaves-the-device' });
          }),
        secret,
      );
      await flush(a);
      await expect.poll(() => get(b, 'beside it'), POLL).toBeDefined();
      await relay.end('SIGTERM');
      const data = join(folder, 'data');
      const files = await readdir(data, { recursive: true, withFileTypes: true });
      const texts = await Promise.all(
        files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
      );
      const bytes = texts.join('\n');
      expect(bytes).toContain('leaves-the-device');
      expect(bytes).not.toContain(CANARY);
      expect(bytes).not.toContain('secrets');
    }),
  );
});

const SEED = 20_261;
const EDITS = 60;
const WORDS = ['milk', 'bread', 'paint', 'seeds', 'nails'];
const SCREENSHOTS = new URL('../test-results/screenshots', import.meta.url).pathname;

test(
  `[R10] [R19] [R12] a Chromium and a Firefox that were offline come together, seed ${SEED}`,
  {
    timeout: 180_000,
  },
  () =>
    withDevices(
      'chromium',
      async ({ a, b }) => {
        const rows = Array.from({ length: 8 }, (_, n) => ({
          id: `task ${n}`,
          title: WORDS[n % WORDS.length]!,
          notes: 'as it was',
          likes: 0,
          labels: ['home'],
          steps: ['one'],
        }));
        for (const row of rows) await put(a, row);
        await flush(a);
        await expect.poll(async () => ((await all(b)) as readonly unknown[]).length, POLL).toBe(rows.length);

        const { port } = new URL(relay.url);
        await relay.end('SIGTERM');
        const [ofChromium, ofFirefox] = await Promise.all([editOffline(a, 1), editOffline(b, 2)]);
        expect(await pending(a)).toBeGreaterThan(0);
        expect(await pending(b)).toBeGreaterThan(0);
        relay = await startRelay(port);
        await Promise.all([flush(a), flush(b)]);
        const textOf = async (page: Page): Promise<string> => JSON.stringify(await all(page));
        await expect.poll(async () => (await textOf(a)) === (await textOf(b)), POLL).toBe(true);

        const found = (await all(a)) as readonly {
          readonly id: string;
          readonly likes: number;
          readonly notes: string;
        }[];
        const deleted = new Set([...ofChromium.deleted, ...ofFirefox.deleted]);
        expect(found.map(({ id }) => id)).toEqual(
          [...rows.map(({ id }) => id), ...ofChromium.created, ...ofFirefox.created]
            .filter((id) => !deleted.has(id))
            .sort(),
        );
        for (const { id, likes, notes } of found) {
          expect(likes, id).toBe((ofChromium.likes[id] ?? 0) + (ofFirefox.likes[id] ?? 0));
          // What both have typed is there, each once.
          for (const word of [...(ofChromium.typed[id] ?? []), ...(ofFirefox.typed[id] ?? [])])
            expect(notes.split(word), `${id}: ${notes}`).toHaveLength(2);
        }
        await Promise.all([show(a, 'chromium'), show(b, 'firefox')]);
      },
      'firefox',
    ),
);

type Edits = {
  readonly created: string[];
  readonly deleted: string[];
  readonly likes: Record<string, number>;
  readonly typed: Record<string, string[]>;
};

/** Random edits of all field types. The two devices delete and create different documents, and share the others. */
async function editOffline(page: Page, device: number): Promise<Edits> {
  const random = createSeededRandom(SEED + device);
  const below = (count: number): number => Math.floor(random() * count);
  const edits: Edits = { created: [], deleted: [], likes: {}, typed: {} };
  for (let edit = 0; edit < EDITS; edit++) {
    const id = `task ${below(6)}`;
    const row = (await get(page, id)) as { notes: string; likes: number; labels: string[]; steps: string[] };
    const dice = below(6);
    if (dice === 0) await update(page, id, { title: `${WORDS[below(5)]} ${device}` });
    else if (dice === 1) {
      const word = ` d${device}e${edit};`;
      const at = below(row.notes.length + 1);
      // Not in the middle of another word: each has to be found again.
      const place = row.notes.indexOf(';', at) + 1;
      await update(page, id, { notes: row.notes.slice(0, place) + word + row.notes.slice(place) });
      edits.typed[id] = [...(edits.typed[id] ?? []), word];
    } else if (dice === 2) {
      await update(page, id, { likes: row.likes + 1 });
      edits.likes[id] = (edits.likes[id] ?? 0) + 1;
    } else if (dice === 3) await update(page, id, { labels: [...new Set([...row.labels, WORDS[below(5)]!])] });
    else if (dice === 4) await update(page, id, { steps: [...row.steps, `step ${device} ${edit}`] });
    else {
      const created = `new ${device} ${edit}`;
      await put(page, { id: created, title: 'made offline', notes: '', likes: 0, labels: [], steps: [] });
      edits.created.push(created);
    }
  }
  const gone = `task ${5 + device}`;
  await page.evaluate((key) => (globalThis as unknown as Globals).store.tasks.delete(key), gone);
  edits.deleted.push(gone);
  return edits;
}

/** For somebody who looks at it. */
async function show(page: Page, name: string): Promise<void> {
  await page.evaluate(async () => {
    const rows = await (globalThis as unknown as Globals).store.tasks.find();
    document.body.replaceChildren(
      ...(rows as readonly object[]).map((row) =>
        Object.assign(document.createElement('p'), { textContent: JSON.stringify(row) }),
      ),
    );
  });
  await mkdir(SCREENSHOTS, { recursive: true });
  await page.screenshot({ path: join(SCREENSHOTS, `offline-${name}.png`) });
}
