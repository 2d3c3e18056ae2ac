import { fill, pipelined } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { SYNC_SYSTEMS } from '../sync-systems.ts';
import type { Session } from '../system.ts';
import { taskId } from '../task-document.ts';

const CHANGED = 1_000;
/** No document has it before. */
const STATUS = 'moved';
const IN_FLIGHT = 50;
const LOOK_MS = 10;
const MINUTE_MS = 60_000;

export const syncAway: Scenario = defineScenario({
  name: 'sync-away',
  suite: 'sync',
  what: 'A device that has all documents is away while 1,000 of them change: from opening the store to all changes found by an index.',
  metrics: { 'caught-up': 'ms', traffic: 'bytes' },
  sizes: [1_000_000],
  peerSizeMax: 100_000,
  runsOn: ({ name }) => SYNC_SYSTEMS.includes(name),
  deadlineMs: 20 * MINUTE_MS,
  steps: [
    {
      name: 'fill',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await session.synced!();
        await fill(session, context.size);
        await session.synced!();
        await session.close();
      },
    },
    {
      name: 'join',
      device: 'second',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await session.synced!();
        const count = await session.countAll();
        check(count === context.size, () => `${count} of ${context.size} documents have come.`);
        await session.close();
      },
    },
    {
      name: 'change',
      start: 'reload',
      async run(context) {
        const session = await context.open();
        const ids = changedIds(context.size);
        await pipelined(ids.length, IN_FLIGHT, (at) => session.update(ids[at]!, { status: STATUS }));
        await session.synced!();
        await session.close();
      },
    },
    {
      name: 'come-back',
      device: 'second',
      start: 'reload',
      traffic: 'traffic',
      async run(context) {
        const { length } = changedIds(context.size);
        await context.timed('caught-up', async () => untilMoved(await context.open(), length));
      },
    },
  ],
});

function changedIds(size: number): readonly string[] {
  const random = createRandom(41);
  const numbers = new Set<number>();
  while (numbers.size < Math.min(CHANGED, size)) numbers.add(randomBelow(random, size));
  return [...numbers].map(taskId);
}

async function untilMoved(session: Session, count: number): Promise<void> {
  while ((await session.countStatus(STATUS)) < count) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}
