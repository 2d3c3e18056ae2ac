/**
 * Goal: what waits for a component is found again, and does not stay when that component never comes. Method: time that
 * stands still, sources that speak as the test says; `find` is what a render does, `subscribe` what a mount does.
 */
import { expect, test } from 'vitest';
import { ERROR_MS, KEPT_MAX, SuspenseCache, UNUSED_MS } from '../../src/react/suspense-cache.ts';
import { ScriptedSource } from '../bindings/scripted-source.ts';
import { createManualPlatform } from '../fakes/manual-platform.ts';

function setUp() {
  const platform = createManualPlatform();
  return { platform, cache: new SuspenseCache(platform) };
}
const source = (...question: unknown[]) => new ScriptedSource<string>(question);
async function isWoken(promise: Promise<void>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))]);
}

test('[BIND-5] a component that is never mounted: its query is let go of', async () => {
  const { platform, cache } = setUp();
  const asked = source('a');
  const { loaded } = cache.find(asked);
  asked.tell(['row']);
  expect(await isWoken(loaded)).toBe(true);
  platform.advance(UNUSED_MS - 1);
  expect([asked.active, cache.size]).toEqual([1, 1]);
  platform.advance(1);
  expect([asked.active, cache.size, platform.timerCount]).toEqual([0, 0, 0]);
});

test('[BIND-5] a query that does not load is kept for those who ask again when they are called', async () => {
  const { platform, cache } = setUp();
  const asked = source('slow');
  for (let round = 0; round < 5; round++) {
    const { loaded } = cache.find(source('slow'));
    if (round === 0) cache.find(asked);
    expect(await isWoken(loaded)).toBe(false);
    platform.advance(UNUSED_MS);
    expect(await isWoken(loaded)).toBe(true);
    expect(cache.size).toBe(1);
  }
  const { loaded } = cache.find(asked);
  platform.advance(2 * UNUSED_MS);
  expect(await isWoken(loaded)).toBe(true);
  expect([cache.size, platform.timerCount]).toEqual([0, 0]);
});

test('[BIND-2] [BIND-5] a mounted component keeps its query, and its end lets go of it', () => {
  const { platform, cache } = setUp();
  const asked = source('a');
  const { live } = cache.find(asked);
  asked.tell(['row']);
  const unmount = live.subscribe(() => {});
  platform.advance(10 * UNUSED_MS);
  expect([asked.active, asked.opened, cache.size, platform.timerCount]).toEqual([1, 1, 1, 0]);
  const again = source('a');
  expect(cache.find(again).live).toBe(live);
  platform.advance(UNUSED_MS);
  unmount();
  expect([asked.active, again.opened, cache.size]).toEqual([0, 0, 0]);
});

test('[BIND-5] an error is found by the next render, not by one that comes later', () => {
  const { platform, cache } = setUp();
  const asked = source('a');
  cache.find(asked);
  asked.fail('broken');
  for (let at = 0; at < ERROR_MS; at += 100) {
    expect(cache.find(source('a')).live.read().error).toBe('broken');
    platform.advance(100);
  }
  expect(cache.find(source('a')).live.read().status).toBe('loading');
});

test('[BIND-5] an error that comes to a mounted component is not kept longer for another one', () => {
  const { platform, cache } = setUp();
  const asked = source('a');
  const unmount = cache.find(asked).live.subscribe(() => {});
  asked.tell([]);
  platform.advance(UNUSED_MS);
  asked.fail('broken');
  expect(cache.find(source('a')).live.read().error).toBe('broken');
  unmount();
  platform.advance(ERROR_MS);
  expect([cache.size, platform.timerCount]).toEqual([0, 0]);
});

test('[BIND-5] the number of loaded queries has a bound, and the oldest go first', () => {
  const { cache } = setUp();
  const all = Array.from({ length: KEPT_MAX + 10 }, (_, at) => source(at));
  for (const one of all) {
    cache.find(one);
    one.tell([]);
  }
  expect(cache.size).toBe(KEPT_MAX);
  expect(all.map(({ active }) => active)).toEqual(all.map((_, at) => (at < 10 ? 0 : 1)));
});

test('[BIND-4] equal questions share a query', () => {
  const questions = (): unknown[][] => [
    ['tasks', { a: 1, b: [null, true, 'x', undefined] }, {}],
    [{ at: new Date(5), when: { $in: [new Date(Number.NaN)] } }],
    [{ bytes: new Uint8Array([1, 2]), buffer: new ArrayBuffer(2), view: new DataView(new ArrayBuffer(2)) }],
    [{ name: /^a/i }, { sort: { a: 1, b: -1 }, limit: 10 }],
    [{ n: [-0, Number.NaN, Number.POSITIVE_INFINITY, 10n] }],
  ];
  for (const [at, question] of questions().entries()) {
    const { cache } = setUp();
    expect(cache.find(source(...question)).live).toBe(cache.find(source(...questions()[at]!)).live);
  }
});

test('[BIND-4] different questions never share a query', () => {
  const { cache } = setUp();
  const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);
  const values: unknown[] = [
    ...[0, -0, 1, '1', 1n, true, 'true', null, 'null', undefined, 'undefined', Number.NaN, 'NaN', ''],
    ...[new Date(0), new Date(1), new Date(0).toISOString(), /a/, /a/i, '/a/', { $regex: 'a' }],
    ...[bytes(1), bytes(1, 2), bytes(2, 1), bytes(1).buffer, new Int8Array([1]), new DataView(bytes(1).buffer)],
    ...[
      new DataView(bytes(2).buffer),
      [1],
      [[1]],
      ['1'],
      { 0: 1 },
      {},
      [],
      [[]],
      [null],
      [undefined],
      { a: undefined },
    ],
    ...[{ a: 1, b: -1 }, { b: -1, a: 1 }, { a: { b: 1 } }, { 'a.b': 1 }, { a: 1 }, { a: '1,"b"number-1' }],
    ...[['a', 'b'], ['a,b'], ['a","b'], [['a'], 'b'], { a: ['b'] }, { 'a"': 'b' }],
  ];
  const stores = new Set(values.map((value) => cache.find(source(value)).live));
  expect(stores.size).toBe(values.length);
  // The same parts, asked of another collection.
  const other = Object.assign(source('x'), { question: [{}, 'x'] as const });
  expect(cache.find(other).live).not.toBe(cache.find(source('x')).live);
});

test('[BIND-4] a question as deep as none may be, or without an end, is no trap', () => {
  const { cache } = setUp();
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth++) deep = [deep];
  cache.find(source(loop));
  cache.find(source(deep));
  expect(cache.size).toBe(2);
});
