/**
 * Goal: a crash at any write of a migration goes on exactly where it was: no row is migrated twice, or not at all. Method:
 * a migration runs once, counting its writes; then once for each write, which is the last that storage sees. The store is
 * reopened on what was stored, and the migration goes on. Its function is such that a second run of it shows in the row.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { collection, createMemoryImage, index, openOnImage, openOnStorage } from './engine-fixture.ts';
import { codeOf, VERIFY, verbsOf } from './engine-verbs.ts';
import { migrate, runOf, type Steps, versioned } from './migration-verbs.ts';

const COLD: Partial<EngineOptions> = { cacheBytesMax: 0 };
const others = collection('others', [index('x')]);
const OLD = [versioned(1, [index('n'), index('code', { unique: true }), index('gone')]), others];
const NEW = [versioned(3, [index('runs'), index('code', { unique: true }), index('n', { sparse: true })]), others];
const PAD = 'p'.repeat(400);
const STEPS: Steps = {
  2: (row) => ({ ...row, runs: Number(row['runs'] ?? 0) + 1 }),
  3: (row) => ({ ...row, runs: Number(row['runs']) + 1, code: Number(row['code']) + 1, big: undefined }),
};

const ROWS: readonly Row[] = Array.from({ length: 1_300 }, (_, id) => ({
  id,
  n: id % 5,
  code: id,
  // Some live in blobs before, and not after.
  ...(id % 300 === 7 ? { big: 'b'.repeat(40_000) } : { pad: PAD }),
}));
const MIGRATED = ROWS.map(({ big: _big, ...row }) => ({ ...row, code: Number(row['code']) + 1, runs: 2 }));

async function filled(): Promise<MemoryImage> {
  const image = createMemoryImage();
  const engine = await openOnImage(image, OLD);
  await verbsOf(engine).create(...ROWS);
  await engine.close();
  return image;
}

/** With a checkpoint, and writes to another collection, in the middle. */
async function run(engine: Engine): Promise<void> {
  let batches = 0;
  const code = await migrate(engine, async (rows, from, to) => {
    batches += 1;
    if (batches === 2) await verbsOf(engine, 'others').put({ id: batches, x: batches });
    if (batches === 3) await engine.checkpoint();
    return runOf(STEPS)(rows, from, to);
  });
  if (code !== 'ok') throw new Error(code);
  await engine.close();
}

async function countWrites(): Promise<number> {
  const storage = createFaultyStorage(createMemoryStorage(await filled()));
  await run(await openOnStorage(storage, NEW, COLD));
  return storage.writes;
}

const writes = await countWrites();
/** The checkpoints of index builds at the end may fall together, so that the last writes are not reached. */
let crashes = 0;

describe.each(['lost', 'stored-unanswered'] as const)('a crash whose write is %s', (fate) => {
  test.each(Array.from({ length: writes }, (_, at) => at + 1))('[MIG-1] [B16] at write %i', async (write) => {
    const image = await filled();
    const storage = createFaultyStorage(createMemoryStorage(image), { crash: { write, fate, afterwards: 'reject' } });
    await openOnStorage(storage, NEW, COLD)
      .then(run)
      .catch(() => undefined);
    crashes += Number(storage.hasCrashed);
    const reopened = await openOnImage(image, NEW, COLD);
    const left = (await reopened.health()).migrations[0];
    const given: unknown[] = [];
    expect(
      await migrate(
        reopened,
        runOf(STEPS, ({ id }) => given.push(id)),
      ),
    ).toBe('ok');
    // What the catalogue says is done is not given again, and everything else is, once.
    const done = left === undefined ? ROWS.length : left.done;
    expect(given).toEqual(ROWS.slice(done).map(({ id }) => id));
    expect(await verbsOf(reopened).all()).toEqual(MIGRATED);
    expect((await reopened.verify(VERIFY)).sound).toBe(true);
    await verbsOf(reopened).put({ id: 'after', code: -1 });
    await reopened.checkpoint();
    await reopened.checkpoint();
    await reopened.close();
    // The large values of old rows are gone.
    expect(image.blobs.size).toBe(0);
    expect(await codeOf(openOnImage(image, OLD))).toBe('store/newer-version');
  });
});

test('[MIG-1] the script stores several batches, and crashes fell between them', () => {
  expect(writes).toBeGreaterThan(8);
  expect(crashes).toBeGreaterThan(16);
});
