import { FILL } from '../fill.ts';
import { check, defineScenario, type Scenario, type Step } from '../scenario.ts';
import { isSameDocument, taskDocument } from '../task-document.ts';

const RELOADS = 5;

/** The page's code is loaded before the clock starts; opening, start of a worker or of WebAssembly, and one get count. */
const reopen = (metric: 'restart' | 'reload'): Step => ({
  name: metric,
  start: metric,
  repeat: metric === 'reload' ? RELOADS : 1,
  async run(context) {
    const document = taskDocument(context.size >>> 1);
    const { session, row } = await context.timed(metric, async () => {
      const opened = await context.open();
      return { session: opened, row: await opened.get(document.id) };
    });
    check(isSameDocument(row, document), () => `the first read of ${document.id} gave ${JSON.stringify(row)}.`);
    const count = await session.countAll();
    check(count === context.size, () => `${count} documents after reopening, expected ${context.size}.`);
    await session.close();
  },
});

export const reopenFirstRead: Scenario = defineScenario({
  name: 'reopen-first-read',
  what: 'From opening an existing store to its first answered get: after a restart of the browser, and in a fresh page.',
  metrics: { restart: 'ms', reload: 'ms' },
  sizes: [20_000, 100_000, 1_000_000],
  peerSizeMax: 100_000,
  deadlineMs: 15 * 60_000,
  steps: [FILL, reopen('restart'), reopen('reload')],
});
