/**
 * Goal: whatever happens to stored bytes, recovery takes a prefix of the groups that were written, says exactly what it
 * dropped, never throws, and the log can be written again (B7). Method: random logs from printed seeds; each kind of
 * damage on random records; the plain list of groups is the model.
 */
import { describe, expect, test } from 'vitest';
import { toLsn } from '../../src/base/ids.ts';
import {
  copyMemoryImage,
  createMemoryImage,
  createMemoryStorage,
  type MemoryImage,
} from '../../worker/storage/index.ts';
import { quarantineTail } from '../../worker/wal/index.ts';
import { sealFrame } from '../../worker/wal/wal-format.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import {
  DEFLATE,
  type GroupToWrite,
  noise,
  type ReadGroup,
  readBack,
  recordsOf,
  text,
  writeGroups,
} from './wal-fixture.ts';

const SEEDS = Array.from({ length: 60 }, (_, index) => 1_000 + index);
const DAMAGES_PER_LOG = 12;

type Damage = {
  readonly title: string;
  /** Changes the image and answers the first LSN that is not as it was. */
  readonly apply: (image: MemoryImage, at: number, random: () => number) => number;
};

const pick = (count: number, random: () => number): number => Math.floor(random() * count);

const DAMAGES: readonly Damage[] = [
  {
    title: 'flip a bit',
    apply: (image, lsn, random) => {
      const bytes = image.log.get(lsn)!.slice();
      const bit = pick(bytes.byteLength * 8, random);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      image.log.set(lsn, bytes);
      return lsn;
    },
  },
  {
    title: 'truncate',
    apply: (image, lsn, random) => {
      const bytes = image.log.get(lsn)!;
      image.log.set(lsn, bytes.slice(0, pick(bytes.byteLength, random)));
      return lsn;
    },
  },
  {
    title: 'lengthen',
    apply: (image, lsn, random) => {
      const bytes = image.log.get(lsn)!;
      image.log.set(lsn, new Uint8Array([...bytes, ...new Uint8Array(1 + pick(9, random))]));
      return lsn;
    },
  },
  {
    title: 'remove',
    apply: (image, lsn) => {
      image.log.delete(lsn);
      return lsn;
    },
  },
  {
    title: 'zero',
    apply: (image, lsn) => {
      image.log.set(lsn, new Uint8Array(image.log.get(lsn)!.byteLength));
      return lsn;
    },
  },
  {
    title: 'replace by noise',
    apply: (image, lsn, random) => {
      image.log.set(lsn, noise(pick(200, random), random));
      return lsn;
    },
  },
  {
    title: 'exchange two',
    apply: (image, lsn, random) => {
      const other = 1 + pick(image.log.size, random);
      const [a, b] = [image.log.get(lsn)!, image.log.get(other)!];
      image.log.set(lsn, b);
      image.log.set(other, a);
      return lsn === other ? Number.POSITIVE_INFINITY : Math.min(lsn, other);
    },
  },
  {
    title: 'copy over another',
    apply: (image, lsn, random) => {
      const other = 1 + pick(image.log.size, random);
      image.log.set(lsn, image.log.get(other)!);
      return lsn === other ? Number.POSITIVE_INFINITY : lsn;
    },
  },
  {
    title: 'append a copy at the end',
    apply: (image, lsn) => {
      const end = image.log.size + 1;
      image.log.set(end, image.log.get(lsn)!);
      return end;
    },
  },
  {
    title: 'append a sound frame after a gap',
    apply: (image) => {
      const lsn = image.log.size + 3;
      const record = new Uint8Array(28);
      sealFrame(record, { flags: 3, epoch: 1_000, lsn: toLsn(lsn) });
      image.log.set(lsn, record);
      return lsn;
    },
  },
  {
    title: 'nothing',
    apply: () => Number.POSITIVE_INFINITY,
  },
];

describe('recovery', () => {
  test.each(SEEDS)('[B7] seed %i', async (seed) => {
    const random = createSeededRandom(seed);
    const sound = createMemoryImage();
    const written = await writeGroups(createMemoryStorage(sound).log, randomGroups(random));
    for (let round = 0; round < DAMAGES_PER_LOG; round++) {
      const { title, apply } = DAMAGES[pick(DAMAGES.length, random)]!;
      const image = copyMemoryImage(sound);
      const firstBad = apply(image, 1 + pick(sound.log.size, random), random);
      await assertRecovers(image, {
        written,
        firstBad,
        label: `seed ${seed}, round ${round}: ${title} at ${firstBad}`,
      });
    }
  });

  test('[B7] several damages at once', async () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const random = createSeededRandom(seed * 7);
      const image = createMemoryImage();
      const written = await writeGroups(createMemoryStorage(image).log, randomGroups(random));
      const before = new Map(recordsOf(image));
      for (let count = 0; count < 4; count++) {
        const lsns = [...recordsOf(image)].map(([lsn]) => lsn);
        const { apply } = DAMAGES[pick(6, random)]!;
        apply(image, lsns[pick(lsns.length, random)]!, random);
        if (image.log.size === 0) break;
      }
      // Bytes decide: two damages may undo each other.
      const firstBad = [...before].find(([lsn, bytes]) => !isSame(image.log.get(lsn), bytes))?.[0];
      await assertRecovers(image, {
        written,
        firstBad: firstBad ?? Number.POSITIVE_INFINITY,
        label: `seed ${seed * 7}`,
      });
    }
  });

  test('[B7] a log cut at each record ends at a group', async () => {
    const random = createSeededRandom(5);
    const sound = createMemoryImage();
    const written = await writeGroups(createMemoryStorage(sound).log, randomGroups(random));
    for (let lsn = 1; lsn <= sound.log.size; lsn++) {
      const image = copyMemoryImage(sound);
      image.log.deleteAfter(lsn);
      const { groups, report } = await readBack(createMemoryStorage(image).log);
      const whole = written.filter(({ lastLsn }) => lastLsn <= lsn);
      expect(groups.length, `cut after ${lsn}`).toBe(whole.length);
      expect(report.reason, `cut after ${lsn}`).toBe(report.framesDropped === 0 ? undefined : 'unfinished-group');
    }
  });

  test('[B7] the floor of a trimmed log: groups after it, and a gap when it was trimmed too far', async () => {
    const image = createMemoryImage();
    const { log } = createMemoryStorage(image);
    const written = await writeGroups(log, ['a', 'b', 'c', 'd'].map(plainGroup));
    await log.trim(toLsn(2));
    expect((await readBack(log, 2)).groups).toEqual(written.slice(2));
    expect((await readBack(log, 3)).groups).toEqual(written.slice(3));
    expect((await readBack(log, 4)).report).toMatchObject({ framesKept: 0, framesDropped: 0, lastLsn: 4 });
    expect((await readBack(log, 1)).report).toMatchObject({
      framesKept: 0,
      framesDropped: 2,
      lastLsn: 1,
      reason: 'gap',
    });
  });

  test('[B7] epochs never decrease', async () => {
    const { log } = createMemoryStorage();
    const groups = [1, 1, 3, 2, 3].map((epoch) => ({ payload: text('x'), epoch, compression: undefined }));
    await writeGroups(log, groups);
    const { report } = await readBack(log);
    expect(report).toMatchObject({ framesKept: 3, framesDropped: 2, epoch: 3, reason: 'epoch-decreased' });
  });

  test.each([
    ['a frame that continues nothing', [0]],
    ['an end without a start', [2]],
    ['a start within a group', [1, 1]],
    ['a whole group within a group', [1, 3]],
    ['a compressed frame within a plain group', [1, 4]],
    ['a plain frame within a compressed group', [5, 2]],
  ])('[B7] %s is a broken group', async (_, flags) => {
    const image = createMemoryImage();
    const { log } = createMemoryStorage(image);
    await writeGroups(log, [plainGroup('a')]);
    flags.forEach((value, index) => {
      const record = new Uint8Array(28);
      sealFrame(record, { flags: value, epoch: 1, lsn: toLsn(2 + index) });
      image.log.set(2 + index, record);
    });
    const { groups, report } = await readBack(log);
    expect(groups.length).toBe(1);
    expect(report).toMatchObject({ framesKept: 1, framesDropped: flags.length, reason: 'broken-group' });
  });

  test.each([
    ['too short for its length', new Uint8Array(3)],
    ['not deflate', Uint8Array.of(10, 0, 0, 0, 255, 255, 255, 255)],
    ['an absurd length', Uint8Array.of(255, 255, 255, 255, 3, 0)],
    ['a wrong length', Uint8Array.of(9, 0, 0, 0, 3, 0)],
    ['a stream without an end', Uint8Array.of(0, 0, 0, 0)],
  ])('[B7] a compressed group that is %s', async (_, payload) => {
    const image = createMemoryImage();
    const { log } = createMemoryStorage(image);
    const record = new Uint8Array(28 + payload.byteLength);
    record.set(payload, 28);
    sealFrame(record, { flags: 7, epoch: 1, lsn: toLsn(1) });
    image.log.set(1, record);
    expect((await readBack(log)).report).toMatchObject({ framesKept: 0, framesDropped: 1, reason: 'bad-compression' });
  });

  test('[B10] a storage that fails is an error of the reading, not a short log', async () => {
    const { log } = createMemoryStorage();
    await writeGroups(log, ['a', 'b'].map(plainGroup));
    const failing = { ...log, read: () => Promise.reject(new Error('no')) };
    await expect(readBack(failing as unknown as typeof log)).rejects.toThrow('no');
  });
});

const plainGroup = (payload: string): GroupToWrite => ({ payload: text(payload), epoch: 1, compression: undefined });

/** Small, large and compressed groups; epochs that grow now and then. */
function randomGroups(random: () => number): GroupToWrite[] {
  let epoch = 1;
  return Array.from({ length: 1 + pick(20, random) }, () => {
    if (random() < 0.2) epoch++;
    const kind = random();
    if (kind < 0.7) return { payload: noise(pick(300, random), random), epoch, compression: undefined };
    if (kind < 0.9) return { payload: noise(pick(150_000, random), random), epoch, compression: undefined };
    return { payload: text('abcdefgh'.repeat(8_192 + pick(10_000, random))), epoch, compression: DEFLATE };
  });
}

type Expectation = { readonly written: readonly ReadGroup[]; readonly firstBad: number; readonly label: string };

/** Recovers twice: what is kept, what is said, what is written next. */
async function assertRecovers(image: MemoryImage, { written, firstBad, label }: Expectation): Promise<void> {
  const storage = createMemoryStorage(image);
  const stored = new Map(recordsOf(image));
  const kept = written.filter(({ lastLsn }) => lastLsn < firstBad);
  const { groups, report } = await readBack(storage.log);
  assertSameGroups(groups, kept, label);

  const lastLsn = kept.at(-1)?.lastLsn ?? 0;
  const dropped = [...stored].filter(([lsn]) => lsn > lastLsn);
  expect(report, label).toEqual({
    framesKept: lastLsn,
    framesDropped: dropped.length,
    bytesDropped: dropped.reduce((sum, [, bytes]) => sum + bytes.byteLength, 0),
    lastLsn,
    epoch: kept.at(-1)?.epoch ?? 0,
    reason: dropped.length === 0 ? undefined : expect.any(String),
  });

  expect(await quarantineTail({ log: storage.log, report }), label).toBe(dropped.length);
  const keys = await storage.meta.keys('quarantine/');
  const saved = await Promise.all(
    keys.map(async (key) => new Uint8Array((await storage.meta.get(key)) as ArrayBuffer)),
  );
  expect(saved.length, label).toBe(dropped.length);
  dropped.forEach(([, bytes], index) => {
    expect(isSame(saved[index], bytes), label).toBe(true);
  });

  const next = await writeGroups(
    storage.log,
    [{ payload: text('next'), epoch: report.epoch, compression: undefined }],
    lastLsn + 1,
  );
  const again = await readBack(storage.log);
  assertSameGroups(again.groups, [...kept, ...next], label);
  expect(again.report.reason, label).toBeUndefined();
}

function assertSameGroups(found: readonly ReadGroup[], expected: readonly ReadGroup[], label: string): void {
  const facts = (groups: readonly ReadGroup[]) =>
    groups.map(({ firstLsn, lastLsn, epoch }) => ({ firstLsn, lastLsn, epoch }));
  expect(facts(found), label).toEqual(facts(expected));
  found.forEach(({ payload }, index) => {
    expect(isSame(payload, expected[index]!.payload), `${label}: group ${index}`).toBe(true);
  });
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
