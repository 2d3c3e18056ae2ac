/** Goal: log and compression work on the browser's own IndexedDB and streams. Method: write, damage, recover, go on. */
import { expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import { COMPRESS_BYTES_MIN, quarantineTail } from '../../worker/wal/index.ts';
import { createIdbHome } from '../fakes/idb-home.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { DEFLATE, noise, readBack, text, writeGroups } from './wal-fixture.ts';

test('[B7] groups of all kinds, a damaged tail, and new groups after it', async () => {
  const random = createSeededRandom(11);
  const home = createIdbHome(indexedDB);
  const storage = await home.open();
  const written = await writeGroups(storage.log, [
    { payload: text('small'), epoch: 1, compression: undefined },
    { payload: noise(200_000, random), epoch: 1, compression: undefined },
    { payload: text('{"name":"value"},'.repeat(COMPRESS_BYTES_MIN / 8)), epoch: 2, compression: DEFLATE },
    { payload: new Uint8Array(0), epoch: 2, compression: undefined },
  ]);
  const end = written.at(-1)!.lastLsn;
  const torn = { lsn: toLsn(end + 1), bytes: noise(500, random) };
  await storage.log.append({ records: [torn], blobs: [], durability: 'relaxed' });
  await storage.close();

  const reopened = await home.open();
  const { groups, report } = await readBack(reopened.log);
  expect(groups.map(({ payload }) => payload.byteLength)).toEqual(written.map(({ payload }) => payload.byteLength));
  groups.forEach(({ payload }, index) => {
    expect(payload.every((byte, at) => byte === written[index]!.payload[at])).toBe(true);
  });
  expect(report).toEqual({
    framesKept: end,
    framesDropped: 1,
    bytesDropped: 500,
    lastLsn: end,
    epoch: 2,
    reason: 'bad-magic',
  });
  expect(await quarantineTail({ log: reopened.log, report })).toBe(1);
  await writeGroups(reopened.log, [{ payload: text('next'), epoch: 3, compression: undefined }], end + 1);
  expect((await readBack(reopened.log)).report).toMatchObject({ framesDropped: 0, epoch: 3, reason: undefined });
  await reopened.destroy();
});

test('[B7] many small records, and gaps beyond the first batches', async () => {
  const home = createIdbHome(indexedDB);
  const { log, destroy } = await home.open();
  const groups = Array.from({ length: 1_500 }, (_, index) => ({
    payload: text(`row ${index}`),
    epoch: 1,
    compression: undefined,
  }));
  await writeGroups(log, groups);
  expect((await readBack(log)).report).toMatchObject({ framesKept: 1_500, framesDropped: 0 });
  await log.append({ records: [{ lsn: toLsn(5_000), bytes: text('far') }], blobs: [], durability: 'relaxed' });
  expect((await readBack(log)).report).toMatchObject({ framesKept: 1_500, framesDropped: 1, reason: 'gap' });
  expect((await readBack(log, 200)).report).toMatchObject({ framesKept: 1_300, framesDropped: 1, reason: 'gap' });
  await destroy();
});
