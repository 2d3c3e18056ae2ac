import { fill } from '../fill.ts';
import { followRange, LIVE_SYSTEMS } from '../live-range.ts';
import { createRandom, randomBelow } from '../random.ts';
import { defineScenario, type Scenario, type StepContext } from '../scenario.ts';
import { PROJECT_COUNT, projectName } from '../task-document.ts';

const ROWS = 20;
const WARM_UP = 100;

export const liveUpdate: Scenario = defineScenario({
  name: 'live-update',
  what: 'One live query of 20 rows, sorted, over an index: from update() of one of its rows to the emission that shows it.',
  metrics: { 'all-open': 'ms', emission: 'ms', 'page-thread': 'ms' },
  operations: 500,
  runsOn: (system) => LIVE_SYSTEMS.includes(system.name),
  steps: [{ name: 'update', start: 'same-page', run: (context) => measureEmissions(context, 1) }],
});

export const liveMany: Scenario = defineScenario({
  name: 'live-many',
  what: 'The same with 200 live queries open: 4 of each project, from different days.',
  metrics: { emission: 'ms', 'page-thread': 'ms', 'all-open': 'ms' },
  operations: 200,
  runsOn: (system) => LIVE_SYSTEMS.includes(system.name),
  steps: [{ name: 'update', start: 'same-page', run: (context) => measureEmissions(context, 200) }],
});

async function measureEmissions(context: StepContext, queries: number): Promise<void> {
  const session = await context.open();
  await fill(session, context.size);
  const followed = await context.timed('all-open', () =>
    Promise.all(
      Array.from({ length: queries }, (_, number) => {
        const day = Math.floor(number / PROJECT_COUNT) * 90;
        const from = Date.UTC(2025, 0, 1 + day);
        return followRange(session, projectName(number % PROJECT_COUNT), from, ROWS);
      }),
    ),
  );
  const random = createRandom(29);
  let calls = 0;
  const update = async (): Promise<number> => {
    const query = followed[randomBelow(random, followed.length)]!;
    const { id } = query.rows()[randomBelow(random, query.rows().length)]!;
    const priority = 1_000 + calls++;
    const shown = query.shown(id, priority);
    const start = performance.now();
    const updated = session.update(id, { priority });
    const emission = (await shown) - start;
    await updated;
    return emission;
  };
  while (calls < WARM_UP) await update();
  const spent = await context.pageThread(async () => {
    while (calls < WARM_UP + context.operations) context.record('emission', await update());
  });
  context.record('page-thread', spent / context.operations);
  for (const { stop } of followed) stop();
}
