/** Goal: a group is stored whole or not at all, under the LSNs that follow. Method: write, read back, inject failures. */
import { describe, expect, test } from 'vitest';
import { toBlobId, toLsn } from '../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';
import { createMemoryImage, createMemoryStorage, type LogStore } from '../../worker/storage/index.ts';
import {
  COMPRESS_BYTES_MIN,
  type Compression,
  createWalWriter,
  readWal,
  type WalWriter,
} from '../../worker/wal/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { interceptStorage } from '../fakes/intercepted-storage.ts';
import { createLateStorage, createManualScheduler } from '../fakes/late-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { DEFLATE, noise, readBack, recordsOf, text } from './wal-fixture.ts';

const FRAME_PAYLOAD = RECORD_BYTES_MAX - 28;
const writerOn = (log: LogStore, first = 1, compression?: Compression): WalWriter =>
  createWalWriter({ log, epoch: 1, nextLsn: toLsn(first), compression });
const group = (...payload: Uint8Array[]) => ({ payload, blobs: [], durability: 'relaxed' }) as const;

describe('groups', () => {
  test.each([
    [0, 1],
    [1, 1],
    [FRAME_PAYLOAD - 1, 1],
    [FRAME_PAYLOAD, 1],
    [FRAME_PAYLOAD + 1, 2],
    [2 * FRAME_PAYLOAD, 2],
    [2 * FRAME_PAYLOAD + 1, 3],
    [3_000_000, 62],
  ])('[B7] a payload of %i bytes takes %i frames and comes back whole', async (size, frames) => {
    const { log } = createMemoryStorage();
    const payload = noise(size, createSeededRandom(1));
    const writer = writerOn(log);
    const appended = await writer.append(group(payload));
    expect(appended).toEqual({ firstLsn: 1, lastLsn: frames, bytes: size + 28 * frames });
    expect(writer.nextLsn).toBe(frames + 1);
    const { groups, report } = await readBack(log);
    expect(groups.length).toBe(1);
    expect(Buffer.compare(groups[0]!.payload, payload)).toBe(0);
    expect(report).toEqual({
      framesKept: frames,
      framesDropped: 0,
      bytesDropped: 0,
      lastLsn: frames,
      epoch: 1,
      reason: undefined,
    });
  });

  test('[B7] parts are joined, whatever their sizes', async () => {
    const random = createSeededRandom(2);
    for (let round = 0; round < 50; round++) {
      const { log } = createMemoryStorage();
      const sizes = Array.from(
        { length: Math.floor(random() * 8) },
        () => [0, 1, 30_000, 49_124, 49_125, 100_000][Math.floor(random() * 6)]!,
      );
      const parts = sizes.map((size) => noise(size, random));
      await writerOn(log).append(group(...parts));
      const { groups } = await readBack(log);
      expect(Buffer.compare(groups[0]!.payload, Buffer.concat(parts)), `round ${round}: ${sizes}`).toBe(0);
    }
  });

  test('[B12] blobs are stored with their group', async () => {
    const storage = createMemoryStorage();
    const blobs = [{ id: toBlobId(4), bytes: text('large') }];
    await writerOn(storage.log).append({ ...group(text('row')), blobs });
    expect(await storage.blobs.read(toBlobId(4))).toEqual(text('large'));
  });

  test('[T2] one append is in flight at a time', async () => {
    const scheduler = createManualScheduler();
    const { log } = createLateStorage(createMemoryStorage(), scheduler.schedule);
    const writer = writerOn(log);
    const first = writer.append(group(text('a')));
    expect(() => writer.append(group(text('b')))).toThrow('One append is in flight');
    await new Promise((resolve) => setTimeout(resolve));
    expect(writer.nextLsn).toBe(1);
    scheduler.release();
    await first;
    expect(writer.nextLsn).toBe(2);
  });
});

describe('failures', () => {
  test.each(['storage/failed', 'storage/quota'] as const)(
    '[B6] after %s the next append takes the same LSNs',
    async (code) => {
      const storage = createFaultyStorage(createMemoryStorage(), { fail: { request: 2, code, lasts: 'once' } });
      const writer = writerOn(storage.log);
      await writer.append(group(text('a')));
      await expect(writer.append(group(text('b')))).rejects.toMatchObject({ code });
      expect(writer.nextLsn).toBe(2);
      await writer.append(group(text('c')));
      const { groups, report } = await readBack(storage.log);
      expect(groups.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(['a', 'c']);
      expect(report.reason).toBeUndefined();
    },
  );

  test('[B1] after an unknown outcome the writer takes no more', async () => {
    const storage = createFaultyStorage(createMemoryStorage(), {
      fail: { request: 1, code: 'storage/outcome-unknown', lasts: 'once' },
    });
    const writer = writerOn(storage.log);
    await expect(writer.append(group(text('a')))).rejects.toMatchObject({ code: 'storage/outcome-unknown' });
    await expect(writer.append(group(text('b')))).rejects.toMatchObject({ code: 'wal/stopped' });
    expect((await readBack(storage.log)).groups).toEqual([]);
  });

  test('[T2] of two writers on one store the second to take an LSN loses, and nothing of it is stored', async () => {
    const image = createMemoryImage();
    const [old, young] = [writerOn(createMemoryStorage(image).log), writerOn(createMemoryStorage(image).log)];
    await old.append(group(text('a')));
    const blobs = [{ id: toBlobId(1), bytes: text('large') }];
    const late = young.append({ ...group(noise(200_000, createSeededRandom(3))), blobs });
    await expect(late).rejects.toMatchObject({ code: 'storage/log-collision' });
    await expect(young.append(group(text('b')))).rejects.toMatchObject({ code: 'wal/stopped' });
    expect(recordsOf(image).length).toBe(1);
    expect(image.blobs.size).toBe(0);
    await old.append(group(text('c')));
    const { groups } = await readBack(createMemoryStorage(image).log);
    expect(groups.map(({ payload }) => new TextDecoder().decode(payload))).toEqual(['a', 'c']);
  });

  test('[T2] a new epoch shuts out the writer of the old one for good', async () => {
    const image = createMemoryImage();
    const { log } = createMemoryStorage(image);
    const old = writerOn(log);
    await old.append(group(text('a')));
    const { report } = await readBack(log);
    const young = createWalWriter({
      log,
      epoch: report.epoch + 1,
      nextLsn: toLsn(report.lastLsn + 1),
      compression: undefined,
    });
    await young.append(group());
    await expect(old.append(group(text('late')))).rejects.toMatchObject({ code: 'storage/log-collision' });
    await young.append(group(text('b')));
    const { groups, report: after } = await readBack(log);
    expect(groups.map(({ epoch, payload }) => [epoch, new TextDecoder().decode(payload)])).toEqual([
      [1, 'a'],
      [2, ''],
      [2, 'b'],
    ]);
    expect(after).toMatchObject({ epoch: 2, reason: undefined });
  });

  test('[B8] a crash at each write leaves a prefix that holds all that was acknowledged', async () => {
    for (const fate of ['lost', 'stored-unanswered'] as const) {
      for (let write = 1; write <= 6; write++) {
        const image = createMemoryImage();
        const storage = createFaultyStorage(createMemoryStorage(image), {
          crash: { write, fate, afterwards: 'reject' },
        });
        const writer = writerOn(storage.log);
        let acknowledged = 0;
        for (let number = 1; number <= 5; number++) {
          const done = await writer.append(group(noise(number * 30_000, createSeededRandom(number)))).then(
            () => true,
            () => false,
          );
          if (done) acknowledged++;
          else break;
        }
        const { groups, report } = await readBack(createMemoryStorage(image).log);
        expect(report.reason, `${fate} at ${write}`).toBeUndefined();
        expect(groups.length - acknowledged, `${fate} at ${write}`).toBe(fate === 'lost' || write > 5 ? 0 : 1);
        groups.forEach(({ payload }, index) => {
          expect(payload.byteLength).toBe((index + 1) * 30_000);
        });
      }
    }
  });
});

describe('compression', () => {
  const prose = (size: number): Uint8Array =>
    text('{"name":"some text that repeats","n":1},'.repeat(size / 40 + 1)).slice(0, size);

  test.each([
    [COMPRESS_BYTES_MIN - 1, false],
    [COMPRESS_BYTES_MIN, true],
    [4_000_000, true],
  ])('[B7] a payload of %i bytes comes back whole; compressed: %s', async (size, isCompressed) => {
    const image = createMemoryImage();
    const { log } = createMemoryStorage(image);
    const { bytes } = await writerOn(log, 1, DEFLATE).append(group(prose(size)));
    expect(bytes < size / 2).toBe(isCompressed);
    expect((recordsOf(image)[0]![1][5]! & 4) !== 0).toBe(isCompressed);
    const { groups } = await readBack(log);
    expect(Buffer.compare(groups[0]!.payload, prose(size))).toBe(0);
  });

  test('[B7] noise is stored as it is', async () => {
    const { log } = createMemoryStorage();
    const payload = noise(COMPRESS_BYTES_MIN * 2, createSeededRandom(4));
    const { bytes, lastLsn } = await writerOn(log, 1, DEFLATE).append(group(payload));
    expect(bytes).toBe(payload.byteLength + 28 * lastLsn);
    expect(Buffer.compare((await readBack(log)).groups[0]!.payload, payload)).toBe(0);
  });

  test('[B7] without decompression the reading fails and drops nothing', async () => {
    const { log } = createMemoryStorage();
    await writerOn(log, 1, DEFLATE).append(group(prose(COMPRESS_BYTES_MIN)));
    const reading = readWal({ log, after: toLsn(0), compression: undefined });
    await expect(reading[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'wal/no-decompression' });
  });

  test('[B4] no transaction is open while a slow compression runs', async () => {
    let running = 0;
    const inner = createMemoryStorage();
    const storage = interceptStorage(inner, (_, run) => {
      expect(running).toBe(0);
      return run();
    });
    const slow: Compression = {
      ...DEFLATE,
      compress: async (parts) => {
        running++;
        await new Promise((resolve) => setTimeout(resolve, 500));
        const pieces = await DEFLATE.compress(parts);
        running--;
        return pieces;
      },
    };
    await writerOn(storage.log, 1, slow).append(group(prose(COMPRESS_BYTES_MIN)));
    expect((await readBack(inner.log)).groups.length).toBe(1);
  });
});
