import { fill } from '../fill.ts';
import { type Followed, followRange } from '../live-range.ts';
import { createRandom, randomBelow } from '../random.ts';
import { check, defineScenario, type Scenario, type StepContext } from '../scenario.ts';
import type { Session } from '../system.ts';
import { projectName, taskId } from '../task-document.ts';

const ROWS = 20;
/** Four threads take part, and each has to have its code compiled. */
const WARM_UP = 300;
const CHANNEL = 'perf-tabs';
const PINGS = 100;
const PEERS: readonly string[] = ['dexie', 'rxdb', 'tinybase'];
/** How much the difference of the tabs' clocks may seem to change while it is used. */
const SKEW_CHANGE_MS_MAX = 0.3;
const ANSWER_MS_MAX = 10_000;

/** What the tabs of a run say to each other. Times are those of the sender's clock; of `skew` it is a difference. */
type Message = { readonly type: 'ping' | 'pong' | 'shown' | 'skew'; readonly at: number; readonly from: string };
const TAB: string = `${Math.random()}`;

/** Of this tab, from one step to the next. */
let opened: { readonly session: Session; readonly followed: Followed } | undefined;

export const tabs: Scenario = defineScenario({
  name: 'tabs',
  what: 'Two tabs with one store: a get in each, and from update() in one to the emission of a live query of 20 rows in the other.',
  metrics: { 'first-get': 'ms', 'second-get': 'ms', emission: 'ms', 'emission-back': 'ms' },
  sizes: [1_000],
  operations: 1_000,
  runsOn: ({ name }) => name.startsWith('ours') || PEERS.includes(name),
  steps: [
    { name: 'open', start: 'same-page', run: (context) => open(context, (session) => fill(session, context.size)) },
    {
      name: 'join',
      start: 'same-page',
      tab: 'second',
      run: (context) =>
        open(context, async (session) => {
          const count = await session.countAll();
          check(count === context.size, () => `the second tab finds ${count} documents.`);
        }),
    },
    { name: 'get-first', start: 'same-page', run: (context) => timeGets(context, 'first-get') },
    { name: 'get-second', start: 'same-page', tab: 'second', run: (context) => timeGets(context, 'second-get') },
    { name: 'watch', start: 'same-page', tab: 'second', run: async () => watch('emission') },
    { name: 'write', start: 'same-page', run: write },
    { name: 'read-off', start: 'same-page', tab: 'second', run: readOff },
    { name: 'watch-back', start: 'same-page', run: async () => watch('emission-back') },
    { name: 'write-back', start: 'same-page', tab: 'second', run: write },
    { name: 'read-off-back', start: 'same-page', run: readOff },
  ],
});

/** Clocks of two tabs differ by some milliseconds: what is compared is corrected by how much they do. */
const now = (): number => performance.timeOrigin + performance.now();

function say(channel: BroadcastChannel, type: Message['type'], at: number): void {
  channel.postMessage({ type, at, from: TAB } satisfies Message);
}

async function open(context: StepContext, prepare: (session: Session) => Promise<void>): Promise<void> {
  const session = await context.open({ tabs: 'several' });
  await prepare(session);
  opened = { session, followed: await followRange(session, projectName(0), 0, ROWS) };
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data: { type, from } }: MessageEvent<Message>) => {
    // Another channel object of this tab hears it too.
    if (type === 'ping' && from !== TAB) say(channel, 'pong', now());
  };
}

async function timeGets(context: StepContext, metric: string): Promise<void> {
  const { session } = opened!;
  const random = createRandom(31);
  for (let call = 0; call < WARM_UP + context.operations; call++) {
    const id = taskId(randomBelow(random, context.size));
    const start = performance.now();
    const row = (await session.get(id)) as { readonly id: string } | undefined;
    const took = performance.now() - start;
    check(row?.id === id, () => `${id} was not found.`);
    if (call >= WARM_UP) context.record(metric, took);
  }
}

/** What was seen while this tab watched, read off by a later step. */
let watched:
  | { readonly metric: string; readonly samples: number[]; readonly stop: () => number | undefined }
  | undefined;

/** Documents tell when they were written: their priority is the time, by the writer's clock. */
function watch(metric: string): void {
  const channel = new BroadcastChannel(CHANNEL);
  const samples: number[] = [];
  let shown = Math.max(...opened!.followed.rows().map(({ priority }) => priority));
  let skew: number | undefined;
  channel.onmessage = ({ data }: MessageEvent<Message>) => {
    if (data.type === 'skew') skew = data.at;
  };
  const stop = opened!.followed.onRows((rows) => {
    const at = now();
    const newest = Math.max(...rows.map(({ priority }) => priority));
    if (newest <= shown) return;
    shown = newest;
    samples.push(at - newest);
    say(channel, 'shown', newest);
  });
  const end = (): number | undefined => {
    stop();
    channel.close();
    return skew;
  };
  watched = { metric, samples, stop: end };
}

async function write(context: StepContext): Promise<void> {
  const { session, followed } = opened!;
  const channel = new BroadcastChannel(CHANNEL);
  const answer = (type: Message['type'], isIt: (at: number) => boolean): Promise<number> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('The other tab does not answer.')), ANSWER_MS_MAX);
      channel.onmessage = ({ data }: MessageEvent<Message>) => {
        if (data.from === TAB || data.type !== type || !isIt(data.at)) return;
        clearTimeout(timer);
        resolve(data.at);
      };
    });
  /** By how much the other tab's clock is ahead: of the pings the quickest tells it best. */
  const measureSkew = async (): Promise<number> => {
    let best = { took: Number.POSITIVE_INFINITY, skew: 0 };
    for (let ping = 0; ping < PINGS; ping++) {
      const pong = answer('pong', () => true);
      const start = now();
      say(channel, 'ping', start);
      const there = await pong;
      const end = now();
      if (end - start < best.took) best = { took: end - start, skew: there - (start + end) / 2 };
    }
    return best.skew;
  };
  const before = await measureSkew();
  const random = createRandom(37);
  const rows = followed.rows();
  for (let call = 0; call < WARM_UP + context.operations; call++) {
    const { id } = rows[randomBelow(random, rows.length)]!;
    const priority = now();
    const shown = answer('shown', (at) => at === priority);
    const updated = session.update(id, { priority });
    await shown;
    await updated;
  }
  const after = await measureSkew();
  check(Math.abs(after - before) < SKEW_CHANGE_MS_MAX, () => `the clocks differed by ${before}, then ${after} ms.`);
  say(channel, 'skew', (before + after) / 2);
  channel.close();
}

async function readOff(context: StepContext): Promise<void> {
  const { metric, samples, stop } = watched!;
  const skew = stop();
  if (skew === undefined) throw new Error('The other tab has not told by how much the clocks differ.');
  check(samples.length === WARM_UP + context.operations, () => `${samples.length} emissions were seen.`);
  context.record(metric, ...samples.slice(WARM_UP).map((sample) => sample - skew));
}
