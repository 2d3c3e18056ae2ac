/** Goal: the storage that breaks on purpose breaks as told, and keeps the contract while it does not. */
import { describe, expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import { createMemoryImage, createMemoryStorage, type Storage } from '../../worker/storage/index.ts';
import { describeStorage } from '../contracts/storage-contract.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';

describeStorage(
  'faulty, without a fault',
  () => {
    const image = createMemoryImage();
    return { open: async () => createFaultyStorage(createMemoryStorage(image)) };
  },
  { slowCases: 'skip' },
);

const append = ({ log }: Storage, lsn: number): Promise<void> =>
  log.append({ records: [{ lsn: toLsn(lsn), bytes: Uint8Array.of(lsn) }], blobs: [], durability: 'relaxed' });

async function outcomes(calls: readonly (() => Promise<unknown>)[]): Promise<readonly string[]> {
  const results: string[] = [];
  for (const call of calls) {
    results.push(
      await call().then(
        () => 'ok',
        (error: { code: string }) => error.code,
      ),
    );
  }
  return results;
}

describe('failures', () => {
  test('[B6] one request fails, and nothing of it is done', async () => {
    const image = createMemoryImage();
    const fail = { request: 2, code: 'storage/failed', lasts: 'once' } as const;
    const storage = createFaultyStorage(createMemoryStorage(image), { fail });
    const calls = [1, 2, 2].map((lsn) => () => append(storage, lsn));
    expect(await outcomes(calls)).toEqual(['ok', 'storage/failed', 'ok']);
    expect(image.log.size).toBe(2);
    expect(storage.requests).toBe(3);
  });

  test('[B6] all requests of one kind fail until it heals', async () => {
    const storage = createFaultyStorage(createMemoryStorage(), {
      fail: { request: 2, code: 'storage/quota', lasts: 'persistent', only: ['log.append'] },
    });
    const read = () => storage.log.read(toLsn(0), 1);
    const calls = [() => append(storage, 1), read, () => append(storage, 2), read, () => append(storage, 2)];
    expect(await outcomes(calls)).toEqual(['ok', 'ok', 'storage/quota', 'ok', 'storage/quota']);
    storage.heal();
    expect(await outcomes([() => append(storage, 2)])).toEqual(['ok']);
  });
});

describe('crashes', () => {
  test.each([
    ['lost', 1],
    ['stored-unanswered', 2],
  ] as const)('[B8] at the second write, %s: %i records are there afterwards', async (fate, count) => {
    const image = createMemoryImage();
    const crash = { write: 2, fate, afterwards: 'reject' } as const;
    const storage = createFaultyStorage(createMemoryStorage(image), { crash });
    const read = () => storage.log.read(toLsn(0), 1);
    const calls = [() => append(storage, 1), read, () => append(storage, 2), read, () => append(storage, 3)];
    expect(await outcomes(calls)).toEqual(['ok', 'ok', 'storage/closed', 'storage/closed', 'storage/closed']);
    expect(storage.hasCrashed).toBe(true);
    expect(image.log.size).toBe(count);
  });

  test('[B8] a crashed storage may also never answer', async () => {
    const crash = { write: 1, fate: 'lost', afterwards: 'hang' } as const;
    const storage = createFaultyStorage(createMemoryStorage(), { crash });
    const pause = new Promise((resolve) => setTimeout(() => resolve('nothing'), 10));
    expect(await Promise.race([append(storage, 1), pause])).toBe('nothing');
  });
});
