import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument, taskDocuments } from '../task-document.ts';

export const parallelInsert: Scenario = defineScenario({
  name: 'parallel-insert',
  what: 'Single inserts started together, without a transaction around them, and all awaited.',
  metrics: { all: 'ms', rate: 'per-s' },
  sizes: [0],
  hasFixedSizes: true,
  operations: 1_000,
  runsOn: () => true,
  steps: [
    {
      name: 'insert',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await session.insert(taskDocument(1_000_000));
        const documents = taskDocuments(0, context.operations);
        const elapsedMs = await context.watched(async () => {
          await Promise.all(documents.map((document) => session.insert(document)));
        });
        context.record('all', elapsedMs);
        context.record('rate', (context.operations / elapsedMs) * 1_000);
        const count = await session.countAll();
        check(count === context.operations + 1, () => `${count} documents after inserting ${context.operations}.`);
        const some = taskDocument(context.operations >>> 1);
        check(isSameDocument(await session.get(some.id), some), () => 'a document in the middle is not there.');
      },
    },
  ],
});
