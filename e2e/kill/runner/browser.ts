/** A browser on a profile with the kill page in it: opened, killed and opened again. */
import type { BrowserContext, Page } from 'playwright';
import { type BrowserName, launchWithProfile } from '../../harness.ts';
import { within as stepWithin } from '../../within.ts';
import type { Trap } from '../page/observer-channel.ts';
import { type KillPage, type PageEvent, parseEvent, type RawState, type StateReport } from '../page/protocol.ts';
import type { KillType } from './kill.ts';
import { killBrowser, killRenderers } from './processes.ts';

const STEP_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 10_000;

type Window = { readonly kill: KillPage };

export class KillBrowser {
  readonly #name: BrowserName;
  readonly #profile: string;
  readonly #url: string;
  /** Takes what the page tells, until it is killed. */
  onEvent: (event: PageEvent) => void = () => undefined;
  #context: BrowserContext | undefined;
  #page: Page | undefined;

  constructor(name: BrowserName, profile: string, url: string) {
    this.#name = name;
    this.#profile = profile;
    this.#url = url;
  }

  /** Brings up what is not there: browser, page, store. */
  async open(): Promise<{ readonly raw: RawState | undefined; readonly state: StateReport }> {
    this.#context ??= await within(launchWithProfile(this.#name, this.#profile), 'The browser did not start');
    this.#page ??= await this.#openPage(this.#context);
    const page = this.#page;
    const raw = await within(
      page.evaluate(() => (globalThis as unknown as Window).kill.inspect()),
      'The database could not be read',
    );
    const state = await within(
      page.evaluate(() => (globalThis as unknown as Window).kill.open()),
      'The store did not open',
    );
    return { raw, state };
  }

  async start(seed: number, round: string, trap: Trap | undefined): Promise<void> {
    await this.#page!.evaluate(
      ([seed, round, trap]) => (globalThis as unknown as Window).kill.start(seed, round, trap),
      [seed, round, trap] as const,
    );
  }

  /** Answers, for `close`, how many calls were made. */
  async kill(type: KillType): Promise<number | undefined> {
    const page = this.#page!;
    switch (type) {
      case 'browser': {
        const context = this.#context!;
        await killBrowser(this.#profile);
        this.#context = undefined;
        this.#page = undefined;
        await settled(context.close());
        return undefined;
      }
      case 'renderer': {
        const crashed = page.waitForEvent('crash', { timeout: END_TIMEOUT_MS });
        await killRenderers(this.#profile);
        await this.#leave(page, crashed);
        return undefined;
      }
      case 'crash': {
        const crashed = page.waitForEvent('crash', { timeout: END_TIMEOUT_MS });
        const session = await page.context().newCDPSession(page);
        session.send('Page.crash').catch(() => undefined);
        await this.#leave(page, crashed);
        return undefined;
      }
      case 'terminate':
        await page.evaluate(() => (globalThis as unknown as Window).kill.terminate());
        return undefined;
      case 'reload':
        await within(page.reload(), 'The page did not load again');
        await this.#untilReady(page);
        return undefined;
      case 'close': {
        const calls = await within(
          page.evaluate(() => (globalThis as unknown as Window).kill.stop()),
          'The store did not close',
        );
        await this.end();
        return calls;
      }
    }
  }

  async end(): Promise<void> {
    const context = this.#context;
    this.#context = undefined;
    this.#page = undefined;
    if (context === undefined) return;
    await settled(context.close());
    // Nothing of a browser that hangs may stay behind.
    await killBrowser(this.#profile);
  }

  async #leave(page: Page, crashed: Promise<unknown>): Promise<void> {
    await crashed;
    this.#page = undefined;
    await settled(page.close());
  }

  async #openPage(context: BrowserContext): Promise<Page> {
    const page = await within(context.newPage(), 'No page could be opened');
    page.on('console', (message) => this.onEvent(parseEvent(message.text())));
    page.on('pageerror', (error) => this.onEvent({ type: 'wrong', place: -1, text: `page error: ${error.message}` }));
    await within(page.goto(this.#url), 'The page did not load');
    await this.#untilReady(page);
    return page;
  }

  async #untilReady(page: Page): Promise<void> {
    await page.waitForFunction(() => 'kill' in globalThis, undefined, { timeout: STEP_TIMEOUT_MS });
  }
}

/** What a killed browser answers to its end is of no interest. */
async function settled(closing: Promise<unknown>): Promise<void> {
  await within(closing, '', END_TIMEOUT_MS).catch(() => undefined);
}

const within = <T>(step: Promise<T>, complaint: string, timeoutMs: number = STEP_TIMEOUT_MS): Promise<T> =>
  stepWithin(step, complaint, timeoutMs);
