/**
 * Five tabs of one store while every processor is busy: whatever is late, nobody may take the lock from a leader that
 * lives (T3). Others keep the processors busy beside the tabs, which write and watch as fast as they can.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpus } from 'node:os';
import type { Page } from 'playwright';
import { lockOf, openTab, type TabGlobals, withChromium } from './tab-page.ts';

const TABS = 5;
/** For each processor, so that a tab gets a small part of one. */
const SPINNERS_PER_PROCESSOR = 2;
const SETTLE_MS = 60_000;
const STORE = 'load';

export type LoadResult = {
  /** Writes that were answered, of each tab. */
  readonly answered: readonly number[];
  readonly emissions: readonly number[];
  /** The longest that a write took. */
  readonly slowestMs: number;
};

type LoadGlobals = TabGlobals & { stopLoad(): Promise<{ answered: number; emissions: number; slowestMs: number }> };

/** Throws when the lock was stolen, a call failed, or a write that was answered is not there. */
export async function runLoad(address: string, seconds: number): Promise<LoadResult> {
  return withChromium(async (context) => {
    const pages: Page[] = [];
    const errors: string[] = [];
    for (let tab = 0; tab < TABS; tab++) {
      const page = await openTab(context, { address, store: STORE });
      page.on('pageerror', (error) => errors.push(`tab ${tab}: ${error.message}`));
      pages.push(page);
    }
    const before = await lockOf(pages[0]!, STORE);
    const spinners = Array.from({ length: cpus().length * SPINNERS_PER_PROCESSOR }, spin);
    try {
      for (const [tab, page] of pages.entries()) await page.evaluate(startLoad, tab);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
      const stopping = Promise.all(
        pages.map((page) => page.evaluate(() => (globalThis as unknown as LoadGlobals).stopLoad())),
      );
      const told = await Promise.race([stopping, late()]);
      const after = await lockOf(pages[0]!, STORE);
      if (after.isStolen || before.holders.length !== 1 || after.holders.join() !== before.holders.join())
        throw new Error(`The lock was taken from a leader that lives: ${JSON.stringify({ before, after })}`);
      const count = await pages[1]!.evaluate(() => (globalThis as unknown as LoadGlobals).rows.count());
      const answered = told.map((each) => each.answered);
      const sum = answered.reduce((all, each) => all + each, 0);
      if (count !== sum) throw new Error(`${sum} writes were answered, and there are ${count} rows.`);
      if (errors.length > 0) throw new Error(errors.join('\n'));
      return {
        answered,
        emissions: told.map(({ emissions }) => emissions),
        slowestMs: Math.max(...told.map(({ slowestMs }) => slowestMs)),
      };
    } finally {
      for (const spinner of spinners) spinner.kill('SIGKILL');
    }
  });
}

/** Crosses to the page as text. Writes one after the other until it is stopped; a live query shows the last ones. */
function startLoad(tab: number): void {
  const globals = globalThis as unknown as LoadGlobals;
  let isStopping = false;
  let emissions = 0;
  const watching = globals.rows.find({}, { sort: { at: -1 }, limit: 20 }).$.subscribe(() => {
    emissions++;
  });
  const write = async (): Promise<{ answered: number; slowestMs: number }> => {
    let answered = 0;
    let slowestMs = 0;
    while (!isStopping) {
      const from = performance.now();
      await globals.rows.create({ id: `${tab} ${answered}`, at: Date.now() });
      answered++;
      slowestMs = Math.max(slowestMs, performance.now() - from);
    }
    return { answered, slowestMs };
  };
  const writing = write();
  // Whoever stops it hears of a failure.
  writing.catch(() => undefined);
  globals.stopLoad = async () => {
    isStopping = true;
    const written = await writing;
    watching.unsubscribe();
    return { ...written, emissions };
  };
}

const spin = (): ChildProcess => spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });

const late = (): Promise<never> =>
  new Promise((_resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Calls do not settle within ${SETTLE_MS} ms.`)), SETTLE_MS);
    timer.unref();
  });
