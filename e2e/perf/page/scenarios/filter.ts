import { fill } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { filterOf, isSameDocument, type TaskDocument, taskDocument } from '../task-document.ts';

const WARM_UP = 3;
const FROM = 8;
/** Priorities are whole numbers: each call asks for something new and gets the same rows. RxDB keeps the answer of a question that it has had. */
const STEP = 1 / 1_000;

export const filter: Scenario = defineScenario({
  name: 'filter',
  what: 'Rows that no index finds, in the order of keys: a fifth of all by priority, and those of one owner among them.',
  metrics: { owner: 'ms', fifth: 'ms' },
  sizes: [20_000, 100_000],
  operations: 10,
  steps: [
    {
      name: 'filter',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        for (let call = 0; call < context.operations + WARM_UP; call++) {
          const owner = `user-${call * 7}`;
          const from = FROM - call * STEP;
          const isMeasured = call >= WARM_UP;
          const ask = async (metric: string, of: string | undefined): Promise<readonly unknown[]> =>
            isMeasured ? context.timed(metric, () => session.filter(from, of)) : session.filter(from, of);
          expectRows(await ask('owner', owner), context.size, owner);
          // Many rows take their time to reach the page, for every system in a worker.
          if (call % 2 === 0) expectRows(await ask('fifth', undefined), context.size, undefined);
        }
      },
    },
  ],
});

function expectRows(rows: readonly unknown[], size: number, owner: string | undefined): void {
  const accepts = filterOf(FROM, owner);
  let found = 0;
  for (let number = 0; number < size; number++) {
    const document: TaskDocument = taskDocument(number);
    if (!accepts(document)) continue;
    check(isSameDocument(rows[found], document), () => `row ${found} of the filter is not ${document.id}.`);
    found++;
  }
  check(found === rows.length, () => `the filter gives ${rows.length} rows, expected ${found}.`);
}
