import { check, defineScenario, type Scenario, type StepContext } from '../scenario.ts';
import { isSameDocument, taskDocument, taskDocuments } from '../task-document.ts';

const metrics = { first: 'ms', each: 'ms', rate: 'per-s' } as const;
/** As many as the scenarios that read have. Their time is recorded apart, as `first`. */
const WARM_UP = 300;

async function insertOneByOne(context: StepContext): Promise<void> {
  const session = await context.open();
  for (const document of taskDocuments(1_000_000, 1_000_000 + WARM_UP)) {
    const start = performance.now();
    await session.insert(document);
    context.record('first', performance.now() - start);
  }
  const documents = taskDocuments(0, context.operations);
  const times: number[] = [];
  const elapsedMs = await context.elapsed(async () => {
    for (const document of documents) {
      const start = performance.now();
      await session.insert(document);
      times.push(performance.now() - start);
    }
  });
  context.record('each', ...times);
  context.record('rate', (context.operations / elapsedMs) * 1_000);
  const count = await session.countAll();
  check(count === context.operations + WARM_UP, () => `${count} documents after inserting ${context.operations}.`);
  const last = taskDocument(context.operations - 1);
  check(isSameDocument(await session.get(last.id), last), () => 'the last document is not there.');
}

export const serialInsert: Scenario = defineScenario({
  name: 'serial-insert',
  what: 'Inserts awaited one by one, each acknowledged as the system does by default.',
  metrics,
  sizes: [0],
  hasFixedSizes: true,
  operations: 500,
  steps: [{ name: 'insert', start: 'same-page', run: insertOneByOne }],
});

export const serialInsertDeferred: Scenario = defineScenario({
  name: 'serial-insert-deferred',
  what: 'The same among systems that acknowledge from memory.',
  metrics,
  sizes: [0],
  hasFixedSizes: true,
  operations: 500,
  runsOn: (system) => system.name === 'ours-deferred' || system.name === 'pglite',
  steps: [{ name: 'insert', start: 'same-page', run: insertOneByOne }],
});
