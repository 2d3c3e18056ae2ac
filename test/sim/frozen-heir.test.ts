/**
 * Goal: a tab that is frozen while it takes the store over does not end the leader that has replaced it meanwhile (T2,
 * T7). Method: in the simulated browser a leader is frozen, the tab that has taken its lock is killed, and the one that gets
 * the lock next is frozen too, at each moment of its opening, until another tab has replaced it and written.
 */
import { expect, test } from 'vitest';
import type { AnyRow } from '../../src/schema/definition.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { LEASE_MS } from '../../worker/tabs/index.ts';
import { TailImage } from '../fakes/memory-tail-folder.ts';
import { openTab, type SimTab } from './sim-tab.ts';
import { World } from './world.ts';

const LOCK = 'collection-store/sim';
/** Longer than all that happens. */
const FROZEN_MS = 120_000;
/** Longer than it takes to be replaced. */
const HEIR_FROZEN_MS = 20_000;
/** After the lock was granted. It waits for the lease of the frozen leader, and opens within 20 ms then. */
const MOMENTS_MS: readonly number[] = [10, 2_000, ...Array.from({ length: 80 }, (_, at) => LEASE_MS + 95 + at / 2)];
/** Longer than an opening. */
const LOCK_NEWS_MS = 200;

async function done<T>(world: World, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  promise.finally(() => (isSettled = true)).catch(() => undefined);
  expect(await world.run(60_000, () => isSettled), 'a call settles').toBe(true);
  return promise;
}

test('[T2] [T7] an heir that was frozen while it opened the store leaves it to whoever replaced it', {
  timeout: 60_000,
}, async () => {
  let replaced = 0;
  for (const momentMs of MOMENTS_MS) {
    const world = new World(83);
    world.lockNewsMs = LOCK_NEWS_MS;
    const origin = { world, image: createMemoryImage(), tails: new TailImage() };
    const tabs: SimTab[] = [];
    for (const name of ['first', 'second', 'third', 'fourth']) tabs.push(await done(world, openTab(origin, name)));
    const holder = (): SimTab => tabs.find(({ life }) => life === world.holderOf(LOCK))!;
    const first = holder();
    await done(world, first.rows.create({ id: 'a' }));
    first.life.frozenUntilMs = world.nowMs + FROZEN_MS;
    expect(await world.run(20_000, () => holder() !== first)).toBe(true);
    world.kill(holder().life);
    const heir = holder();
    const other = tabs.find((tab) => !tab.life.isDead && tab !== first && tab !== heir)!;
    await world.run(momentMs);
    heir.life.frozenUntilMs = world.nowMs + HEIR_FROZEN_MS;
    await done(world, other.rows.create({ id: 'b' }));
    const isReplaced = holder() === other;
    if (isReplaced) replaced++;
    await world.run(HEIR_FROZEN_MS + 5_000);
    expect(holder() === other, `frozen after ${momentMs} ms`).toBe(isReplaced);
    expect(other.store.isLeader === true, `frozen after ${momentMs} ms`).toBe(isReplaced);
    await done(world, heir.rows.create({ id: 'c' }));
    const rows = await done(world, Promise.resolve(heir.rows.find() as PromiseLike<readonly AnyRow[]>));
    expect(rows.map((row) => row['id'])).toEqual(['a', 'b', 'c']);
    for (const { life } of tabs) world.kill(life);
  }
  expect(replaced).toBeGreaterThan(10);
});
