import { fill, pipelined, settle } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, jsonBytes, taskDocument, taskDocuments, taskId } from '../task-document.ts';

const IN_FLIGHT_MAX = 500;
const CHURNED = 1_234;

export const churn: Scenario = defineScenario({
  name: 'churn',
  what: 'Updates of one document among many (rule B19): bytes on disk before, after, and after compact().',
  metrics: {
    json: 'bytes',
    rate: 'per-s',
    'fill:usage': 'bytes',
    'churn:usage': 'bytes',
    'compact:usage': 'bytes',
    'compact:profile': 'bytes',
    'compact:usage-over-json': 'ratio',
  },
  sizes: [10_000],
  operations: 100_000,
  // One store with pages of its own beside ours: PouchDB keeps a tree of revisions and needs half an hour.
  runsOn: (system) => ['ours', 'sqlite'].includes(system.name),
  deadlineMs: 15 * 60_000,
  steps: [
    {
      name: 'fill',
      start: 'same-page',
      measure: ['disk'],
      async run(context) {
        context.record('json', jsonBytes(taskDocuments(0, context.size)));
        const session = await context.open();
        await fill(session, context.size);
        await session.close();
      },
    },
    {
      name: 'churn',
      start: 'reload',
      measure: ['disk'],
      async run(context) {
        const id = taskId(CHURNED % context.size);
        const session = await context.open();
        const elapsedMs = await context.watched(() =>
          pipelined(context.operations, IN_FLIGHT_MAX, (number) => session.update(id, { priority: number })),
        );
        context.record('rate', (context.operations / elapsedMs) * 1_000);
        const expected = { ...taskDocument(CHURNED % context.size), priority: context.operations - 1 };
        check(isSameDocument(await session.get(id), expected), () => 'the last update is not the one that is stored.');
        await session.close();
      },
    },
    {
      name: 'compact',
      start: 'reload',
      measure: ['disk'],
      async run(context) {
        const session = await context.open();
        await session.compact();
        const count = await session.countAll();
        check(count === context.size, () => `${count} documents after compaction, expected ${context.size}.`);
        await session.close();
        await settle();
      },
    },
  ],
});
