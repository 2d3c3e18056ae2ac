/** Ways to end a page or a browser in the middle of its work, and the moments to do it. */
import type { BrowserName } from '../../harness.ts';
import type { Trap } from '../page/observer-channel.ts';
import type { Random } from '../workload/random.ts';

export type KillType =
  /** SIGKILL to the browser and all of its processes. */
  | 'browser'
  /** SIGKILL to the processes of its pages. */
  | 'renderer'
  /** The browser's own way to crash a page. */
  | 'crash'
  | 'terminate'
  | 'reload'
  /** No kill: the store is closed. Then every answer must hold, deferred ones too. */
  | 'close';

/** What the driver waits for before it kills, and for how long after it. */
export type Moment = {
  readonly event: 'start' | 'answers' | 'bulk' | 'compact' | 'checkpoint-begin' | 'trapped';
  /** How many of these. */
  readonly count: number;
  readonly delayMs: number;
  readonly trap?: Trap;
};

export type KillPlan = { readonly type: KillType; readonly moment: Moment };

const TYPES: { readonly [browser in BrowserName]: readonly (readonly [weight: number, type: KillType])[] } = {
  chromium: [
    [7, 'browser'],
    [4, 'renderer'],
    [3, 'crash'],
    [3, 'terminate'],
    [3, 'reload'],
    [1, 'close'],
  ],
  firefox: [
    [10, 'browser'],
    [3, 'terminate'],
    [3, 'reload'],
    [1, 'close'],
  ],
};

export function planKill(random: Random, browser: BrowserName): KillPlan {
  const types = TYPES[browser];
  const drawn = types.flatMap(([weight, type]) => new Array<KillType>(weight).fill(type));
  return { type: drawn[random.below(drawn.length)]!, moment: planMoment(random) };
}

function planMoment(random: Random): Moment {
  const point = random.next();
  if (point < 0.15) return { event: 'start', count: 1, delayMs: random.below(1_500) };
  if (point < 0.35) return { event: 'answers', count: 1 + random.below(1_200), delayMs: 0 };
  if (point < 0.53) return { event: 'bulk', count: 1 + random.below(2), delayMs: random.below(400) };
  if (point < 0.61) return { event: 'compact', count: 1, delayMs: random.below(150) };
  if (point < 0.76) return { event: 'checkpoint-begin', count: 1 + random.below(3), delayMs: random.below(25) };
  const kind = random.below(2) === 0 ? 'checkpoint' : 'append';
  const trap: Trap = { kind, count: 1 + random.below(kind === 'append' ? 200 : 3) };
  return { event: 'trapped', count: 1, delayMs: 0, trap };
}
