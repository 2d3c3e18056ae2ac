import { pipelined } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isOurs } from '../system-description.ts';
import { isSameDocument, taskDocument } from '../task-document.ts';

const IN_FLIGHT_MAX = 1_000;
const PROBES = 200;

export const recovery: Scenario = defineScenario({
  name: 'recovery',
  what: 'Opening over a log of single inserts that no checkpoint has taken up, until the first get is answered.',
  metrics: { 'first-read': 'ms', commits: 'count' },
  sizes: [100_000],
  runsOn: (system) => isOurs(system.name) && system.name !== 'ours-deferred',
  steps: [
    {
      name: 'log',
      start: 'same-page',
      async run(context) {
        const session = await context.open({ checkpoint: 'manual' });
        await pipelined(context.size, IN_FLIGHT_MAX, (number) => session.insert(taskDocument(number)));
        // Not closed: a close would write the pages.
      },
    },
    {
      name: 'recover',
      start: 'restart',
      async run(context) {
        const last = taskDocument(context.size - 1);
        const { session, row } = await context.timed('first-read', async () => {
          const opened = await context.open({ checkpoint: 'manual' });
          return { session: opened, row: await opened.get(last.id) };
        });
        check(isSameDocument(row, last), () => `the last insert is ${JSON.stringify(row)} after recovery.`);
        const commits = await session.recoveredCommits();
        check((commits ?? 0) >= context.size, () => `${commits} commits were replayed, so a checkpoint took some up.`);
        context.record('commits', commits ?? 0);
        const count = await session.countAll();
        check(count === context.size, () => `${count} documents after recovery, expected ${context.size}.`);
        const random = createRandom(17);
        for (let probe = 0; probe < PROBES; probe++) {
          const document = taskDocument(randomBelow(random, context.size));
          check(isSameDocument(await session.get(document.id), document), () => `${document.id} differs.`);
        }
      },
    },
  ],
});
