import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument, taskDocuments } from '../task-document.ts';

/** Bursts that are measured, after one that is not warm. */
const BURSTS = 5;

export const parallelInsert: Scenario = defineScenario({
  name: 'parallel-insert',
  what: 'Single inserts started together, without a transaction around them, and all awaited.',
  metrics: { first: 'ms', all: 'ms', rate: 'per-s' },
  sizes: [0],
  hasFixedSizes: true,
  operations: 1_000,
  runsOn: () => true,
  steps: [
    {
      name: 'insert',
      start: 'same-page',
      async run(context) {
        const { operations } = context;
        const session = await context.open();
        await session.insert(taskDocument(1_000_000));
        for (let burst = 0; burst <= BURSTS; burst++) {
          const documents = taskDocuments(burst * operations, (burst + 1) * operations);
          const elapsedMs = await context.elapsed(async () => {
            await Promise.all(documents.map((document) => session.insert(document)));
          });
          if (burst === 0) {
            context.record('first', elapsedMs);
            continue;
          }
          context.record('all', elapsedMs);
          context.record('rate', (operations / elapsedMs) * 1_000);
        }
        const count = await session.countAll();
        const expected = operations * (BURSTS + 1) + 1;
        check(count === expected, () => `${count} documents after inserting ${expected}.`);
        for (const number of [operations >>> 1, operations * BURSTS + 1]) {
          const some = taskDocument(number);
          check(isSameDocument(await session.get(some.id), some), () => `${some.id} is not there as it was inserted.`);
        }
      },
    },
  ],
});
