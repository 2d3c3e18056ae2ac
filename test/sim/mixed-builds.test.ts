/**
 * Goal: tabs that run different builds of an application do not get in each other's way (T8): the newer one gets the
 * store, the others are told to reload, and nothing that was answered is lost. And of tabs that one of them destroys.
 * Method: in the simulated browser, tabs with other definitions come while others write.
 */
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { subscribe } from '../../src/client/subscription.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { TABS_OF_STORE } from '../../src/protocol/messages.ts';
import type { TabInfo } from '../../src/protocol/tabs.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { isNewer } from '../../worker/tabs/index.ts';
import { collection, index } from '../engine/engine-fixture.ts';
import { TailImage } from '../fakes/memory-tail-folder.ts';
import { type Origin, openTab, type SimTab } from './sim-tab.ts';
import { type Life, World } from './world.ts';

const OLD: readonly CollectionSpec[] = [collection('rows', [index('n')])];
const NEW: readonly CollectionSpec[] = [{ ...OLD[0]!, indexes: [index('n'), index('m')] }];
const NEXT: readonly CollectionSpec[] = [{ ...OLD[0]!, version: 2, migrations: [2] }];

const createOrigin = (seed: number): Origin => ({
  world: new World(seed),
  image: createMemoryImage(),
  tails: new TailImage(),
});

/** Lets the world go on until the promise has settled. */
async function settled<T>(world: World, promise: Promise<T>, ms = 60_000): Promise<T | StoreError> {
  let outcome: { readonly value: T | StoreError } | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error: StoreError) => {
      outcome = { value: error };
    },
  );
  expect(await world.run(ms, () => outcome !== undefined)).toBe(true);
  return outcome!.value;
}

async function open(origin: Origin, name: string, collections = OLD, life?: Life): Promise<SimTab> {
  const opened = await settled(origin.world, openTab(origin, name, life, collections));
  if (opened instanceof StoreError) throw opened;
  return opened;
}

const codes = (tab: SimTab): readonly string[] => tab.told.map(({ code }) => code);

describe('another build', () => {
  test.each([1, 2, 3, 4, 5, 6])('[T8] that comes later gets the store, the others are told (seed %i)', async (seed) => {
    const origin = createOrigin(seed);
    const { world } = origin;
    const tabs = [await open(origin, 'a'), await open(origin, 'b'), await open(origin, 'c')];
    const answered: string[] = [];
    const refused: unknown[] = [];
    for (const tab of tabs) {
      for (let at = 0; at < 20; at++) {
        const id = `${tab.name}${at}`;
        const durability = at % 2 ? 'deferred' : 'relaxed';
        void world.after(world.below(400), tab.life, () => {
          tab.rows.create({ id, n: at }, { durability }).then(
            () => answered.push(id),
            (error) => refused.push(error.code),
          );
        });
      }
    }
    await world.run(world.below(300));
    const newer = await open(origin, 'newer', NEW);
    await world.run(2_000, () => answered.length + refused.length === 60);
    expect(answered.length + refused.length).toBe(60);
    expect(new Set(refused).size).toBeLessThanOrEqual(1);
    expect(refused.every((code) => code === 'store/outdated')).toBe(true);
    const stored = await settled(world, newer.rows.getMany(answered));
    expect((stored as unknown[]).filter((row) => row === undefined)).toEqual([]);
    for (const tab of tabs) {
      expect(codes(tab)).toContain('store/outdated');
      expect(await settled(world, tab.rows.get('x'))).toMatchObject({ code: 'store/outdated' });
    }
    expect(codes(newer)).toEqual([]);
    expect(world.steals).toBe(0);
  });

  test('[T8] that is known to be older is told to reload, and nobody else is', async () => {
    const origin = createOrigin(11);
    const { world } = origin;
    const leader = await open(origin, 'leader', NEXT);
    const older = await settled(world, openTab(origin, 'older', undefined, OLD));
    expect(older).toMatchObject({ code: 'store/outdated', hint: expect.stringContaining('Reload') });
    expect(await settled(world, leader.rows.create({ id: 'a' }))).toMatchObject({ id: 'a' });
    expect(codes(leader)).toEqual([]);
  });

  test.each(['stopped', 'in the back/forward cache'])(
    '[T8] old tabs that were %s meanwhile leave it alone',
    async (how) => {
      const origin = createOrigin(12);
      const { world } = origin;
      const oldLife: Life = { isDead: false };
      await open(origin, 'leader');
      const old = await open(origin, 'old', OLD, oldLife);
      if (how === 'stopped') oldLife.frozenUntilMs = world.nowMs + 3_000;
      else old.store.suspend!();
      const newer = await open(origin, 'newer', NEW);
      await world.run(4_000);
      old.store.resume!();
      expect(await settled(world, old.rows.create({ id: 'a' }))).toMatchObject({ code: 'store/outdated' });
      expect(await settled(world, newer.rows.create({ id: 'b' }))).toMatchObject({ id: 'b' });
      expect(codes(newer)).toEqual([]);
    },
  );

  test('[T8] of two builds that open the store at once, one gets it', async () => {
    for (let seed = 20; seed < 40; seed++) {
      const origin = createOrigin(seed);
      const { world } = origin;
      await open(origin, 'leader');
      const both = await Promise.all(
        [NEW, NEXT.map((spec) => ({ ...spec, version: 1, migrations: [], indexes: [] }))].map((specs, at) =>
          settled(world, openTab(origin, `tab${at}`, undefined, specs)),
        ),
      );
      const open2 = both.filter((tab) => !(tab instanceof StoreError) && codes(tab).length === 0);
      expect([seed, open2.length]).toEqual([seed, 1]);
    }
  });

  test('which of two is newer: by protocol, else by versions of collections', () => {
    const build = { protocol: 1, definitions: '', versions: { a: 1, b: 1 } };
    expect(isNewer({ ...build, protocol: 2 }, { ...build, versions: { a: 9, b: 9 } })).toBe(true);
    expect(isNewer({ ...build, versions: { a: 2, b: 1 } }, build)).toBe(true);
    expect(isNewer(build, { ...build, versions: { a: 2, b: 1 } })).toBe(false);
    expect(isNewer({ ...build, versions: { a: 2, b: 1 } }, { ...build, versions: { a: 1, b: 2 } })).toBe(false);
    expect(isNewer({ ...build, versions: { a: 1, b: 1, c: 5 } }, build)).toBe(false);
  });
});

test.each(['leader', 'follower'])('destroyed by a %s, a store is gone for all tabs, and they are told', async (by) => {
  const origin = createOrigin(by === 'leader' ? 41 : 42);
  const { world } = origin;
  const [leader, follower, other] = [await open(origin, 'a'), await open(origin, 'b'), await open(origin, 'c')];
  await settled(world, leader.rows.create({ id: 'x' }));
  const destroyer = by === 'leader' ? leader : follower;
  expect(await settled(world, destroyer.store.destroy(), 10_000)).toBe(undefined);
  await world.run(200);
  for (const tab of [leader, follower, other].filter((tab) => tab !== destroyer)) {
    expect(codes(tab)).toContain('store/destroyed');
    expect(await settled(world, tab.rows.get('x'))).toMatchObject({ code: 'store/destroyed' });
  }
  const next = await open(origin, 'd');
  expect(await settled(world, next.rows.count())).toBe(0);
});

test('destroying goes on while channels lose what is said', async () => {
  for (let seed = 60; seed < 80; seed++) {
    const origin = createOrigin(seed);
    const { world } = origin;
    const tabs = [await open(origin, 'a'), await open(origin, 'b'), await open(origin, 'c')];
    world.faults = { ...world.faults, lost: 0.6 };
    expect(await settled(world, tabs[1]!.store.destroy(), 10_000)).toBe(undefined);
  }
});

test('every tab knows which there are and who leads, under each leader', async () => {
  const origin = createOrigin(51);
  const { world } = origin;
  const lives: Life[] = [0, 1, 2].map(() => ({ isDead: false }));
  const tabs = [
    await open(origin, 'a', OLD, lives[0]),
    await open(origin, 'b', OLD, lives[1]),
    await open(origin, 'c', OLD, lives[2]),
  ];
  const seen = tabs.map(({ link }) => {
    const all: TabInfo[][] = [];
    subscribe(
      { link, name: TABS_OF_STORE, key: '' },
      undefined,
      (now) => all.push(now as unknown as TabInfo[]),
      (error) => {
        throw error;
      },
    );
    return all;
  });
  const shown = (at: number): string =>
    (seen[at]!.at(-1) ?? [])
      .map(({ id, isLeader, isOwn }) => `${id}${isLeader ? ' leads' : ''}${isOwn ? ' own' : ''}`)
      .toSorted()
      .join(', ');
  await world.run(1_000);
  expect([shown(0), shown(1), shown(2)]).toEqual(['a leads own, b, c', 'a leads, b own, c', 'a leads, b, c own']);
  world.kill(lives[0]!);
  await world.run(5_000);
  const leader = world.holderOf('collection-store/sim') === lives[1] ? 'b' : 'c';
  const both = (own: string): string =>
    ['b', 'c'].map((id) => `${id}${id === leader ? ' leads' : ''}${id === own ? ' own' : ''}`).join(', ');
  expect([shown(1), shown(2)]).toEqual([both('b'), both('c')]);
  world.kill(lives[leader === 'b' ? 2 : 1]!);
  await world.run(1_000);
  expect(shown(leader === 'b' ? 1 : 2)).toBe(`${leader} leads own`);
});
