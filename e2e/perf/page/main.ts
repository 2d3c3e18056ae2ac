/** The page: runs one step of one scenario on one system when the runner says so. */
import { watchMachineGap } from './machine-gap.ts';
import { watchMainThreadGap } from './main-thread-gap.ts';
import type { StepContext } from './scenario.ts';
import { mustScenario } from './scenarios/index.ts';
import { GAP_METRIC, MACHINE_GAP_METRIC, type StepReply, type StepRequest } from './step-protocol.ts';
import type { Session, System } from './system.ts';
import { mustSystem, type SystemName } from './system-description.ts';
import { loadSystem } from './system-loader.ts';

const DATABASE = 'perf';
const loaded = new Map<SystemName, System>();
/** Kept so that a store that is measured after its step is not collected before. */
const sessions: Session[] = [];

window.perfLoad = async (name) => {
  loaded.set(name, await loadSystem(name));
};

window.perfStep = async (request: StepRequest): Promise<StepReply> => {
  const scenario = mustScenario(request.scenario);
  const step = scenario.steps.find((each) => each.name === request.step);
  const system = loaded.get(request.system);
  if (step === undefined || system === undefined) throw new Error(`Nothing to run for ${JSON.stringify(request)}.`);
  const samples: { [metric: string]: number[] } = {};
  await step.run(createContext(request, system, samples));
  return { samples };
};

function createContext(request: StepRequest, system: System, samples: { [metric: string]: number[] }): StepContext {
  const recordLongest = (metric: string, value: number): void => {
    samples[metric] = [Math.max(value, samples[metric]?.[0] ?? 0)];
  };
  const record = (metric: string, ...values: number[]): void => {
    samples[metric] ??= [];
    // One by one: spreading tens of thousands of samples into push would overflow the stack.
    for (const value of values) samples[metric].push(value);
  };
  const elapsed = async (run: () => Promise<void>): Promise<number> => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  return {
    system: mustSystem(request.system),
    size: request.size,
    operations: request.operations,
    record,
    elapsed,
    async pageThread(run) {
      const before = await window.perfThreadMs();
      await run();
      return (await window.perfThreadMs()) - before;
    },
    async watched(run) {
      // Only while it is looked at: two threads that wake every millisecond slow down whatever changes threads.
      const machine = await watchMachineGap();
      const watch = watchMainThreadGap();
      try {
        return await elapsed(run);
      } finally {
        recordLongest(GAP_METRIC, watch.stop());
        recordLongest(MACHINE_GAP_METRIC, machine.longestMs());
        machine.end();
      }
    },
    async timed(metric, run) {
      let result: Awaited<ReturnType<typeof run>> | undefined;
      const elapsedMs = await elapsed(async () => {
        result = await run();
      });
      record(metric, elapsedMs);
      return result as Awaited<ReturnType<typeof run>>;
    },
    async open(options = {}) {
      const session = await system.open({
        name: DATABASE,
        indexes: 'two',
        durability: 'relaxed',
        checkpoint: 'auto',
        tabs: 'one',
        server: request.server,
        ...options,
      });
      sessions.push(session);
      return session;
    },
  };
}
