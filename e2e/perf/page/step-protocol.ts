/** What the runner asks of the page, and what comes back. Plain data: it crosses the DevTools protocol. */
import type { SystemName } from './system-description.ts';

export type StepRequest = {
  readonly scenario: string;
  readonly step: string;
  readonly system: SystemName;
  readonly size: number;
  readonly operations: number;
  /** Address of the system's server, in scenarios that have one. */
  readonly server: string | undefined;
};
export type StepReply = { readonly samples: { readonly [metric: string]: readonly number[] } };

/** Longest time the page's thread was busy while the step measured. */
export const GAP_METRIC = 'main-thread-gap';
/** How late an idle thread woke meanwhile. */
export const MACHINE_GAP_METRIC = 'machine-gap';
/** Of a run they are the longest of its steps. */
export const isGap = (metric: string): boolean => metric === GAP_METRIC || metric === MACHINE_GAP_METRIC;

declare global {
  interface Window {
    /** Loads the code of a system, so that no measured time contains it. */
    perfLoad(system: SystemName): Promise<void>;
    perfStep(request: StepRequest): Promise<StepReply>;
    /** Answered by the runner: processor time of the page's thread since it was asked for the first time. */
    perfThreadMs(): Promise<number>;
  }
}
