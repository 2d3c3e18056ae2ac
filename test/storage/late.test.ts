/** Goal: nothing rests on answers coming at once or in order. Method: the contract suite with late, shuffled answers. */
import { describe, expect, test } from 'vitest';
import { createMemoryImage, createMemoryStorage } from '../../worker/storage/index.ts';
import { describeStorage } from '../contracts/storage-contract.ts';
import { createLateStorage, createManualScheduler, createRandomScheduler } from '../fakes/late-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const SEED = 20_260_101;

describeStorage(`late answers, seed ${SEED}`, () => {
  const image = createMemoryImage();
  const schedule = createRandomScheduler({ random: createSeededRandom(SEED), turnsMax: 4, nextTurn: setImmediate });
  return { open: async () => createLateStorage(createMemoryStorage(image), schedule) };
});

describe('late storage', () => {
  test('[B18] work is done before its answer is given', async () => {
    const scheduler = createManualScheduler();
    const image = createMemoryImage();
    const put = createLateStorage(createMemoryStorage(image), scheduler.schedule).meta.put('name', 1);
    await Promise.resolve();
    expect(image.meta.get('name')).toBe(1);
    expect(scheduler.waiting).toEqual(['meta.put']);
    scheduler.release();
    await put;
  });
});
