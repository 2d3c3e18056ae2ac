import { fill } from '../fill.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument } from '../task-document.ts';

const PROBES = 500;

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
        // A count may come from a header: the documents themselves must be in those bytes.
        const random = createRandom(29);
        for (let probe = 0; probe < PROBES; probe++) {
          const document = taskDocument(randomBelow(random, context.size));
          check(isSameDocument(await session.get(document.id), document), () => `${document.id} differs.`);
        }
        await session.close();
      },
    },
  ],
});
