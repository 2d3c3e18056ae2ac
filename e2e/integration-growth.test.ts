/**
 * Goal: storage stays in proportion to live data. Method: 100,000 updates of one document in a store of 10,000, in a
 * real browser; what it tells of its space, and the profile's folder, after compact().
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Served } from '../.ci/serve.mjs';
import type { AnyRow, Collection } from '../src/index.ts';
import { BROWSERS, launchWithProfile, serveFixture, withProfile } from './harness.ts';

declare const collectionStore: typeof import('../src/index.ts');

/** Of the live data, after compact() (B19). */
const GROWTH_MAX = 10;

let served: Served;
beforeAll(async () => {
  served = await serveFixture();
});
afterAll(() => served.close());

test.each(BROWSERS)('[B19] 100,000 updates of one document take no lasting space in %s', async (browser) => {
  await withProfile(async (profile) => {
    const context = await launchWithProfile(browser, profile);
    try {
      const page = await context.newPage();
      await page.goto(`${served.address}/fixture/`);
      await page.waitForFunction(() => 'collectionStore' in globalThis);
      const seen = await page.evaluate(async () => {
        const { openStore } = collectionStore;
        const options = { name: 'growth', collections: { rows: { indexes: ['group', 'rank'] } } } as const;
        const open = async () => {
          const store = await openStore(options);
          return { store, rows: store.collection('rows') as unknown as Collection<AnyRow> };
        };
        /** Bytes of all records: what the browser's own estimate lags behind. */
        const recordBytes = async (): Promise<{ bytes: number; records: number }> => {
          const request = indexedDB.open('collection-store/growth');
          await new Promise((resolve, reject) => {
            request.onsuccess = resolve;
            request.onerror = reject;
          });
          let bytes = 0;
          let records = 0;
          for (const name of ['log', 'pages', 'blobs', 'meta']) {
            const all = request.result.transaction(name).objectStore(name).getAll();
            await new Promise((resolve) => {
              all.onsuccess = resolve;
            });
            for (const value of all.result as unknown[]) {
              records++;
              const inner = value instanceof ArrayBuffer ? value : (value as { bytes?: unknown }).bytes;
              if (inner instanceof ArrayBuffer) bytes += inner.byteLength;
            }
          }
          request.result.close();
          return { bytes, records };
        };
        const usage = async () => (await navigator.storage.estimate()).usage ?? 0;
        let { store, rows } = await open();
        const all = Array.from({ length: 10_000 }, (_, place) => ({
          id: `r${String(place).padStart(6, '0')}`,
          title: `A document with the number ${place}`,
          group: `g${place % 50}`,
          rank: place % 1_000,
          text: `${place} `.repeat(12),
        }));
        await rows.createMany(all);
        await store.compact();
        const live = (await recordBytes()).bytes;
        const usageBefore = await usage();
        let peak = 0;
        const from = performance.now();
        for (let batch = 0; batch < 100; batch++) {
          const updates = Array.from({ length: 1_000 }, (_, place) =>
            rows.update('r005000', { rank: batch * 1_000 + place, text: `version ${batch} ${place} `.repeat(5) }),
          );
          await Promise.all(updates);
          if (batch % 10 === 9) peak = Math.max(peak, (await recordBytes()).bytes);
        }
        const updateMs = Math.round(performance.now() - from);
        const rank = (await rows.get('r005000'))?.['rank'];
        await store.compact();
        const after = await recordBytes();
        const usageAfter = await usage();
        await store.close();
        const closed = await recordBytes();
        for (let time = 0; time < 20; time++) {
          ({ store, rows } = await open());
          await rows.get('r000001');
          await store.close();
        }
        const reopened = await recordBytes();
        ({ store, rows } = await open());
        const sound = (await store.verify({ repair: false })).sound;
        const count = await rows.count();
        await store.close();
        return { live, peak, after, closed, reopened, usageBefore, usageAfter, updateMs, rank, sound, count };
      });
      await context.close();
      const profileBytes = await folderBytes(profile, /IndexedDB|idb/);
      const { live, peak, after, usageBefore, usageAfter, updateMs } = seen;
      console.log(
        `${browser}: 100,000 updates in ${updateMs} ms; records ${live} bytes before, ${peak} at most between, ` +
          `${after.bytes} after compact(); the browser says ${usageBefore} and ${usageAfter}; its files ${profileBytes}`,
      );
      expect(seen).toMatchObject({ rank: 99_999, sound: true, count: 10_000 });
      expect(after.bytes).toBeLessThan(live * 1.5);
      expect(peak).toBeLessThan(live * GROWTH_MAX + 32 * 1024 * 1024);
      expect(profileBytes).toBeGreaterThan(0);
      expect(Math.max(profileBytes, usageAfter)).toBeLessThan(live * GROWTH_MAX);
      // Opening and closing without a write adds no record.
      expect(seen.reopened).toEqual(seen.closed);
    } finally {
      await context.close().catch(() => undefined);
    }
  });
});

/** Files of the browser's databases below a folder. */
async function folderBytes(folder: string, within: RegExp): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile() && within.test(entry.parentPath)) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}
