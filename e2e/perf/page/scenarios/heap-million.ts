import { fill, pipelined } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, PROJECT_COUNT, projectName, taskDocument, taskId } from '../task-document.ts';

const IN_FLIGHT_MAX = 100;
const DELETE_EVERY = 10;

export const heapMillion: Scenario = defineScenario({
  name: 'heap-million',
  what: 'JavaScript heap of page and worker after garbage collection, with all documents inserted in calls of 20,000 and a mixed workload.',
  metrics: {
    'mixed:heap': 'bytes',
    'mixed:heap-page': 'bytes',
    'mixed:heap-workers': 'bytes',
    'mixed:heap-agent': 'bytes',
  },
  sizes: [1_000_000],
  operations: 10_000,
  peerSizeMax: 100_000,
  deadlineMs: 20 * 60_000,
  steps: [
    {
      name: 'mixed',
      start: 'same-page',
      measure: ['heap', 'disk'],
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const random = createRandom(19);
        let deleted = 0;
        // Not the documents that are deleted, nor the one that is looked at afterwards.
        const isUpdatable = (number: number): boolean => number >= context.operations && number < context.size - 1;
        await context.watched(() =>
          pipelined(context.operations, IN_FLIGHT_MAX, async (operation) => {
            const number = randomBelow(random, context.size);
            if (operation % DELETE_EVERY === 0) {
              await session.delete(taskId(deleted++));
            } else if (operation % 3 === 0) {
              await session.range(projectName(randomBelow(random, PROJECT_COUNT)), taskDocument(number).dueAt, 20);
            } else if (operation % 3 === 1 && isUpdatable(number)) {
              await session.update(taskId(number), { priority: operation % 10 });
            } else {
              await session.get(taskId(number));
            }
          }),
        );
        const count = await session.countAll();
        check(count === context.size - deleted, () => `${count} documents, expected ${context.size - deleted}.`);
        const some = taskDocument(context.size - 1);
        check(isSameDocument(await session.get(some.id), some), () => `${some.id} differs.`);
      },
    },
  ],
});
