import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument } from '../task-document.ts';

export const openFirstInsert: Scenario = defineScenario({
  name: 'open-first-insert',
  what: 'In a fresh profile: open the store and insert one document.',
  metrics: { open: 'ms', 'first-insert': 'ms' },
  sizes: [1],
  hasFixedSizes: true,
  steps: [
    {
      name: 'open',
      start: 'same-page',
      async run(context) {
        const document = taskDocument(0);
        const session = await context.timed('first-insert', async () => {
          const opened = await context.timed('open', () => context.open());
          await opened.insert(document);
          return opened;
        });
        check(isSameDocument(await session.get(document.id), document), () => 'the first document is not there.');
      },
    },
  ],
});
