/**
 * Goal: everybody who is here sees everybody else: tabs of one device, other devices, and unmodified clients of
 * y-protocols; and nobody who has gone. Method: the page's part and the sync worker's part on a channel of the test, real
 * engines, a real relay, and the real y-websocket on the relay's carrier.
 */
import { BehaviorSubject } from 'rxjs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { StoreError } from '../../src/base/store-error.ts';
import { createPresence, type Participant, type PresenceOfTab } from '../../src/client/presence.ts';
import type { PresenceState } from '../../src/protocol/presence-state.ts';
import { awarenessFrame, encodeMessage, readAwareness } from '../../src/protocol/sync/index.ts';
import type { SyncNews } from '../../src/protocol/sync-worker.ts';
import type { TabInfo } from '../../src/protocol/tabs.ts';
import { PresenceCarrier } from '../../worker/sync/presence.ts';
import { type RunningFixture, startRelay } from '../server/relay-fixture.ts';
import { nodeSyncPlatform, SyncDevice, until } from './sync-device.ts';

let relay: RunningFixture;
const closers: (() => unknown)[] = [];
beforeEach(async () => {
  relay = await startRelay();
});
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
  await relay.stop();
  vi.useRealTimers();
});

type Tab = PresenceOfTab & {
  readonly others: () => readonly Participant[];
  readonly states: () => readonly PresenceState[];
  /** As a tab that is killed: it says nothing more, and the engine misses it. */
  crash(): void;
  close(): void;
};

/** Tabs of one device and the sync worker on one channel. */
class Home {
  readonly carrier: PresenceCarrier;
  readonly said: SyncNews[] = [];
  device!: SyncDevice;
  readonly #listeners = new Map<string, (news: SyncNews) => void>();
  readonly #tabs = new BehaviorSubject<readonly TabInfo[]>([]);
  #count = 0;

  constructor() {
    this.carrier = new PresenceCarrier(nodeSyncPlatform(), (news) => this.#post('worker', news));
    this.#listeners.set('worker', (news) => this.carrier.heard(news));
    this.#tabs.subscribe((tabs) => this.carrier.tabs(tabs.map(({ id }) => id)));
    closers.push(() => this.carrier.stop());
  }

  static async open(url?: string): Promise<Home> {
    const home = new Home();
    home.carrier.start();
    home.device = await SyncDevice.open({ presence: home.carrier });
    closers.push(() => home.device.close());
    if (url !== undefined) await home.device.startSync(url);
    return home;
  }

  /** As a channel: to all others, a copy, later. */
  #post(from: string, news: SyncNews): void {
    this.said.push(news);
    const copy = structuredClone(news);
    queueMicrotask(() => {
      for (const [to, hear] of this.#listeners) if (to !== from) hear(copy);
    });
  }

  tab(): Tab {
    this.#count += 1;
    const name = `tab ${this.#count}`;
    const platform = nodeSyncPlatform();
    const own$ = new BehaviorSubject<readonly TabInfo[]>([]);
    const infos = this.#tabs.subscribe((tabs) => own$.next(tabs.map((tab) => ({ ...tab, isOwn: tab.id === name }))));
    const say = (news: SyncNews): void => this.#post(name, news);
    const tab = createPresence({ store: 'app', say, tabs$: own$, platform, ErrorOfStore: StoreError });
    this.#listeners.set(name, (news) => tab.heard(news));
    this.#tabs.next([...this.#tabs.value, { id: name, isLeader: false, isOwn: false, version: '1' }]);
    let others: readonly Participant[] = [];
    tab.presence.others$.subscribe((now) => {
      others = now;
    });
    say({ type: 'ask' });
    const gone = (): void => {
      infos.unsubscribe();
      this.#listeners.delete(name);
      this.#tabs.next(this.#tabs.value.filter(({ id }) => id !== name));
    };
    closers.push(() => tab.end());
    return {
      ...tab,
      others: () => others,
      states: () => others.map(({ state }) => state).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
      crash: gone,
      close() {
        tab.end();
        gone();
      },
    };
  }
}

const sees = (tab: Tab, ...states: readonly PresenceState[]): Promise<void> =>
  until(() => JSON.stringify(tab.states()) === JSON.stringify(states), `${JSON.stringify(states)}`);

test('[R17] tabs of one device see each other without a connection, and not themselves', async () => {
  const home = await Home.open();
  const [one, two] = [home.tab(), home.tab()];
  one.presence.set({ name: 'one' });
  await sees(two, { name: 'one' });
  expect(two.others()).toEqual([{ id: expect.any(Number), state: { name: 'one' }, isHere: true }]);
  expect(one.others()).toEqual([]);
  two.presence.set({ name: 'two', at: [1, { deep: null }] });
  await sees(one, { name: 'two', at: [1, { deep: null }] });
  // Who comes later, too.
  const three = home.tab();
  await sees(three, { name: 'one' }, { name: 'two', at: [1, { deep: null }] });
  one.presence.set(null);
  await sees(three, { name: 'two', at: [1, { deep: null }] });
  two.close();
  await sees(three);
});

test('[R17] a tab that is killed is gone within seconds, and one that says nothing is not', async () => {
  const home = await Home.open(relay.url);
  const far = (await Home.open(relay.url)).tab();
  const [one, two] = [home.tab(), home.tab()];
  one.presence.set({ name: 'one' });
  two.presence.set({ name: 'two' });
  await sees(far, { name: 'one' }, { name: 'two' });
  one.crash();
  const start = performance.now();
  await sees(two);
  await sees(far, { name: 'two' });
  expect(performance.now() - start).toBeLessThan(8_000);
});

test('[R17] each tab of each device is one participant for all others, also when the sync worker is another one', async () => {
  const [here, there] = [await Home.open(relay.url), await Home.open(relay.url)];
  const [one, two, three] = [here.tab(), here.tab(), there.tab()];
  one.presence.set({ name: 'one' });
  two.presence.set({ name: 'two' });
  three.presence.set({ name: 'three' });
  await sees(three, { name: 'one' }, { name: 'two' });
  await sees(one, { name: 'three' }, { name: 'two' });
  expect(one.others().find(({ state }) => state['name'] === 'three')).toMatchObject({ isHere: false });
  // Without a connection only the tabs of this device are known.
  here.device.killSync();
  await sees(one, { name: 'two' });
  await sees(three);
  one.presence.set({ name: 'one', again: true });
  await here.device.startSync(relay.url);
  await sees(three, { name: 'one', again: true }, { name: 'two' });
  await sees(one, { name: 'three' }, { name: 'two' });
});

test('[R17] [R18] an unmodified y-websocket client on the carrier sees our tabs, and they see it', async () => {
  const home = await Home.open(relay.url);
  const tab = home.tab();
  tab.presence.set({ user: { name: 'Ada' } });
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${relay.url}/sync`, 'app', doc, {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    connect: false,
  });
  closers.push(
    () => provider.awareness.destroy(),
    () => provider.destroy(),
  );
  for (const type of [101, 109]) provider.messageHandlers[type] = () => {};
  provider.on('status', ({ status }: { status: string }) => {
    const hello = { type: 'hello', versionMin: 1, versionMax: 1, store: 'app', token: '', epoch: '' } as const;
    if (status === 'connected') provider.ws!.send(encodeMessage(hello) as never);
  });
  provider.awareness.setLocalState({ user: { name: 'Grace' } });
  provider.connect();
  await sees(tab, { user: { name: 'Grace' } });
  expect(tab.others()).toEqual([{ id: doc.clientID, state: { user: { name: 'Grace' } }, isHere: false }]);
  const seen = (): unknown[] =>
    [...provider.awareness.getStates()].filter(([id]) => id !== doc.clientID).map(([, s]) => s);
  await until(() => seen().length === 1, 'our tab');
  expect(seen()).toEqual([{ user: { name: 'Ada' } }]);
  tab.presence.set({ user: { name: 'Ada' }, cursor: { at: 5 } });
  await until(() => JSON.stringify(seen()).includes('cursor'), 'its cursor');
  provider.awareness.setLocalStateField('cursor', 7);
  await sees(tab, { user: { name: 'Grace' }, cursor: 7 });
  tab.close();
  await until(() => seen().length === 0, 'our tab to be gone');
  // A tab that comes back is there again: its clock goes on.
  const again = home.tab();
  again.presence.set({ user: { name: 'Ada' } });
  await until(() => seen().length === 1, 'our tab again');
  provider.disconnect();
  await sees(again);
});

test('[R17] what is no state is refused by name, and the one before stays', async () => {
  const home = await Home.open();
  const [one, two] = [home.tab(), home.tab()];
  one.presence.set({ name: 'one' });
  await sees(two, { name: 'one' });
  const deep: unknown = Array.from({ length: 9 }).reduce((inner) => ({ inner }), 1);
  const unfit: readonly (readonly [unknown, string])[] = [
    [5, 'no plain object'],
    [[], 'no plain object'],
    [{ at: new Date() }, 'at at'],
    [{ a: { b: [1, Number.NaN] } }, 'a.b[1]'],
    [{ f: () => {} }, 'function'],
    [{ n: 1n }, 'bigint'],
    [deep, 'deeper than 8'],
    [Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, n])), 'more than 64 fields'],
    [{ text: 'x'.repeat(16_000) }, '16011 bytes'],
  ];
  for (const [state, problem] of unfit) {
    let thrown: unknown;
    try {
      one.presence.set(state as PresenceState);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'sync/unfit-presence',
      details: { problem: expect.stringContaining(problem) },
    });
  }
  one.presence.set({ text: 'x'.repeat(15_980) });
  await until(() => two.states()[0]?.['text'] !== undefined, 'the largest state');
});

test('[R17] states that come too fast are told at most 20 times a second, the last one always', async () => {
  const home = await Home.open(relay.url);
  const far = await relay.device();
  await far.next('welcome');
  const [one, two] = [home.tab(), home.tab()];
  const start = performance.now();
  for (let n = 0; performance.now() - start < 1_000; n++) {
    one.presence.set({ n });
    two.presence.set({ n, two: true });
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  one.presence.set({ last: true });
  const told = (): readonly string[] =>
    far.frames.flatMap((frame) => readAwareness(frame.subarray(1)).map((each) => each.state));
  await until(() => told().includes('{"last":true}'), 'the last state');
  const seconds = (performance.now() - start) / 1_000;
  expect(home.said.filter(({ type }) => type === 'presence').length).toBeLessThanOrEqual(2 * (20 * seconds + 2));
  expect(far.frames.length).toBeLessThanOrEqual(20 * seconds + 2);
  expect(far.frames.length).toBeGreaterThan(5);
});

test('[R17] the relay tells the last of what one socket says too fast, and leaves out what is no state', async () => {
  const [flood, other] = [await relay.device(), await relay.device()];
  await Promise.all([flood.next('welcome'), other.next('welcome')]);
  flood.sendBytes(awarenessFrame([{ id: 8, clock: 1, state: '5' }]));
  flood.sendBytes(awarenessFrame([{ id: 9, clock: 1, state: '[[[[[[[[[[[]]]]]]]]]]]' }]));
  for (let n = 1; n <= 400; n++) flood.sendBytes(awarenessFrame([{ id: 7, clock: n, state: `{"n":${n}}` }]));
  const told = (): readonly unknown[] => other.frames.flatMap((frame) => readAwareness(frame.subarray(1)));
  await until(() => JSON.stringify(told()).includes('\\"n\\":400'), 'the last state');
  expect(other.frames.length).toBeLessThan(100);
  expect(JSON.stringify(told())).not.toMatch(/"id":[89]/);
});

test('[R17] a state that nobody renews is forgotten after 30 s, and one that is renewed stays', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  const sent: Uint8Array[] = [];
  const told: SyncNews[] = [];
  const carrier = new PresenceCarrier(nodeSyncPlatform(), (news) => told.push(news));
  closers.push(() => carrier.stop());
  carrier.connected((frame) => sent.push(frame));
  carrier.heard({ type: 'presence', id: 1, tab: 'a', state: { name: 'own' } });
  carrier.received(awarenessFrame([{ id: 5, clock: 1, state: '{"a":1}' }]).subarray(1));
  carrier.received(awarenessFrame([{ id: 6, clock: 1, state: '{"b":1}' }]).subarray(1));
  await vi.advanceTimersByTimeAsync(20_000);
  carrier.received(awarenessFrame([{ id: 6, clock: 2, state: '{"b":2}' }]).subarray(1));
  // Older than what is known.
  carrier.received(awarenessFrame([{ id: 6, clock: 1, state: 'null' }]).subarray(1));
  await vi.advanceTimersByTimeAsync(15_000);
  carrier.heard({ type: 'ask' });
  expect(told.at(-1)).toEqual({ type: 'others', isAll: true, states: [[6, { b: 2 }]] });
  const clocks = sent.map((frame) => readAwareness(frame.subarray(1))[0]!.clock);
  expect(clocks.length).toBeGreaterThanOrEqual(3);
  expect(clocks).toEqual(clocks.toSorted((a, b) => a - b));
  expect(new Set(clocks).size).toBe(clocks.length);
});
