/**
 * Goal: a crash at any write loses nothing that was acknowledged, and never half of anything. Method: a scripted life runs
 * once, counting its writes; then once for each write, which is the last that storage sees. The store is reopened on what
 * was stored, must be in a state of the script, and sound.
 */
import { describe, expect, test } from 'vitest';
import type { EngineOptions } from '../../src/protocol/engine-api.ts';
import { createMemoryStorage } from '../../worker/storage/index.ts';
import { createFaultyStorage, type StorageFaults } from '../fakes/faulty-storage.ts';
import { createMemoryImage, openOnImage, openOnStorage } from './engine-fixture.ts';
import { VERIFY, verbsOf } from './engine-verbs.ts';
import { COLLECTIONS, contentOf, contentsOf, STEPS, sameContent } from './story.ts';

const COLD: Partial<EngineOptions> = { cacheBytesMax: 0 };

async function countWrites(): Promise<number> {
  const storage = createFaultyStorage(createMemoryStorage(createMemoryImage()));
  const engine = await openOnStorage(storage, COLLECTIONS, COLD);
  for (const { run } of STEPS) await run(engine);
  await engine.close();
  return storage.writes;
}

const contents = contentsOf(() => openOnImage(createMemoryImage(), COLLECTIONS, COLD));
const writes = await countWrites();

describe.each(['lost', 'stored-unanswered'] as const)('a crash whose write is %s', (fate) => {
  test.each(Array.from({ length: writes }, (_, at) => at + 1))('[B8] [B16] at write %i', async (write) => {
    const image = createMemoryImage();
    const crash: NonNullable<StorageFaults['crash']> = { write, fate, afterwards: 'reject' };
    const storage = createFaultyStorage(createMemoryStorage(image), { crash });
    let acknowledged = 0;
    let attempted = 0;
    try {
      const engine = await openOnStorage(storage, COLLECTIONS, COLD);
      for (const { run } of STEPS) {
        attempted += 1;
        await run(engine);
        acknowledged += 1;
      }
      await engine.close();
    } catch {
      expect(storage.hasCrashed).toBe(true);
    }
    const reopened = await openOnImage(image, COLLECTIONS, COLD);
    const found = await contentOf(reopened);
    const possible = (await contents).slice(acknowledged, attempted + 1);
    expect(
      possible.some((content) => sameContent(content, found)),
      `after ${acknowledged} acknowledged steps`,
    ).toBe(true);
    const report = await reopened.verify(VERIFY);
    expect(report.sound).toBe(true);
    // It goes on where it was: what was acknowledged stays, and new writes work.
    await verbsOf(reopened).put({ id: 'after', n: 1, big: 'z'.repeat(50_000) });
    await reopened.checkpoint();
    await reopened.checkpoint();
    await reopened.close();
    const again = await openOnImage(image, COLLECTIONS, COLD);
    expect(await verbsOf(again).count()).toBe(found.items.length + 1);
    // Large values that no row has are gone.
    const large = (await verbsOf(again).all()).filter((row) => 'big' in row);
    expect(image.blobs.size).toBe(large.length);
    await again.close();
  });
});

test('[B8] the script makes several checkpoints, so that crashes fall between all of their writes', () => {
  expect(writes).toBeGreaterThan(25);
});
