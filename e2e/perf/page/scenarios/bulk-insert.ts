import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario, type StepContext } from '../scenario.ts';
import type { Session } from '../system.ts';
import { isSameDocument, STATUSES, taskDocument, taskDocuments } from '../task-document.ts';

const PROBES = 50;

export const bulkInsert: Scenario = defineScenario({
  name: 'bulk-insert',
  what: 'One call of the application with all documents: until acknowledged, and until close() has stored everything.',
  metrics: { acknowledged: 'ms', rate: 'per-s', stored: 'ms' },
  sizes: [20_000, 100_000],
  steps: [
    {
      name: 'insert',
      start: 'same-page',
      async run(context) {
        const documents = taskDocuments(0, context.size);
        const session = await context.open();
        const start = performance.now();
        const elapsedMs = await context.watched(() => session.insertMany(documents));
        context.record('acknowledged', elapsedMs);
        context.record('rate', (context.size / elapsedMs) * 1_000);
        await session.close();
        context.record('stored', performance.now() - start);
      },
    },
    {
      // What was acknowledged and closed must be there for the next page, indexes and all.
      name: 'check',
      start: 'reload',
      async run(context) {
        const session = await context.open();
        await checkContents(context, session);
        await session.close();
      },
    },
  ],
});

async function checkContents(context: StepContext, session: Session): Promise<void> {
  const { size } = context;
  const count = await session.countAll();
  check(count === size, () => `${count} documents after inserting ${size}.`);
  if (context.system.indexUpkeep === 'by-write') await checkStatus(context, session);
  const random = createRandom(7);
  for (let probe = 0; probe < PROBES; probe++) {
    const document = taskDocument(randomBelow(random, size));
    const row = await session.get(document.id);
    check(isSameDocument(row, document), () => `${document.id} is ${JSON.stringify(row)}.`);
  }
}

async function checkStatus({ size }: StepContext, session: Session): Promise<void> {
  const status = STATUSES[0]!;
  let expected = 0;
  for (let number = 0; number < size; number++) if (taskDocument(number).status === status) expected++;
  const found = await session.countStatus(status);
  check(found === expected, () => `${found} documents with status ${status}, expected ${expected}.`);
}
