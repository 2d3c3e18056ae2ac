import { fill } from '../fill.ts';
import { follow } from '../live-range.ts';
import { createRandom, randomBelow } from '../random.ts';
import { defineScenario, type Scenario } from '../scenario.ts';

const ROWS = 50;
const ROUNDS = 10;

export const liveWindow: Scenario = defineScenario({
  name: 'live-window',
  what: 'All documents sorted by a field without an index, 50 shown, live: what an update that moves one of them costs more while it is open.',
  metrics: { open: 'ms', closed: 'ms', cost: 'ms' },
  sizes: [100_000],
  operations: 1_000,
  // The clock of the page sees a whole round trip; deferred, so that storing is no part of it.
  runsOn: (system) => system.name === 'ours-deferred',
  steps: [
    {
      name: 'update',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await fill(session, context.size);
        const followed = await follow((onRows) => session.liveFirst?.(ROWS, onRows));
        const shown = followed.rows().map(({ id }) => id);
        const [first, last] = [followed.rows()[0]!.dueAt, followed.rows().at(-1)!.dueAt];
        followed.stop();
        const random = createRandom(31);
        /** Rows that are shown change places. */
        const updates = async (count: number): Promise<number[]> => {
          const times: number[] = [];
          for (let call = 0; call < count; call++) {
            const id = shown[randomBelow(random, shown.length)]!;
            const dueAt = first + randomBelow(random, last - first);
            const start = performance.now();
            await session.update(id, { dueAt });
            times.push(performance.now() - start);
          }
          return times;
        };
        await updates(200);
        // In turns, so that a slow second hits both.
        for (let round = 0; round < ROUNDS; round++) {
          const closed = await updates(context.operations / ROUNDS);
          const live = await follow((onRows) => session.liveFirst?.(ROWS, onRows));
          const open = await updates(context.operations / ROUNDS);
          live.stop();
          context.record('closed', ...closed);
          context.record('open', ...open);
          context.record('cost', medianOf(open) - medianOf(closed));
        }
      },
    },
  ],
});

const medianOf = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
