/** Which runs in which order: systems alternate within a round (A B C A B C), so a slow minute hits all of them. */
import type { Scenario } from '../page/scenario.ts';
import { isOurs, type SystemDescription } from '../page/system-description.ts';
import type { Options } from './options.ts';

export type PlannedRun = {
  readonly scenario: Scenario;
  readonly size: number;
  readonly operations: number;
  readonly system: SystemDescription;
  readonly round: number;
};

export function planRuns(
  options: Pick<Options, 'scenarios' | 'systems' | 'sizes' | 'operations' | 'rounds'>,
): PlannedRun[] {
  const planned: PlannedRun[] = [];
  for (const scenario of options.scenarios) {
    const sizes = scenario.hasFixedSizes ? scenario.sizes : (options.sizes ?? scenario.sizes);
    const operations = options.operations ?? scenario.operations;
    for (const size of sizes) {
      const systems = options.systems.filter(
        (system) => scenario.runsOn(system) && (isOurs(system.name) || size <= scenario.peerSizeMax),
      );
      for (let round = 1; round <= options.rounds; round++) {
        for (const system of systems) planned.push({ scenario, size, operations, system, round });
      }
    }
  }
  return planned;
}
