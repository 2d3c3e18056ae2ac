/**
 * Goal: what tabs of real browsers go through in use: reloads again and again, a busy machine, a leader that is closed in
 * the middle of transactions, a browser that is killed under all of them. Method: pages of one profile, and what their
 * calls were answered, compared with what is there afterwards. `LOAD_SECONDS=60` makes the machine busy for as long.
 */
import type { BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Served } from '../.ci/serve.mjs';
import { BROWSERS, launchWithProfile, serveFixture, withProfile } from './harness.ts';
import { killBrowser } from './kill/runner/processes.ts';
import { createRandom } from './kill/workload/random.ts';
import { runLoad } from './load.ts';
import { lockOf, openStoreIn, openTab, type TabGlobals, withChromium } from './tab-page.ts';

const TABS = 5;
const ROUNDS = 50;
const LOAD_SECONDS = Number(process.env['LOAD_SECONDS'] ?? 10);
const KILLS = 2;

let served: Served;
beforeAll(async () => {
  served = await serveFixture();
});
afterAll(async () => {
  await served.close();
});

const openTabs = async (context: BrowserContext, store: string, collections?: readonly string[]): Promise<Page[]> => {
  const options = { address: served.address, store, ...(collections && { collections }) };
  const pages: Page[] = [];
  for (let tab = 0; tab < TABS; tab++) pages.push(await openTab(context, options));
  return pages;
};

/** Creates rows one after the other. */
const write = (page: Page, ids: readonly string[]): Promise<void> =>
  page.evaluate(async (all) => {
    for (const id of all) await (globalThis as unknown as TabGlobals).rows.create({ id });
  }, ids);

const idsOf = (page: Page): Promise<string[]> =>
  page.evaluate(async () => {
    const rows = await (globalThis as unknown as TabGlobals).rows.find();
    return rows.map((row) => row['id'] as string);
  });

const named = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${prefix} ${at}`);

describe('chromium', () => {
  test(`[T1] [T4] five tabs, ${ROUNDS} rounds of reloads and writes: nothing is lost, one leads`, {
    timeout: 300_000,
  }, async () => {
    const seed = 50_001;
    const random = createRandom(seed);
    await withChromium(async (context) => {
      const pages = await openTabs(context, 'reloads');
      const errors: string[] = [];
      for (const page of pages) page.on('pageerror', (error) => errors.push(error.message));
      const answered: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        // The one that leads as a rule is the one that was not loaded again for the longest time.
        const loaded = new Set([random.below(TABS), random.below(TABS)]);
        const writers = [0, 1, 2, 3, 4].filter((tab) => !loaded.has(tab) && random.next() < 0.6);
        const writing = writers.map(async (tab) => {
          const ids = named(`${round} ${tab}`, 4);
          await write(pages[tab]!, ids);
          answered.push(...ids);
        });
        const loading = [...loaded].map(async (tab) => {
          const page = pages[tab]!;
          // It goes away in the middle of these: each of them is there or is not.
          write(page, named(`left ${round} ${tab}`, 20)).catch(() => undefined);
          await page.reload();
          await openStoreIn(page, { address: served.address, store: 'reloads' });
        });
        await Promise.all([...writing, ...loading]);
        if (round % 10 === 9) {
          const { holders, isStolen } = await lockOf(pages[0]!, 'reloads');
          expect({ holders: holders.length, isStolen }, `seed ${seed}, round ${round}`).toEqual({
            holders: 1,
            isStolen: false,
          });
        }
      }
      const found = await Promise.all(pages.map(idsOf));
      for (const ids of found) expect(ids).toEqual(found[0]);
      const there = found[0]!;
      expect(new Set(there).size).toBe(there.length);
      expect(there.filter((id) => !id.startsWith('left')).sort(), `seed ${seed}`).toEqual(answered.sort());
      expect(answered.length).toBeGreaterThan(ROUNDS);
      expect(errors).toEqual([]);
    });
  });

  test(`[T3] a busy machine for ${LOAD_SECONDS} s: nobody takes the lock from a leader that lives`, {
    timeout: (LOAD_SECONDS + 180) * 1_000,
  }, async () => {
    const { answered, emissions, slowestMs } = await runLoad(served.address, LOAD_SECONDS);
    console.log(
      `${LOAD_SECONDS} s of load: ${answered} writes, ${emissions} emissions, slowest ${slowestMs.toFixed(0)} ms`,
    );
    for (const count of [...answered, ...emissions]) expect(count).toBeGreaterThan(0);
  });

  test(`[B16] the browser is killed ${KILLS} times under five tabs that write`, { timeout: 240_000 }, async () => {
    const random = createRandom(16_001);
    await withProfile(async (profile) => {
      const answered = new Set<string>();
      for (let round = 0; ; round++) {
        const context = await launchWithProfile('chromium', profile);
        const pages = await openTabs(context, 'killed', ['rows', 'pairs']);
        const { sound, rows, pairs } = await pages[4]!.evaluate(async () => {
          const { store } = globalThis as unknown as TabGlobals;
          const idsIn = async (name: string): Promise<string[]> =>
            (await store.collection(name).find()).map((row) => row['id'] as string);
          const verified = await store.verify({ repair: false });
          return { sound: verified.sound, rows: await idsIn('rows'), pairs: await idsIn('pairs') };
        });
        expect(sound).toBe(true);
        const there = new Set(rows);
        expect(
          [...answered].filter((id) => !there.has(id)),
          `round ${round}: answered, and not there`,
        ).toEqual([]);
        // Each row was stored with its pair, in one transaction.
        expect(pairs).toEqual(rows);
        if (round === KILLS) {
          console.log(`${KILLS} kills under five tabs: ${answered.size} transactions answered, ${rows.length} there`);
          await context.close();
          break;
        }
        for (const [tab, page] of pages.entries()) {
          page.on('console', (message) => {
            if (message.text().startsWith('ack ')) answered.add(message.text().slice('ack '.length));
          });
          await page.evaluate(
            ([name, lanes]) => {
              const { store } = globalThis as unknown as TabGlobals;
              const write = async (lane: number): Promise<void> => {
                for (let at = 0; ; at++) {
                  const id = `${name} ${lane} ${at}`;
                  await store.transaction(async (tx) => {
                    await tx.collection('rows').create({ id });
                    await tx.collection('pairs').create({ id });
                  });
                  console.log(`ack ${id}`);
                }
              };
              for (let lane = 0; lane < lanes; lane++) void write(lane);
            },
            [`${round} ${tab}`, 2] as const,
          );
        }
        const before = answered.size;
        await pages[0]!.waitForTimeout(500 + random.below(1_500));
        await killBrowser(profile);
        await context.close().catch(() => undefined);
        expect(answered.size).toBeGreaterThan(before);
      }
    });
  });
});

describe.each(BROWSERS)('%s', (browser) => {
  test('[T4] [TXN-4] [TXN-9] the leader is closed in the middle of its transaction and of another one', {
    timeout: 120_000,
  }, async () => {
    await withProfile(async (profile) => {
      const context = await launchWithProfile(browser, profile);
      const options = { address: served.address, store: 'middle' };
      const leader = await openTab(context, options);
      const follower = await openTab(context, options);
      await write(leader, ['shared']);
      await leader.evaluate(async () => {
        const { store } = globalThis as unknown as TabGlobals;
        await new Promise<void>((begun) => {
          void store.transaction(async (tx) => {
            await tx.lock('rows', 'shared');
            await tx.collection('rows').create({ id: 'of the leader' });
            begun();
            await new Promise(() => undefined);
          });
        });
      });
      const runs = follower.evaluate(async () => {
        const { store } = globalThis as unknown as TabGlobals;
        let times = 0;
        const waits = store.transaction(async (tx) => {
          times++;
          await tx.collection('rows').create({ id: `of the follower, run ${times}` });
          await tx.collection('rows').update('shared', { $inc: { n: 1 } });
          // The leader has it: this waits until it is closed.
          await tx.lock('rows', 'shared');
        });
        Object.assign(globalThis, { waits });
        await waits;
        return times;
      });
      await follower.waitForTimeout(200);
      await leader.close();
      const times = await runs;
      expect(times).toBeGreaterThan(1);
      expect(await idsOf(follower)).toEqual([`of the follower, run ${times}`, 'shared']);
      const shared = await follower.evaluate(() => (globalThis as unknown as TabGlobals).rows.get('shared'));
      expect(shared?.['n']).toBe(1);
      await context.close();
    });
  });
});
