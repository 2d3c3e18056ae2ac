import { insertAll } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { SYNC_SYSTEMS } from '../sync-systems.ts';

const MINUTE_MS = 60_000;

export const firstSync: Scenario = defineScenario({
  name: 'first-sync',
  suite: 'sync',
  what: 'All documents from one device to the server (push), and from there into an empty browser (pull), with two indexes.',
  metrics: { push: 'ms', pull: 'ms', 'pull-traffic': 'bytes' },
  sizes: [100_000],
  runsOn: ({ name }) => SYNC_SYSTEMS.includes(name),
  deadlineMs: 15 * MINUTE_MS,
  steps: [
    {
      name: 'push',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await session.synced!();
        await context.timed('push', async () => {
          await insertAll(session, context.size);
          await session.synced!();
        });
        await session.close();
      },
    },
    {
      name: 'pull',
      device: 'second',
      start: 'same-page',
      traffic: 'pull-traffic',
      async run(context) {
        let session: Awaited<ReturnType<typeof context.open>> | undefined;
        const pullMs = await context.watched(async () => {
          session = await context.open();
          await session.synced!();
        });
        context.record('pull', pullMs);
        const count = await session!.countAll();
        check(count === context.size, () => `${count} of ${context.size} documents have come.`);
        const closed = await session!.countStatus('closed');
        check(closed > 0 && closed < count, () => `${closed} of them are closed.`);
      },
    },
  ],
});
