/**
 * Goal: nobody takes the lock from a leader that lives because its own channels are dead (T3). Method: in the simulated
 * browser, a follower whose channels carry nothing, beside a leader that writes.
 */
import { expect, test } from 'vitest';
import { createMemoryImage } from '../../worker/storage/index.ts';
import type { TabChannel } from '../../worker/tabs/index.ts';
import { TailImage } from '../fakes/memory-tail-folder.ts';
import { openTab } from './sim-tab.ts';
import { type Life, World } from './world.ts';

/** A browser in which channels of some tabs carry nothing. */
class DeafWorld extends World {
  readonly deaf: Set<Life> = new Set();

  override channelsFor(life: Life): (name: string) => TabChannel {
    const open = super.channelsFor(life);
    const dead = (): TabChannel => ({ post: () => undefined, onMessage: undefined, close: () => undefined });
    return (name) => (this.deaf.has(life) ? dead() : open(name));
  }
}

test('[T3] a follower that hears nothing, not even itself, is told so and takes the lock from nobody', async () => {
  const world = new DeafWorld(71);
  const origin = { world, image: createMemoryImage(), tails: new TailImage() };
  const [leading, following]: [Life, Life] = [{ isDead: false }, { isDead: false }];
  world.deaf.add(following);
  const leader = openTab(origin, 'leader', leading);
  await world.run(1_000);
  let refusal: unknown;
  openTab(origin, 'follower', following).catch((error) => {
    refusal = error;
  });
  await world.run(60_000, () => refusal !== undefined);
  expect(refusal).toMatchObject({ code: 'store/in-use', details: { reason: 'silent' } });
  expect(world.steals).toBe(0);
  expect(world.holderOf('collection-store/sim')).toBe(leading);
  let stored = false;
  void (await leader).rows.create({ id: 'a' }).then(() => {
    stored = true;
  });
  expect(await world.run(1_000, () => stored)).toBe(true);
});
