import { check, defineScenario, type Scenario } from '../scenario.ts';

const WARM_UP = 300;

/**
 * No store is measured here: it is what a store behind a worker cannot be faster than, on this machine and in this run.
 * Compare `hop` with deferred writes, and `append` with `serial-insert` of raw IndexedDB.
 */
export const threadFloor: Scenario = defineScenario({
  name: 'thread-floor',
  what: 'A message to a bare worker and back, and the same with one record added to IndexedDB before the answer.',
  metrics: { hop: 'ms', append: 'ms' },
  sizes: [0],
  hasFixedSizes: true,
  operations: 500,
  runsOn: (system) => system.name === 'ours',
  steps: [
    {
      name: 'floor',
      start: 'same-page',
      async run(context) {
        const worker = new Worker(new URL('../floor-worker.ts', import.meta.url), { type: 'module' });
        const answer = (): Promise<unknown> =>
          new Promise((resolve, reject) => {
            worker.onmessage = ({ data }) => resolve(data);
            worker.onerror = ({ message }) => reject(new Error(`The bare worker failed: ${message}`));
          });
        check((await answer()) === 'ready', () => 'the bare worker did not start.');
        for (const ask of ['hop', 'append'] as const) {
          for (let call = 0; call < WARM_UP + context.operations; call++) {
            const start = performance.now();
            worker.postMessage(ask);
            const answered = await answer();
            if (call >= WARM_UP) context.record(ask, performance.now() - start);
            check(answered === 'done', () => `the bare worker answered ${answered}.`);
          }
        }
        worker.terminate();
      },
    },
  ],
});
