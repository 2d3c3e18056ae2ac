import { fill } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { type TaskDocument, taskId } from '../task-document.ts';

/** Transactions that are begun together, over so many documents. */
const CONTENDERS = 200;
const CONTENDED = 10;

export const transactions: Scenario = defineScenario({
  name: 'transactions',
  what: `Transfers between two documents: awaited one by one (each), and ${CONTENDERS} at a time over ${CONTENDED} documents (contended).`,
  metrics: { each: 'ms', contended: 'ms', 'runs-max': 'count' },
  sizes: [10_000],
  operations: 500,
  runsOn: (system) => ['ours', 'dexie'].includes(system.name),
  steps: [
    {
      name: 'transfer',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const sum = async (): Promise<number> => {
          let all = 0;
          for (let n = 0; n < context.size; n += 1) all += ((await session.get(taskId(n))) as TaskDocument).priority;
          return all;
        };
        const before = await sum();
        const random = createRandom(29);
        const transfer = async (below: number): Promise<number> => {
          const from = randomBelow(random, below);
          const to = (from + 1 + randomBelow(random, below - 1)) % below;
          return session.transfer!(taskId(from), taskId(to), 1);
        };
        // The first one loads what transactions need.
        await transfer(context.size);
        const times: number[] = [];
        await context.elapsed(async () => {
          for (let call = 0; call < context.operations; call += 1) {
            const start = performance.now();
            await transfer(context.size);
            times.push(performance.now() - start);
          }
        });
        context.record('each', ...times);
        let runsMax = 0;
        await context.timed('contended', async () => {
          const runs = await Promise.all(Array.from({ length: CONTENDERS }, () => transfer(CONTENDED)));
          runsMax = Math.max(...runs);
        });
        context.record('runs-max', runsMax);
        const after = await sum();
        check(after === before, () => `the sum was ${before} and is ${after}.`);
      },
    },
  ],
});
