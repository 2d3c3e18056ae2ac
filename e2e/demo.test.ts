/**
 * Goal: what the demo page promises a person. Method: real browsers on a profile folder, the page as `npm start`
 * serves it, used by its labels and buttons. Screenshots are kept in test-results/ to be looked at.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';
import {
  BROWSERS,
  type BrowserName,
  launch,
  launchWithProfile,
  serveDemo,
  watchComplaints,
  withProfile,
} from './harness.ts';

const SCREENSHOTS = new URL('../test-results/screenshots', import.meta.url).pathname;
const VIEWPORT = { width: 1080, height: 760 };

let demo: Served;
beforeAll(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  demo = await serveDemo();
});
afterAll(() => demo.close());

describe.each(BROWSERS)('%s', (browser) => {
  test('[S10] tasks are created, changed, deleted, and survive a reload and a restart of the browser', async () => {
    await withProfile(async (profile) => {
      await withPage(browser, profile, async (page) => {
        for (const title of ['Water the plants', 'Call Ada', 'Buy bread']) await addTask(page, title);
        await expectTasks(page, ['Buy bread', 'Call Ada', 'Water the plants']);
        await task(page, 'Call Ada').getByLabel('Title').fill('Call Ada about the garden');
        await task(page, 'Call Ada').getByLabel('Title').press('Enter');
        await task(page, 'Water the plants').getByRole('checkbox').check();
        await task(page, 'Buy bread').getByRole('button', { name: 'Delete' }).click();
        await expectTasks(page, ['Call Ada about the garden', 'Water the plants']);

        await page.reload();
        await expectTasks(page, ['Call Ada about the garden', 'Water the plants']);

        await page.getByRole('button', { name: /^Open/ }).click();
        await expectTasks(page, ['Call Ada about the garden']);
        await page.getByRole('button', { name: /^Done/ }).click();
        await expectTasks(page, ['Water the plants']);
        expect(await counts(page)).toEqual({ all: '2', open: '1', done: '1' });
      });
      await withPage(browser, profile, (page) => expectTasks(page, ['Call Ada about the garden', 'Water the plants']));
    });
  });

  test('ten thousand tasks go in by one click, are counted, filtered, verified and deleted', async () => {
    await withProfile((profile) =>
      withPage(browser, profile, async (page) => {
        await page.getByRole('button', { name: 'Add 10,000 tasks' }).click();
        await expect.poll(() => page.locator('#result').textContent(), POLL).toMatch(/^10,000 tasks stored in \d+ ms/);
        await expect.poll(() => counts(page), POLL).toEqual({ all: '10,000', open: '6,667', done: '3,333' });
        await page.getByRole('button', { name: 'Show more' }).click();
        await expect.poll(() => page.locator('.task').count(), POLL).toBe(150);
        await page.getByRole('button', { name: 'Verify' }).click();
        await expect.poll(() => page.locator('#result').textContent(), POLL).toMatch(/^Everything is sound/);
        await page.getByRole('button', { name: 'Delete done tasks' }).click();
        await expect.poll(() => counts(page), POLL).toEqual({ all: '6,667', open: '6,667', done: '0' });
        await page.getByRole('button', { name: 'Delete all tasks' }).click();
        await expect.poll(() => counts(page), POLL).toEqual({ all: '0', open: '0', done: '0' });
      }),
    );
  });

  test('[T4] two tabs show the same tasks, also when the first is closed', async () => {
    await withProfile((profile) =>
      withPage(browser, profile, async (page) => {
        const other = await openDemo(await page.context().newPage(), demo.address);
        await addTask(page, 'From the first');
        await expectTasks(other, ['From the first']);
        await page.close();
        await addTask(other, 'From the second');
        await expectTasks(other, ['From the second', 'From the first']);
      }),
    );
  });

  test('wrong input is refused in words, and the list stays as it was', async () => {
    await withProfile((profile) =>
      withPage(browser, profile, async (page) => {
        await addTask(page, 'Keep me');
        await expectTasks(page, ['Keep me']);
        await addTask(page, '');
        await expect.poll(() => page.getByRole('alert').textContent(), POLL).toContain('title');
        await task(page, 'Keep me').getByLabel('Title').fill('x'.repeat(201));
        await task(page, 'Keep me').getByLabel('Title').press('Enter');
        await expect.poll(() => page.getByRole('alert').textContent(), POLL).toContain('200');
        await expectTasks(page, ['Keep me']);
        await page.reload();
        await expectTasks(page, ['Keep me']);
        await addTask(page, 'And me');
        await expectTasks(page, ['And me', 'Keep me']);
        expect(await page.getByRole('alert').count()).toBe(0);
      }),
    );
  });

  test('the page can be looked at: pictures of it, and nothing overflows on a telephone', async () => {
    // Without the policy: Playwright prepares a picture with a style of its own, which the policy would refuse.
    const served = await serve({
      mounts: { '/': DEMO },
      headers: { 'content-security-policy': "default-src * 'unsafe-inline'" },
    });
    const open = await launch(browser);
    try {
      const page = await openDemo(await open.newPage(), served.address);
      for (const title of TITLES) await addTask(page, title);
      await task(page, 'Buy bread').getByRole('checkbox').check();
      await addTask(page, '');
      await expect.poll(() => page.getByRole('alert').count(), POLL).toBe(1);
      await screenshot(page, browser, 'refused');
      await page.getByRole('button', { name: 'Close' }).click();
      await page.getByRole('button', { name: 'Add 10,000 tasks' }).click();
      await expect.poll(() => counts(page), POLL).toMatchObject({ all: '10,004' });
      await screenshot(page, browser, 'ten-thousand');
      await page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
      await screenshot(page, browser, 'dark');
      await page.setViewportSize({ width: 390, height: 800 });
      await screenshot(page, browser, 'narrow');
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    } finally {
      await open.close();
      await served.close();
    }
  });
});

const TITLES = [
  'Water the plants',
  'Call Ada about the garden',
  'Buy bread',
  'Send the invoice for the roof before the end of May',
];

const POLL = { timeout: 30_000, interval: 50 };

/** Opens the page, waits for its store, uses it, and closes the browser. No page may have complained. */
async function withPage(browser: BrowserName, profile: string, use: (page: Page) => Promise<unknown>): Promise<void> {
  const context: BrowserContext = await launchWithProfile(browser, profile);
  try {
    const page = await context.newPage();
    const complaints = await watchComplaints(page);
    await use(await openDemo(page, demo.address));
    expect(complaints).toEqual([]);
    expect(demo.violations).toEqual([]);
  } finally {
    await context.close();
  }
}

async function openDemo(page: Page, address: string): Promise<Page> {
  await page.setViewportSize(VIEWPORT);
  await page.goto(address);
  await expect.poll(() => page.locator('#status').textContent(), POLL).toBe('Open');
  return page;
}

async function addTask(page: Page, title: string): Promise<void> {
  await page.getByLabel('New task').fill(title);
  await page.getByRole('button', { name: 'Add', exact: true }).click();
  // The field is emptied once the task is stored.
  if (title !== '') await expect.poll(() => page.getByLabel('New task').inputValue(), POLL).toBe('');
}

function task(page: Page, title: string) {
  return page.locator('.task').filter({ has: page.getByRole('checkbox', { name: `Done: ${title}` }) });
}

async function expectTasks(page: Page, titles: readonly string[]): Promise<void> {
  const read = () =>
    page.locator('.task .edit').evaluateAll((inputs) => inputs.map((input) => (input as HTMLInputElement).value));
  await expect.poll(read, POLL).toEqual(titles);
}

async function counts(page: Page): Promise<Record<string, string>> {
  return page
    .locator('[data-count]')
    .evaluateAll((spans) =>
      Object.fromEntries(spans.map((span) => [(span as HTMLElement).dataset['count'] ?? '', span.textContent ?? ''])),
    );
}

async function screenshot(page: Page, browser: BrowserName, name: string): Promise<void> {
  await page.screenshot({ path: join(SCREENSHOTS, `${name}-${browser}.png`) });
}
