/**
 * What a scenario is. Scenarios are data for the runner (names, steps, metrics) and code for the page (`run`): the
 * runner reads this side only, and must not need a browser to do so.
 */
import type { OpenOptions, Session } from './system.ts';
import type { SystemDescription } from './system-description.ts';

/** `ms` and `bytes` are better when lower, `per-s` when higher; `ratio` and `count` are not compared between systems. */
export type Unit = 'ms' | 'per-s' | 'bytes' | 'ratio' | 'count';

export interface StepContext {
  readonly system: SystemDescription;
  /** Documents in the store, or in the call that is measured. */
  readonly size: number;
  /** Measured calls. */
  readonly operations: number;
  /** Opens the store of this run. The runner's page keeps the last session, so that its memory can be measured. */
  open(options?: Partial<Omit<OpenOptions, 'name' | 'server'>>): Promise<Session>;
  record(metric: string, ...values: number[]): void;
  /** Records how long `run` took. */
  timed<Result>(metric: string, run: () => Promise<Result>): Promise<Result>;
  /** The milliseconds that `run` took; it may take times of its own. */
  elapsed(run: () => Promise<void>): Promise<number>;
  /** The milliseconds of processor time that the page's own thread spent meanwhile, whoever made it work. */
  pageThread(run: () => Promise<void>): Promise<number>;
  /** The milliseconds that `run` took, and watches the main thread meanwhile, which costs time of its own. */
  watched(run: () => Promise<void>): Promise<number>;
}

export type Suite = 'store' | 'sync';

export type Step = {
  readonly name: string;
  /** `same-page` goes on in the page of the step before; `restart` closes the browser and opens it on the same profile. */
  readonly start: 'same-page' | 'reload' | 'restart';
  /** Default: the first. `second`: another tab of the same browser, opened for the first step that has it. */
  readonly tab?: 'first' | 'second';
  /** Default: the first. `second`: a browser with a profile of its own, which `start` means then. */
  readonly device?: 'first' | 'second';
  /** Bytes between this step's start and its end, in both directions, of all devices and their server. */
  readonly traffic?: string;
  readonly repeat?: number;
  run(context: StepContext): Promise<void>;
  /** Measured by the runner after the step, with the page still open: metrics `NAME:heap`, `NAME:usage`, `NAME:profile`. */
  readonly measure?: readonly ('heap' | 'disk')[];
};

export type Scenario = {
  readonly name: string;
  /** `sync`: the system's server runs beside it, and its stores are opened with its address. */
  readonly suite: Suite;
  readonly what: string;
  readonly metrics: { readonly [metric: string]: Unit };
  /** Sizes unless the command names some; `fixed` sizes belong to the scenario and cannot be chosen. */
  readonly sizes: readonly number[];
  readonly hasFixedSizes: boolean;
  /** Peers are not asked for more than this many documents. */
  readonly peerSizeMax: number;
  readonly operations: number;
  runsOn(system: SystemDescription): boolean;
  readonly deadlineMs: number;
  /** First one without a start of its own: a fresh profile. */
  readonly steps: readonly Step[];
};

const MINUTE_MS = 60_000;

export function defineScenario(
  scenario: Pick<Scenario, 'name' | 'what' | 'metrics' | 'steps'> & Partial<Scenario>,
): Scenario {
  return {
    suite: 'store',
    sizes: [20_000],
    hasFixedSizes: false,
    peerSizeMax: Number.POSITIVE_INFINITY,
    operations: 1,
    runsOn: (system) => system.name !== 'ours-deferred',
    deadlineMs: 5 * MINUTE_MS,
    ...scenario,
  };
}

/** A wrong answer ends the run: it must not look fast. */
export function check(isRight: boolean, message: () => string): void {
  if (!isRight) throw new Error(`Wrong answer: ${message()}`);
}
