/**
 * What end-to-end tests share: real browsers, the built package behind the strict headers, and a record of everything
 * that a page complained about.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, chromium, firefox, type Page } from 'playwright';
import { type BrowserName, launchOptions } from '../.ci/browsers.mjs';
import { DEMO } from '../.ci/build.mjs';
import { type Served, serve } from '../.ci/serve.mjs';

export type { BrowserName } from '../.ci/browsers.mjs';

export const BROWSERS: readonly BrowserName[] = ['chromium', 'firefox'];

const ROOT = new URL('..', import.meta.url).pathname;
const ENGINES = { chromium, firefox };

/** A browser with nothing stored. The caller closes it. */
export function launch(name: BrowserName): Promise<Browser> {
  return ENGINES[name].launch(launchOptions(name));
}

/** A browser on a profile folder, for what must survive its end. The caller closes it. */
export function launchWithProfile(name: BrowserName, profile: string): Promise<BrowserContext> {
  return ENGINES[name].launchPersistentContext(profile, launchOptions(name));
}

/** A folder for a profile, removed with everything in it after `use`. */
export async function withProfile<T>(use: (profile: string) => Promise<T>): Promise<T> {
  const profile = await mkdtemp(join(tmpdir(), 'collection-store-profile-'));
  try {
    return await use(profile);
  } finally {
    // A browser that was killed may still be writing its last files.
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

/** The demo page, as `npm start` serves it. */
export function serveDemo(): Promise<Served> {
  return serve({ mounts: { '/': DEMO } });
}

/**
 * An empty page at `/fixture/` with the built package in `globalThis.collectionStore`, and whatever else is mounted.
 * Port 0 takes any free one; a test that restarts its server passes the port, since storage belongs to the origin.
 */
export function serveFixture(mounts: Readonly<Record<string, string>> = {}, port = 0): Promise<Served> {
  return serve({ port, mounts: { '/dist/': join(ROOT, 'dist'), '/fixture/': join(ROOT, 'e2e/fixture'), ...mounts } });
}

/** Everything that a page complained about: errors, failed requests, violations of the policy. Empty is good. */
export type Complaints = readonly string[];

/** Must be called before the page is opened. The array grows as the page goes on. */
export async function watchComplaints(page: Page): Promise<Complaints> {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()} ${message.location().url}`);
    // Violations are also reported here, since a listener in the page cannot see those that happened before it.
    else if (message.text().startsWith(VIOLATION)) complaints.push(message.text());
  });
  page.on('requestfailed', (request) => complaints.push(`request: ${request.url()} ${request.failure()?.errorText}`));
  await page.addInitScript((mark) => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.warn(`${mark} ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`);
    });
  }, VIOLATION);
  return complaints;
}

const VIOLATION = 'policy violation:';
