/**
 * Goal: a row is edited through its Y.Doc as through the collection: in every tab, offline, with other devices and with
 * unmodified y-websocket clients, and each change is stored once. Method: the page's part on a channel of the test, real
 * Yjs, real engines, a real relay, and the real y-websocket beside.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as yjs from 'yjs';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { createDocuments, type DocumentsOfTab, type LiveDocument } from '../../src/client/document.ts';
import type { SyncNews } from '../../src/protocol/sync-worker.ts';
import { collection, index } from '../engine/engine-fixture.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { type DeviceOptions, nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 52);
const NOTES = [
  { name: 'tasks', key: 'id', fields: { notes: 'text', likes: 'counter', steps: 'list' } as const },
  { name: 'plain', key: 'id', fields: {} },
];

let relay: RunningFixture;
const closers: (() => unknown)[] = [];
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await relay.stop();
});

type Opened = LiveDocument<yjs.Doc>;

/** One device: tabs and the sync worker on one channel. */
class Home {
  device!: SyncDevice;
  readonly said: SyncNews[] = [];
  /** What the sync worker does not get to hear, or its tabs. */
  losing: (news: SyncNews) => boolean = () => false;
  readonly #tabs = new Set<DocumentsOfTab>();

  static async open(options: DeviceOptions & { readonly isOffline?: true } = {}): Promise<Home> {
    const home = new Home();
    const { isOffline, ...more } = options;
    home.device = await SyncDevice.open({ collections: NOTES, tell: (news) => home.#toTabs(news), ...more });
    closers.push(() => home.device.close());
    await home.device.startSync(isOffline ? 'ws://127.0.0.1:9' : relay.url);
    return home;
  }

  #toTabs(news: SyncNews, but?: DocumentsOfTab): void {
    this.said.push(news);
    const copy = structuredClone(news);
    queueMicrotask(() => {
      if (!this.losing(copy)) for (const tab of this.#tabs) if (tab !== but) tab.heard(copy);
    });
  }

  /** As a tab has it. `close` is a tab that is killed. */
  tab(): { open(key: string, name?: string): Promise<Opened>; close(): void } {
    const say = (news: SyncNews): void => {
      this.said.push(news);
      const copy = structuredClone(news);
      if (!this.losing(copy)) queueMicrotask(() => this.device.session?.heard(copy));
    };
    const tab = createDocuments({ store: 'app', say, platform: nodeSyncPlatform(), ErrorOfStore: StoreError });
    this.#tabs.add(tab);
    closers.push(() => tab.end());
    return {
      open: (key, name = 'tasks') => tab.open(name, key, { yjs, timeoutMs: 5_000 }) as Promise<Opened>,
      close: () => void this.#tabs.delete(tab),
    };
  }
}

const textOf = ({ ydoc }: Opened): string => ydoc.getText('notes').toString();
const row = async (home: Home, key = 'a'): Promise<Row | undefined> => home.device.row(key);
const saved = async (...homes: readonly Home[]): Promise<void> => {
  for (const { device } of homes) await device.saved();
};

test('[EDIT-1] [EDIT-2] an edit is a commit of the row, stored when saved() says so, also offline, and nothing is left to fold', async () => {
  const home = await Home.open({ isOffline: true });
  await home.device.put({ id: 'a', title: 'x', notes: 'hello', likes: 1 });
  const origins: string[] = [];
  home.device.engine.subscribe('tasks', (events) => origins.push(...events.map(({ origin }) => origin)));
  const doc = await home.tab().open('a');
  expect(textOf(doc)).toBe('hello');
  origins.length = 0;
  doc.ydoc.getText('notes').insert(5, ' world');
  doc.ydoc.getMap('fields').set('title', 'edited');
  await doc.saved();
  expect(await row(home)).toEqual({ id: 'a', title: 'edited', notes: 'hello world', likes: 1 });
  expect(await home.device.hidden('changes')).toEqual([]);
  expect(origins).not.toContain('remote');
  const entries = (await home.device.hidden('outbox')).length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(await home.device.hidden('outbox')).toHaveLength(entries);
  // It is in the store, whatever becomes of tab and worker.
  await home.device.crash();
  expect(await row(home)).toMatchObject({ notes: 'hello world' });
  await home.device.startSync(relay.url);
  await saved(home);
  const other = await Home.open();
  await until(async () => (await row(other))?.['notes'] === 'hello world', 'the other device');
  expect(await row(other)).toEqual(await row(home));
});

test('[EDIT-3] tabs, the application and other devices see what is edited, each at once', async () => {
  const [home, far] = [await Home.open(), await Home.open()];
  await home.device.put({ id: 'a', notes: 'one', steps: [1] });
  await saved(home);
  await until(async () => (await row(far)) !== undefined, 'the row');
  const [one, two, three] = [await home.tab().open('a'), await home.tab().open('a'), await far.tab().open('a')];
  one.ydoc.getText('notes').insert(3, ' two');
  await until(() => textOf(two) === 'one two', 'the other tab');
  await until(() => textOf(three) === 'one two', 'the other device');
  three.ydoc.getText('notes').insert(0, 'zero ');
  await until(() => textOf(one) === 'zero one two' && textOf(two) === 'zero one two', 'the way back');
  // The application writes the row, here and there.
  await home.device.change('a', (now) => ({ ...now, notes: `${now['notes']}!`, steps: [1, 2] }));
  for (const doc of [one, two, three]) await until(() => textOf(doc) === 'zero one two!', 'what the application wrote');
  expect(three.ydoc.getArray('steps').toJSON()).toEqual([1, 2]);
  for (const doc of [one, two, three]) await doc.saved();
  await saved(home, far);
  const states = [one, two, three].map(({ ydoc }) => Buffer.from(yjs.encodeStateAsUpdate(ydoc)).toString('hex'));
  expect(new Set(states).size).toBe(1);
  // No two of them write under one name (R7).
  expect(new Set([one, two, three].map(({ ydoc }) => ydoc.clientID)).size).toBe(3);
});

test('[R18] [EDIT-3] a stock y-websocket client edits beside, with formats; the states end byte-equal', async () => {
  const home = await Home.open();
  await home.device.put({ id: 'a', notes: 'plain text' });
  await saved(home);
  const doc = await home.tab().open('a');
  const stock = new yjs.Doc();
  const provider = new WebsocketProvider(`${relay.url}/doc/app/tasks`, 'a', stock, {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
  });
  closers.push(
    () => provider.awareness.destroy(),
    () => provider.destroy(),
  );
  await until(() => stock.getText('notes').toString() === 'plain text', 'the stock client');
  stock.getText('notes').format(0, 5, { bold: true });
  await until(() => doc.ydoc.getText('notes').toDelta().length === 2, 'its format');
  doc.ydoc.getText('notes').insertEmbed(10, { image: 'x.png' });
  doc.ydoc.getText('notes').insert(11, ' and more');
  await until(() => stock.getText('notes').toString() === 'plain text and more', 'our edit');
  // The application rewrites the text: formats of what it leaves stay, and so does what is embedded.
  await home.device.change('a', (now) => ({ ...now, notes: 'plain new text and more' }));
  await until(() => stock.getText('notes').toString() === 'plain new text and more', 'the application');
  stock.getText('notes').insert(stock.getText('notes').length, '.');
  await until(async () => (await row(home))?.['notes'] === 'plain new text and more.', 'the row');
  expect(doc.ydoc.getText('notes').toDelta()).toEqual([
    { insert: 'plain', attributes: { bold: true } },
    { insert: ' new text' },
    { insert: { image: 'x.png' } },
    { insert: ' and more.' },
  ]);
  await doc.saved();
  await saved(home);
  const bytes = (of: yjs.Doc): string => Buffer.from(yjs.encodeStateAsUpdate(of)).toString('hex');
  await until(() => bytes(doc.ydoc) === bytes(stock), 'equal bytes');
  const [state] = await home.device.hidden('states');
  expect(Buffer.from(state!['state'] as Uint8Array).toString('hex')).toBe(bytes(stock));
});

test('[EDIT-1] what is said twice, lost on the way, or said to a worker that is killed, is stored once', async () => {
  const home = await Home.open({ isOffline: true });
  await home.device.put({ id: 'a', notes: '' });
  const doc = await home.tab().open('a');
  const text = doc.ydoc.getText('notes');
  // Answers are lost: it is said again.
  home.losing = (news) => news.type === 'document-told';
  text.insert(0, 'one ');
  await until(async () => (await row(home))?.['notes'] === 'one ', 'the row');
  const entries = (await home.device.hidden('outbox')).length;
  home.losing = () => false;
  await doc.saved();
  expect(await home.device.hidden('outbox')).toHaveLength(entries);
  // The worker ends in the middle, and another one begins.
  for (let round = 0; round < 8; round++) {
    text.insert(text.length, `${round} `);
    if (round % 2 === 0) await new Promise((resolve) => setTimeout(resolve, round));
    home.device.killSync();
    text.insert(text.length, `${round}' `);
    await home.device.startSync('ws://127.0.0.1:9');
  }
  await doc.saved();
  const expected = `one ${[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `${n} ${n}' `).join('')}`;
  expect(text.toString()).toBe(expected);
  expect((await row(home))?.['notes']).toBe(expected);
  home.device.killSync();
  await home.device.startSync(relay.url);
  await saved(home);
  const other = await Home.open();
  await until(async () => (await row(other))?.['notes'] === expected, 'the other device');
});

test('[R12] a row that is deleted meanwhile stays deleted, and its document says so', async () => {
  const [home, far] = [await Home.open(), await Home.open()];
  await home.device.put({ id: 'a', notes: 'x' });
  await saved(home);
  await until(async () => (await row(far)) !== undefined, 'the row');
  const doc = await home.tab().open('a');
  const states: string[] = [];
  doc.state$.subscribe((state) => states.push(state));
  await far.device.write(['tasks', 'a', undefined]);
  await until(() => states.at(-1) === 'deleted', 'the deletion');
  doc.ydoc.getText('notes').insert(0, 'late ');
  await expect(doc.saved()).rejects.toMatchObject({ code: 'sync/row-deleted' });
  expect(await row(home)).toBeUndefined();
  await saved(home, far);
  expect(await row(far)).toBeUndefined();
  await expect(home.tab().open('a')).rejects.toMatchObject({ code: 'sync/no-row' });
  // Made again, it goes on.
  await far.device.put({ id: 'a', notes: 'again' });
  await until(() => states.at(-1) === 'open', 'the row');
  await doc.saved();
});

test('[EDIT-2] what cannot be opened is refused by a code, and what the store does not take is held aside', async () => {
  const specs = [collection('tasks', [index('mail', { unique: true })])];
  const home = await Home.open({ specs });
  const tab = home.tab();
  await expect(tab.open('none')).rejects.toMatchObject({ code: 'sync/no-row', details: { key: 'none' } });
  await expect(tab.open('a', 'unknown')).rejects.toMatchObject({ code: 'collection/unknown' });
  const documents = createDocuments({
    store: 'app',
    say: () => {},
    platform: nodeSyncPlatform(),
    ErrorOfStore: StoreError,
  });
  closers.push(() => documents.end());
  await expect(documents.open('tasks', 'a', { yjs: {} as never })).rejects.toMatchObject({ code: 'sync/no-yjs' });
  await expect(documents.open('tasks', 'a', { yjs, timeoutMs: 20 })).rejects.toMatchObject({ code: 'call/timeout' });

  await home.device.put({ id: 'a', mail: 'x' }, { id: 'b', mail: 'y', notes: '' });
  const doc = await tab.open('b');
  doc.ydoc.getMap('fields').set('mail', 'x');
  await doc.saved();
  expect(await row(home, 'b')).toMatchObject({ mail: 'y' });
  expect(home.device.session!.status.heldAside).toMatchObject([
    { key: 'b', reason: { code: 'collection/duplicate-value' } },
  ]);
  doc.ydoc.getMap('fields').set('mail', 'z');
  await doc.saved();
  expect(await row(home, 'b')).toMatchObject({ mail: 'z' });
  expect(home.device.session!.status.heldAside).toBeUndefined();
});

test('[EDIT-3] a document is shared in its tab, and let go with the last who has it', async () => {
  const home = await Home.open({ isOffline: true });
  await home.device.put({ id: 'a', notes: '' });
  const tab = home.tab();
  const [one, two] = [await tab.open('a'), await tab.open('a')];
  expect(one.ydoc).toBe(two.ydoc);
  const lasts = (): number => home.said.filter((news) => news.type === 'document' && news.isLast === true).length;
  await one.release();
  await one.release();
  expect(lasts()).toBe(0);
  two.ydoc.getText('notes').insert(0, 'x');
  await two.release();
  expect(lasts()).toBe(1);
  expect(await row(home)).toMatchObject({ notes: 'x' });
  await expect(two.saved()).rejects.toMatchObject({ code: 'store/closed' });
  // An editor that destroys what it was given: what was written is stored all the same.
  const three = await tab.open('a');
  expect(three.ydoc).not.toBe(one.ydoc);
  expect(three.ydoc.clientID).not.toBe(one.ydoc.clientID);
  three.ydoc.getText('notes').insert(1, 'y');
  three.ydoc.destroy();
  const four = await tab.open('a');
  expect(four.ydoc).not.toBe(three.ydoc);
  await until(() => textOf(four) === 'xy', 'what was written');
  await until(() => lasts() === 2, 'the end of the one that was destroyed');
});

test(`[R19] [EDIT-1] random edits of two devices with two tabs each, the application, and disconnections converge (seed ${SEED})`, async () => {
  const random = createSeededRandom(SEED);
  const pick = (count: number): number => Math.floor(random() * count);
  const homes = [await Home.open(), await Home.open()];
  await homes[0]!.device.put({ id: 'a', notes: 'base', likes: 0, steps: [] });
  await saved(homes[0]!);
  await until(async () => (await row(homes[1]!)) !== undefined, 'the row');
  const docs: Opened[] = [];
  for (const home of homes) for (let n = 0; n < 2; n++) docs.push(await home.tab().open('a'));
  let likes = 0;
  let typed = 0;
  for (let step = 0; step < 150; step++) {
    const home = homes[pick(2)]!;
    const doc = docs[pick(4)]!.ydoc;
    const text = doc.getText('notes');
    const kind = pick(10);
    if (kind < 5) {
      text.insert(pick(text.length + 1), String.fromCharCode(97 + pick(26)));
      typed += 1;
    } else if (kind === 5) text.format(0, text.length, { bold: pick(2) === 0 });
    else if (kind === 6) doc.getArray('steps').push([step]);
    else if (kind === 7) {
      likes += 1;
      await home.device.change('a', (now) => ({ ...now, likes: (now['likes'] as number) + 1 }));
    } else if (kind === 8) await home.device.change('a', (now) => ({ ...now, notes: `${now['notes']}.`, step }));
    else if (random() < 0.3) {
      home.device.killSync();
      await home.device.startSync(relay.url);
    }
    if (random() < 0.3) await new Promise((resolve) => setTimeout(resolve, pick(5)));
  }
  for (const doc of docs) await doc.saved();
  await saved(...homes);
  const bytes = ({ ydoc }: Opened): string => Buffer.from(yjs.encodeStateAsUpdate(ydoc)).toString('hex');
  await until(() => new Set(docs.map(bytes)).size === 1, 'equal documents');
  const rows = await Promise.all(homes.map((home) => row(home)));
  expect(rows[0], `seed ${SEED}`).toEqual(rows[1]);
  expect(rows[0]).toMatchObject({ likes, notes: textOf(docs[0]!) });
  expect(textOf(docs[0]!).replaceAll(/[^a-z]/g, '')).toHaveLength(typed + 'base'.length);
});
