/**
 * Goal: who reads a large row while it is replaced, and its old value deleted by a checkpoint, gets the old row or the
 * new one. Method: both at once, for a while, in real browsers.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Served } from '../.ci/serve.mjs';
import type { AnyRow, Collection } from '../src/index.ts';
import { BROWSERS, launch, serveFixture } from './harness.ts';

declare const collectionStore: typeof import('../src/index.ts');

let served: Served;
beforeAll(async () => {
  served = await serveFixture();
});
afterAll(() => served.close());

test.each(BROWSERS)('[B12] large rows are read whole while they are replaced and compacted, in %s', async (browser) => {
  const launched = await launch(browser);
  try {
    const page = await launched.newPage();
    await page.goto(`${served.address}/fixture/`);
    await page.waitForFunction(() => 'collectionStore' in globalThis);
    const seen = await page.evaluate(async () => {
      const store = await collectionStore.openStore({ name: 'race', collections: { rows: {} } });
      const rows = store.collection('rows') as unknown as Collection<AnyRow>;
      const keys = [0, 1, 2, 3, 4, 5];
      const problems: string[] = [];
      let isOver = false;
      let reads = 0;
      let writes = 0;
      const body = (letter: string): string => letter.repeat(300_000);
      for (const id of keys) await rows.put({ id, body: body('a') });
      const isWhole = (row: AnyRow | undefined): boolean => {
        const text = row?.['body'] as string | undefined;
        return text !== undefined && text.length === 300_000 && text === body(text[0]!);
      };
      const until = async (work: () => Promise<void>): Promise<void> => {
        while (!isOver) await work().catch((error) => problems.push(`${error.code}: ${error.message}`));
      };
      const work = [
        until(async () => {
          const letter = String.fromCharCode(97 + (writes++ % 26));
          await Promise.all(keys.map((id) => rows.put({ id, body: body(letter) })));
        }),
        until(async () => {
          await store.compact();
        }),
        until(async () => {
          const found = await rows.getMany(keys);
          if (!found.every(isWhole)) problems.push('getMany gave a row that is not whole');
          reads++;
        }),
        until(async () => {
          if (!isWhole(await rows.get(3))) problems.push('get gave a row that is not whole');
          reads++;
        }),
        until(async () => {
          const found = await rows.find({});
          if (found.length !== keys.length || !found.every(isWhole)) problems.push('find gave rows that are not whole');
          reads++;
        }),
        until(async () => {
          await rows.update(4, { touched: writes } as never);
        }),
      ];
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      isOver = true;
      await Promise.all(work);
      const sound = (await store.verify({ repair: false })).sound;
      await store.destroy();
      return { problems: problems.slice(0, 5), problemCount: problems.length, reads, writes, sound };
    });
    console.log(`${browser}: ${seen.reads} reads, ${seen.writes} rounds of writes, ${seen.problemCount} problems`);
    expect(seen).toMatchObject({ problems: [], sound: true });
    expect(Math.min(seen.reads, seen.writes)).toBeGreaterThan(3);
  } finally {
    await launched.close();
  }
});
