import { fill } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument, taskId } from '../task-document.ts';

const WARM_UP = 300;

export const getByKey: Scenario = defineScenario({
  name: 'get-by-key',
  what: 'Random keys awaited one by one, warm.',
  metrics: { each: 'ms' },
  operations: 2_000,
  steps: [
    {
      name: 'get',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const random = createRandom(11);
        const numbers = Array.from({ length: context.operations }, () => randomBelow(random, context.size));
        for (let call = 0; call < WARM_UP; call++) await session.get(taskId(randomBelow(random, context.size)));
        const rows: unknown[] = [];
        const times: number[] = [];
        await context.elapsed(async () => {
          for (const number of numbers) {
            const id = taskId(number);
            const start = performance.now();
            const row = await session.get(id);
            times.push(performance.now() - start);
            rows.push(row);
          }
        });
        context.record('each', ...times);
        for (const [at, number] of numbers.entries()) {
          check(isSameDocument(rows[at], taskDocument(number)), () => `get ${taskId(number)} gave another row.`);
        }
        check((await isMissing(session.get('nobody'))) === true, () => 'an absent key was found.');
      },
    },
  ],
});

/** Systems say "not there" with undefined, null or a rejection. */
async function isMissing(answer: Promise<unknown>): Promise<boolean> {
  try {
    return ((await answer) ?? undefined) === undefined;
  } catch {
    return true;
  }
}
