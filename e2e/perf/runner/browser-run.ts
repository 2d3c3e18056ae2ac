/** One run: one scenario on one system in a profile of its own, which is deleted afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright';
import { launchOptions } from '../../../.ci/browsers.mjs';
import type { Scenario, Step } from '../page/scenario.ts';
import { isGap } from '../page/step-protocol.ts';
import type { SystemDescription } from '../page/system-description.ts';
import { measureDisk } from './disk-bytes.ts';
import { measureHeap } from './heap-bytes.ts';
import { type SyncServer, startSyncServer } from './sync-server.ts';
import { exposeThreadTime } from './thread-time.ts';

export type RunRequest = {
  readonly root: string;
  readonly url: string;
  readonly scenario: Scenario;
  readonly system: SystemDescription;
  readonly size: number;
  readonly operations: number;
};
export type Samples = { readonly [metric: string]: readonly number[] };

export async function runOnce(request: RunRequest): Promise<Samples> {
  const samples = new Map<string, number[]>();
  const devices = new Map<Step['device'], Device>();
  let server: SyncServer | undefined;
  try {
    server = request.scenario.suite === 'sync' ? await startSyncServer(request.root, request.system.name) : undefined;
    for (const step of request.scenario.steps) {
      for (let time = 0; time < (step.repeat ?? 1); time++) {
        const { browser, profile } = await readyDevice(devices, request, step);
        const page = step.tab === 'second' ? await secondPage(browser, request) : browser.page;
        const bytesBefore = server?.bytes() ?? 0;
        keep(samples, await deadline(runStep(page, request, step, server?.url), request.scenario));
        if (step.traffic !== undefined) keep(samples, { [step.traffic]: [server!.bytes() - bytesBefore] });
        for (const what of step.measure ?? []) {
          const measured = what === 'heap' ? await measureHeap(browser.page) : await measureDisk(browser.page, profile);
          keep(
            samples,
            Object.fromEntries(Object.entries(measured).map(([name, value]) => [`${step.name}:${name}`, [value]])),
          );
        }
      }
    }
    addRatios(samples);
    return Object.fromEntries(samples);
  } finally {
    for (const { browser, profile } of devices.values()) {
      await browser.context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
    await server?.close();
  }
}

/** A browser with a profile of its own. */
type Device = { browser: OpenBrowser; readonly profile: string };

/** As the step wants to find it. */
async function readyDevice(devices: Map<Step['device'], Device>, request: RunRequest, step: Step): Promise<Device> {
  const device = devices.get(step.device ?? 'first');
  if (device === undefined) {
    const profile = await mkdtemp(join(tmpdir(), 'collection-store-perf-'));
    const fresh = { browser: await openBrowser(profile, request), profile };
    devices.set(step.device ?? 'first', fresh);
    return fresh;
  }
  if (step.start === 'restart') {
    await device.browser.context.close();
    device.browser = await openBrowser(device.profile, request);
  } else if (step.start === 'reload') {
    await loadPage(device.browser.page, request);
  }
  return device;
}

type OpenBrowser = { readonly context: BrowserContext; readonly page: Page; second?: Page };

async function openBrowser(profile: string, request: RunRequest): Promise<OpenBrowser> {
  const context = await chromium.launchPersistentContext(profile, {
    ...launchOptions('chromium'),
    // Playwright's own switches for tests must not change what a user's browser would do.
    ignoreDefaultArgs: ['--disable-background-timer-throttling', '--disable-renderer-backgrounding'],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  await exposeThreadTime(page);
  await loadPage(page, request);
  return { context, page };
}

async function secondPage(browser: OpenBrowser, request: RunRequest): Promise<Page> {
  if (browser.second === undefined) {
    browser.second = await browser.context.newPage();
    await exposeThreadTime(browser.second);
    await loadPage(browser.second, request);
  }
  return browser.second;
}

async function loadPage(page: Page, { url, system }: RunRequest): Promise<void> {
  await page.goto(url);
  await page.waitForFunction(() => 'perfLoad' in window);
  await page.evaluate((name) => window.perfLoad(name), system.name);
}

async function runStep(page: Page, request: RunRequest, step: Step, server: string | undefined): Promise<Samples> {
  const { scenario, system, size, operations } = request;
  const asked = { scenario: scenario.name, step: step.name, system: system.name, size, operations, server };
  return (await page.evaluate((message) => window.perfStep(message), asked)).samples;
}

async function deadline<Result>(result: Promise<Result>, { deadlineMs }: Scenario): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer within ${deadlineMs / 1_000} s.`)), deadlineMs);
  });
  try {
    return await Promise.race([result, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function keep(samples: Map<string, number[]>, more: Samples): void {
  for (const [metric, values] of Object.entries(more)) {
    const known = samples.get(metric) ?? [];
    // The gap of a run is the longest of its steps.
    samples.set(metric, isGap(metric) ? [Math.max(...known, ...values)] : known.concat(values));
  }
}

/** `NAME:usage` and `NAME:profile` over the bytes of JSON, where a scenario has recorded those. */
function addRatios(samples: Map<string, number[]>): void {
  const json = samples.get('json')?.[0];
  if (json === undefined) return;
  for (const [metric, [bytes]] of [...samples]) {
    if (/:(usage|profile)$/.test(metric) && bytes !== undefined) samples.set(`${metric}-over-json`, [bytes / json]);
  }
}
