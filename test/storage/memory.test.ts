/** Goal: memory keeps the contract, and its image survives what stands on it. Method: the contract suite, then images. */
import { describe, expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import { copyMemoryImage, createMemoryImage, createMemoryStorage } from '../../worker/storage/index.ts';
import { describeStorage } from '../contracts/storage-contract.ts';

describeStorage('memory', () => {
  const image = createMemoryImage();
  return { open: async () => createMemoryStorage(image) };
});

describe('memory image', () => {
  const append = (storage: ReturnType<typeof createMemoryStorage>, lsn: number): Promise<void> =>
    storage.log.append({ records: [{ lsn: toLsn(lsn), bytes: Uint8Array.of(lsn) }], blobs: [], durability: 'relaxed' });

  test('[B18] a copy is the state of its moment', async () => {
    const image = createMemoryImage();
    const storage = createMemoryStorage(image);
    await append(storage, 1);
    const copy = copyMemoryImage(image);
    await append(storage, 2);
    await storage.meta.put('name', 1);
    const before = createMemoryStorage(copy);
    expect((await before.log.read(toLsn(0), 10)).map(({ lsn }) => lsn)).toEqual([1]);
    expect(await before.meta.keys('')).toEqual([]);
    expect((await storage.log.read(toLsn(0), 10)).map(({ lsn }) => lsn)).toEqual([1, 2]);
  });

  test('[B18] records can be set and deleted behind the storage, as damage does', async () => {
    const image = createMemoryImage();
    const storage = createMemoryStorage(image);
    for (const lsn of [1, 2, 3]) await append(storage, lsn);
    image.log.delete(2);
    image.log.set(3, Uint8Array.of(33));
    const records = await storage.log.read(toLsn(0), 10);
    expect(records.map(({ lsn, bytes }) => [lsn, bytes[0]])).toEqual([
      [1, 1],
      [3, 33],
    ]);
  });
});
