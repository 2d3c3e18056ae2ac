import { fill } from '../fill.ts';
import { followRange } from '../live-range.ts';
import { createRandom, randomBelow } from '../random.ts';
import { defineScenario, type Scenario } from '../scenario.ts';
import { PROJECT_COUNT, projectName } from '../task-document.ts';

const QUERIES = 1_000;
const ROWS = 20;
const FRAME_MS = 1_000 / 60;

export const liveStorm: Scenario = defineScenario({
  name: 'live-storm',
  what: '1,000 live queries, 1,000 updates per second of rows that they show: update() to emission, and the main thread in each frame.',
  metrics: { emission: 'ms', blocked: 'ms' },
  operations: 5_000,
  runsOn: (system) => system.name === 'ours' || system.name === 'ours-deferred',
  steps: [
    {
      name: 'storm',
      start: 'same-page',
      async run(context) {
        // Before there is a port: handlers are wrapped as they are set.
        const frames = watchFrames();
        const session = await context.open();
        await fill(session, context.size);
        const followed = await Promise.all(
          Array.from({ length: QUERIES }, (_, number) => {
            const from = Date.UTC(2025, 0, 1 + Math.floor(number / PROJECT_COUNT) * 15);
            return followRange(session, projectName(number % PROJECT_COUNT), from, ROWS);
          }),
        );
        const random = createRandom(37);
        const calls: Promise<unknown>[] = [];
        frames.begin();
        const start = performance.now();
        for (let call = 0; call < context.operations; ) {
          // As many as are due: timers come late, and the rate must not fall for it.
          for (const due = performance.now() - start; call < Math.min(due, context.operations); call++) {
            const query = followed[randomBelow(random, followed.length)]!;
            const { id } = query.rows()[randomBelow(random, query.rows().length)]!;
            const priority = 1_000 + call;
            const began = performance.now();
            // Superseded before it was shown: another update of the row came first to the page. It tells no time.
            const shown = Promise.race([query.shown(id, priority), pause(2_000)]);
            calls.push(session.update(id, { priority }));
            frames.count(performance.now() - began);
            calls.push(shown.then((at) => (at === undefined ? undefined : context.record('emission', at - began))));
          }
          await pause(1);
        }
        context.record('blocked', ...frames.stop());
        await Promise.all(calls);
        for (const { stop } of followed) stop();
      },
    },
  ],
});

const pause = (ms: number): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

/**
 * The time that each frame's share of the clock lost to the store: its handlers of messages, and what `count` adds. Beats
 * of a timer tell less here: they come late on an idle page too.
 */
function watchFrames(): { begin(): void; count(ms: number): void; stop(): readonly number[] } {
  let blocked: number[] = [];
  let start = performance.now();
  const count = (ms: number): void => {
    const frame = Math.floor((performance.now() - start) / FRAME_MS);
    blocked[frame] = (blocked[frame] ?? 0) + ms;
  };
  const property = Object.getOwnPropertyDescriptor(MessagePort.prototype, 'onmessage')!;
  Object.defineProperty(MessagePort.prototype, 'onmessage', {
    ...property,
    set(this: MessagePort, handler: ((event: MessageEvent) => void) | null) {
      const timed = (event: MessageEvent): void => {
        const began = performance.now();
        handler?.call(this, event);
        count(performance.now() - began);
      };
      property.set?.call(this, handler === null ? null : timed);
    },
  });
  return {
    begin() {
      blocked = [];
      start = performance.now();
    },
    count,
    stop() {
      Object.defineProperty(MessagePort.prototype, 'onmessage', property);
      return Array.from(
        { length: Math.ceil((performance.now() - start) / FRAME_MS) },
        (_, frame) => blocked[frame] ?? 0,
      );
    },
  };
}
