/**
 * Goal: a writer that was taken over from, and still lives, stores nothing more and answers nothing more. Method: two
 * engines on one home, the second as one that has stolen the lock from the first, which has a tail.
 */
import { expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import { type Engine, openEngineOn } from '../../worker/engine/index.ts';
import { createMemoryImage, createMemoryStorage, withTail } from '../../worker/storage/index.ts';
import { createMemoryTailFolder, TailImage } from '../fakes/memory-tail-folder.ts';
import { collection, engineOptions, nodePlatform } from './engine-fixture.ts';
import { verbsOf } from './engine-verbs.ts';

type Home = ReturnType<typeof createHome>;

const createHome = () => ({ image: createMemoryImage(), tails: new TailImage(), isLeased: true });

async function open(home: Home, isStolen = false): Promise<Engine> {
  const folder = createMemoryTailFolder(home.tails);
  const storage = withTail(createMemoryStorage(home.image), {
    folder: Promise.resolve(folder),
    createName: () => `tail-${home.tails.files.size}`,
    now: () => home.tails.nowMs,
    isLeased: isStolen ? undefined : () => home.isLeased,
  });
  return openEngineOn(storage, engineOptions([collection('items')]), nodePlatform, {
    release: () => undefined,
    isStolen,
  });
}

const refusal = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'stored',
    (error) => error.code,
  );

test('[T2] what a frozen writer stores after it was taken over from is refused, and what it had answered is there', async () => {
  const home = createHome();
  const frozen = await open(home);
  for (let at = 0; at < 20; at++) await verbsOf(frozen).create({ id: `before ${at}` });
  await expect.poll(async () => (await frozen.health()).log).toBe('opfs');
  await verbsOf(frozen).create({ id: 'in the tail' });

  const next = await open(home, true);
  await next.fence();
  expect(await verbsOf(next).count()).toBe(21);

  // It wakes up, and its lease is over.
  home.isLeased = false;
  expect(await refusal(verbsOf(frozen).create({ id: 'too late' }))).toBe('storage/log-collision');
  expect(await refusal(verbsOf(frozen).create({ id: 'later still' }))).toBe('engine/superseded');
  await verbsOf(next).create({ id: 'after' });
  await next.close();
  home.tails.unlock();
  const again = await open(home);
  expect(await verbsOf(again).count()).toBe(22);
  expect(await verbsOf(again).get('too late')).toBeUndefined();
  await again.close();
});

test('[T2] a frozen writer is refused also when the log was trimmed meanwhile, by whoever led since', async () => {
  const home = createHome();
  const frozen = await open(home);
  await verbsOf(frozen).create({ id: 'before' });
  for (const round of [1, 2]) {
    const next = await open(home, true);
    await next.fence();
    for (let at = 0; at < 5; at++) await verbsOf(next).create({ id: `round ${round}, ${at}` });
    await next.checkpoint();
    await next.close();
    home.tails.unlock();
  }
  const next = await open(home, true);
  await next.fence();
  await next.checkpoint();

  home.isLeased = false;
  expect(await refusal(verbsOf(frozen).create({ id: 'too late' }))).toBe('storage/log-collision');
  await next.close();
  home.tails.unlock();

  // Nobody lives that could wake: what was kept for that is let go.
  const again = await open(home);
  expect(await verbsOf(again).count()).toBe(11);
  await verbsOf(again).create({ id: 'after' });
  await again.checkpoint();
  expect(await createMemoryStorage(home.image).log.read(toLsn(0), 10)).toEqual([]);
});

test('[T2] the epoch is greater than that of a frozen writer that has written nothing yet', async () => {
  const home = createHome();
  await (await open(home)).close();
  const frozen = await open(home);
  const next = await open(home, true);
  expect(next.epoch).toBeGreaterThan(frozen.epoch);
});
