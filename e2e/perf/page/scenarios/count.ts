import { fill } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { STATUSES, taskDocument } from '../task-document.ts';

const WARM_UP = 20;

export const count: Scenario = defineScenario({
  name: 'count',
  what: 'All documents, and those of one status through its index.',
  metrics: { all: 'ms', status: 'ms' },
  operations: 20,
  steps: [
    {
      name: 'count',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const expected = new Map<string, number>();
        for (let number = 0; number < context.size; number++) {
          const { status } = taskDocument(number);
          expected.set(status, (expected.get(status) ?? 0) + 1);
        }
        for (let call = 0; call < WARM_UP; call++) {
          await session.countAll();
          await session.countStatus(STATUSES[call % STATUSES.length]!);
        }
        for (let call = 0; call < context.operations; call++) {
          const all = await context.timed('all', () => session.countAll());
          check(all === context.size, () => `count is ${all}, expected ${context.size}.`);
          const status = STATUSES[call % STATUSES.length]!;
          const some = await context.timed('status', () => session.countStatus(status));
          check(some === (expected.get(status) ?? 0), () => `count of ${status} is ${some}.`);
        }
      },
    },
  ],
});
