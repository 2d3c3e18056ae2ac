import { settle } from '../fill.ts';
import { check, defineScenario, type Scenario } from '../scenario.ts';
import { isSameDocument, taskDocument } from '../task-document.ts';

const IN_FLIGHT_MAX = 1_000;

export const sustainedLogWrites: Scenario = defineScenario({
  name: 'sustained-log-writes',
  what: `Single inserts for 10 s (operations: milliseconds) with ${IN_FLIGHT_MAX} in flight, background work included.`,
  metrics: { rate: 'per-s', 'slowest-second': 'per-s', 'in-flight-latency': 'ms' },
  sizes: [0],
  hasFixedSizes: true,
  operations: 10_000,
  runsOn: (system) => ['ours', 'idb', 'dexie', 'pglite', 'sqlite'].includes(system.name),
  steps: [
    {
      name: 'write',
      start: 'same-page',
      async run(context) {
        const session = await context.open();
        await session.insert(taskDocument(100_000_000));
        const perSecond: number[] = [];
        const latencies: number[] = [];
        let next = 0;
        let done = 0;
        const begin = performance.now();
        const end = begin + context.operations;
        const lane = async (): Promise<void> => {
          for (let now = performance.now(); now < end; now = performance.now()) {
            await session.insert(taskDocument(next++));
            const answered = performance.now();
            // One in a hundred tells the distribution, and costs no memory.
            if (done % 100 === 0) latencies.push(answered - now);
            done++;
            const second = Math.floor((answered - begin) / 1_000);
            perSecond[second] = (perSecond[second] ?? 0) + 1;
          }
        };
        const elapsedMs = await context.elapsed(async () => {
          await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, lane));
        });
        context.record('rate', (done / elapsedMs) * 1_000);
        const whole = perSecond.slice(0, Math.floor(context.operations / 1_000));
        if (whole.length > 0) context.record('slowest-second', Math.min(...Array.from(whole, (writes) => writes ?? 0)));
        context.record('in-flight-latency', ...latencies);
        await settle();
        const count = await session.countAll();
        check(count === done + 1, () => `${count} documents after ${done + 1} inserts.`);
        const last = taskDocument(next - 1);
        check(isSameDocument(await session.get(last.id), last), () => `${last.id} differs.`);
      },
    },
  ],
});
