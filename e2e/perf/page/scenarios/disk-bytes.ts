import { fill } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { taskDocument } from '../task-document.ts';

export const diskBytes: Scenario = defineScenario({
  name: 'disk-bytes',
  what: 'Bytes on disk without secondary indexes, after close() and a restart of the browser, over the bytes of the JSON.',
  metrics: {
    json: 'bytes',
    'after:usage': 'bytes',
    'after:profile': 'bytes',
    'after:usage-over-json': 'ratio',
    'after:profile-over-json': 'ratio',
  },
  sizes: [1_000_000],
  peerSizeMax: 100_000,
  deadlineMs: 20 * 60_000,
  steps: [
    {
      name: 'fill',
      start: 'same-page',
      async run(context) {
        const session = await context.open({ indexes: 'none' });
        await fill(session, context.size);
        await session.close();
      },
    },
    {
      name: 'after',
      start: 'restart',
      measure: ['disk'],
      async run(context) {
        let bytes = 0;
        for (let number = 0; number < context.size; number++) bytes += JSON.stringify(taskDocument(number)).length;
        context.record('json', bytes);
        const session = await context.open({ indexes: 'none' });
        const count = await session.countAll();
        check(count === context.size, () => `${count} documents after reopening, expected ${context.size}.`);
        await session.close();
      },
    },
  ],
});
