import { fill } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument, taskId } from '../task-document.ts';

export const oneDocumentLatency: Scenario = defineScenario({
  name: 'one-document-latency',
  what: 'Updates of random documents awaited one by one: the latency of a transaction of one document.',
  metrics: { each: 'ms' },
  sizes: [10_000],
  operations: 1_000,
  // TinyBase rewrites the whole table by each save: a thousand of them tell nothing more and take minutes.
  runsOn: (system) => !['ours-deferred', 'tinybase'].includes(system.name),
  steps: [
    {
      name: 'update',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const random = createRandom(23);
        const priorities = new Map<number, number>();
        const times: number[] = [];
        await context.elapsed(async () => {
          for (let call = 0; call < context.operations; call++) {
            const number = randomBelow(random, context.size);
            const start = performance.now();
            await session.update(taskId(number), { priority: call });
            times.push(performance.now() - start);
            priorities.set(number, call);
          }
        });
        context.record('each', ...times);
        for (const [number, priority] of priorities) {
          const row = await session.get(taskId(number));
          check(isSameDocument(row, { ...taskDocument(number), priority }), () => `${taskId(number)} was not updated.`);
        }
      },
    },
  ],
});
