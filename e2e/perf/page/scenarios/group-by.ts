import { fill } from '../fill.ts';
import { groupRows } from '../group-rows.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import type { SystemName } from '../system-description.ts';
import { taskDocument } from '../task-document.ts';

const WARM_UP = 2;
/** Those that group, and those whose rows are at hand to be grouped on the page. */
const SYSTEMS: readonly SystemName[] = ['ours', 'sqlite', 'pglite', 'dexie', 'idb', 'tanstack'];

export const groupBy: Scenario = defineScenario({
  name: 'group-by',
  what: 'Sum of priority and count for each of 50 projects, over all documents.',
  metrics: { each: 'ms' },
  sizes: [100_000],
  operations: 10,
  runsOn: ({ name }) => SYSTEMS.includes(name),
  steps: [
    {
      name: 'group',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const documents = Array.from({ length: context.size }, (_, number) => taskDocument(number));
        const expected = new Map(groupRows(documents).map((group) => [group.project, group]));
        for (let call = 0; call < WARM_UP; call++) await session.groupByProject?.();
        for (let call = 0; call < context.operations; call++) {
          const groups = await context.timed('each', async () => (await session.groupByProject?.()) ?? []);
          const isRight =
            groups.length === expected.size &&
            groups.every(({ project, total, count }) => {
              const right = expected.get(project);
              return right !== undefined && right.total === total && right.count === count;
            });
          check(isRight, () => `${groups.length} groups, or with other sums.`);
        }
      },
    },
  ],
});
