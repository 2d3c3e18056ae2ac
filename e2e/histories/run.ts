/**
 * One history: tabs with clients, ends of the tab that leads at random moments, and the judgement of what was told. A page
 * whose process is killed leaves transactions of which nobody knows; everybody else must be told, and nothing wrong.
 */
import type { BrowserContext, Page } from 'playwright';
import { findAnomalies, toText } from '../../test/history/checker.ts';
import type { Operation, Transaction } from '../../test/history/history.ts';
import { renderersOf } from '../kill/runner/processes.ts';
import { createRandom, type Random, seedFor } from '../kill/workload/random.ts';
import { within } from '../within.ts';
import {
  DOCUMENTS,
  GROUPS,
  type HistoryGlobals,
  runClients,
  type Told,
  VALUES_PER_TAB,
  VALUES_PER_TRANSACTION,
} from './client.ts';

/** What the fixture page makes global. Used only in functions that run in a page. */
declare const collectionStore: typeof import('../../src/index.ts');

const TABS_MIN = 3;
const TABS_SPREAD = 2;
const CLIENTS_PER_TAB = 2;
const ENDS_MIN = 1;
const ENDS_SPREAD = 3;
const PAUSE_MS_MAX = 700;
/** Longer than any call may take. */
const SETTLE_MS = 40_000;
/** The driver hears late of a renderer that ended, on a busy machine. */
const CRASH_MS = 20_000;

export type HistoryOptions = {
  readonly context: BrowserContext;
  readonly profile: string;
  readonly address: string;
  readonly seed: number;
};

export type HistoryResult = {
  readonly committed: number;
  readonly aborted: number;
  readonly unknown: number;
  readonly appends: number;
  readonly kills: number;
  readonly crashes: number;
  readonly closes: number;
};

type Tab = {
  readonly number: number;
  readonly page: Page;
  /** Of its renderer, as far as that can be told; whether it was its own is seen when it is killed. */
  readonly pid: number | undefined;
  isDead: boolean;
};

/** Throws when the history is wrong; the message has the seed. */
export async function runHistory(options: HistoryOptions): Promise<HistoryResult> {
  const run = new HistoryRun(options);
  try {
    return await run.run();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const again = `npm run test:histories -- --runs 1 --seed ${options.seed}`;
    throw new Error(`Seed ${options.seed}: ${text}\nAgain: ${again}`, { cause });
  } finally {
    await run.end();
  }
}

class HistoryRun {
  readonly #options: HistoryOptions;
  readonly #random: Random;
  readonly #tabs: Tab[] = [];
  readonly #begun = new Set<string>();
  readonly #ended = new Map<string, Transaction>();
  readonly #problems: string[] = [];
  readonly #ends = { kill: 0, crash: 0, close: 0 };

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#random = createRandom(seedFor(options.seed, 0));
  }

  get #alive(): readonly Tab[] {
    return this.#tabs.filter(({ isDead }) => !isDead);
  }

  async run(): Promise<HistoryResult> {
    const random = this.#random;
    const tabs = TABS_MIN + random.below(TABS_SPREAD);
    for (let tab = 0; tab < tabs; tab++) await this.#open();
    for (const tab of this.#alive) await this.#start(tab);
    for (let ends = ENDS_MIN + random.below(ENDS_SPREAD); ends > 0; ends--) {
      await pause(random.next() * PAUSE_MS_MAX);
      // The oldest leads: the lock is handed on in the order of asking.
      const alive = this.#alive;
      await this.#finish(random.next() < 0.8 ? alive[0]! : alive[random.below(alive.length)]!);
      if (this.#alive.length < 2 || random.next() < 0.5) await this.#start(await this.#open());
    }
    await pause(random.next() * PAUSE_MS_MAX);
    await Promise.all(this.#alive.map((tab) => this.#stop(tab)));
    const last = await this.#readAll();
    if (this.#problems.length > 0) throw new Error(this.#problems.slice(0, 5).join('\n'));
    return this.#judge(last);
  }

  async end(): Promise<void> {
    await Promise.all(this.#alive.map(({ page }) => page.close().catch(() => undefined)));
  }

  async #open(): Promise<Tab> {
    const { context, profile, address, seed } = this.#options;
    const before = await renderersOf(profile);
    const page = await context.newPage();
    // The address below is opened in the process that Chromium has begun in advance with the new page.
    const own = [...(await renderersOf(profile))].filter((pid) => !before.has(pid));
    await page.goto(`${address}/fixture/`);
    await page.waitForFunction(() => 'collectionStore' in globalThis);
    const tab: Tab = { number: this.#tabs.length, page, pid: own.length === 1 ? own[0] : undefined, isDead: false };
    this.#tabs.push(tab);
    page.on('crash', () => {
      tab.isDead = true;
    });
    page.on('pageerror', (error) => this.#problems.push(`tab ${tab.number}: ${error.message}`));
    page.on('console', (message) => {
      const text = message.text();
      if (text.startsWith('history ')) this.#note(JSON.parse(text.slice('history '.length)) as Told);
    });
    await page.evaluate(
      async ([name, documents]) => {
        const { openStore, defineCollection } = collectionStore;
        const collections = {
          lists: defineCollection({}),
          entries: defineCollection({ indexes: [['group', 'place']] }),
        };
        const store = await openStore({ name, collections });
        if ((await store.lists.count()) === 0) await store.lists.createMany(documents.map((id) => ({ id, list: [] })));
        Object.assign(globalThis, { store });
      },
      [`history-${seed}`, DOCUMENTS] as const,
    );
    return tab;
  }

  async #start({ page, number }: Tab): Promise<void> {
    const seed = seedFor(this.#options.seed, 100 + number);
    const clients = { tab: number, seed, clients: CLIENTS_PER_TAB, documents: DOCUMENTS, groups: GROUPS };
    await page.evaluate(runClients, clients);
  }

  async #stop({ page, number }: Tab): Promise<void> {
    const stopping = page.evaluate(() => (globalThis as unknown as HistoryGlobals).stopClients());
    await within(stopping, `Calls of tab ${number} never settle`, SETTLE_MS);
  }

  /** Kills its process, crashes it, or closes it as a user does. */
  async #finish(tab: Tab): Promise<void> {
    const { page, pid } = tab;
    const way = this.#random.next();
    if (way < 0.4) {
      this.#ends.close++;
      tab.isDead = true;
      await page.close();
      return;
    }
    if (way < 0.8 && pid !== undefined) {
      const crashed = page.waitForEvent('crash', { timeout: CRASH_MS }).then(
        () => true,
        () => false,
      );
      process.kill(pid, 'SIGKILL');
      if (await crashed) {
        this.#ends.kill++;
        return void page.close().catch(() => undefined);
      }
    }
    this.#ends.crash++;
    const session = await page.context().newCDPSession(page);
    const isCrashed = page.waitForEvent('crash', { timeout: CRASH_MS });
    session.send('Page.crash').catch(() => undefined);
    await isCrashed;
    tab.isDead = true;
    void page.close().catch(() => undefined);
  }

  #note(told: Told): void {
    if (told.type === 'begin') {
      this.#begun.add(told.id);
      return;
    }
    const { id, outcome, operations, code } = told;
    this.#ended.set(id, { id, outcome, operations });
    if (outcome === 'unknown') this.#problems.push(`${id} was told ${code}`);
  }

  /** When all others have ended: what is there now. */
  async #readAll(): Promise<Transaction> {
    const [tab] = this.#alive;
    const reading = tab!.page.evaluate(
      async ([documents, groups]) => {
        const { store } = globalThis as unknown as HistoryGlobals;
        const verified = await (store as unknown as { verify(options: object): Promise<{ sound: boolean }> }).verify({
          repair: false,
        });
        const found: { key: string; list: number[] }[] = [];
        for (const key of documents)
          found.push({ key, list: (await store.lists.get(key as never))!['list'] as number[] });
        for (const key of groups) {
          const rows = await store.entries.find({ group: key }, { sort: { place: 1 } });
          found.push({ key, list: rows.map((row) => row['value'] as number) });
        }
        return { isSound: verified.sound, found };
      },
      [DOCUMENTS, GROUPS] as const,
    );
    const { isSound, found } = await within(reading, 'Nobody reads the lists', SETTLE_MS);
    if (!isSound) this.#problems.push('verify() found damage');
    return {
      id: 'last',
      outcome: 'committed',
      isLast: true,
      operations: found.map(({ key, list }) => ({ type: 'read', key, list })),
    };
  }

  #judge(last: Transaction): HistoryResult {
    const ended = [...this.#ended.values()];
    const history = [...ended, ...this.#unknown([...ended, last]), last];
    const anomalies = findAnomalies(history);
    const doubled = last.operations.flatMap((operation) =>
      operation.type === 'read' && new Set(operation.list).size < operation.list.length ? [operation.key] : [],
    );
    if (doubled.length > 0) throw new Error(`Values are there twice in ${doubled}: ${JSON.stringify(last.operations)}`);
    if (anomalies.length > 0) throw new Error(`What was told is not serializable.\n${toText(anomalies)}`);
    const count = (outcome: Transaction['outcome']): number =>
      history.filter((transaction) => transaction.outcome === outcome).length;
    return {
      committed: count('committed') - 1,
      aborted: count('aborted'),
      unknown: this.#begun.size - this.#ended.size,
      appends: last.operations.reduce(
        (sum, operation) => sum + (operation.type === 'read' ? operation.list.length : 0),
        0,
      ),
      kills: this.#ends.kill,
      crashes: this.#ends.crash,
      closes: this.#ends.close,
    };
  }

  /** Transactions of pages that are dead whose end nobody was told, as far as others have read of them. */
  #unknown(told: readonly Transaction[]): readonly Transaction[] {
    const appends = new Map<string, Operation[]>();
    const known = new Set<number>();
    for (const { operations } of told)
      for (const operation of operations) if (operation.type === 'append') known.add(operation.value);
    for (const { operations } of told) {
      for (const operation of operations) {
        for (const value of operation.type === 'read' ? operation.list : []) {
          const tab = Math.floor(value / VALUES_PER_TAB);
          const id = `t${tab}-${Math.floor((value % VALUES_PER_TAB) / VALUES_PER_TRANSACTION)}`;
          // What a living page has not told of is not explained by that.
          if (known.has(value) || this.#ended.has(id) || this.#tabs[tab]?.isDead !== true) continue;
          known.add(value);
          const own = appends.get(id) ?? [];
          own.push({ type: 'append', key: operation.key, value });
          appends.set(
            id,
            own.sort((a, b) => (a as { value: number }).value - (b as { value: number }).value),
          );
        }
      }
    }
    return [...appends].map(([id, operations]) => ({ id, outcome: 'unknown', operations }));
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
