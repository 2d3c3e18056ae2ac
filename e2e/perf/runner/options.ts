/** The command line. An unknown name is refused before anything is built. */
import { parseArgs } from 'node:util';
import type { Scenario } from '../page/scenario.ts';
import { mustScenario, SCENARIOS } from '../page/scenarios/index.ts';
import { isOurs, mustSystem, SYSTEMS, type SystemDescription } from '../page/system-description.ts';

export type Options = {
  readonly scenarios: readonly Scenario[];
  readonly systems: readonly SystemDescription[];
  /** Undefined: each scenario's own. */
  readonly sizes: readonly number[] | undefined;
  readonly operations: number | undefined;
  readonly rounds: number;
  readonly jsonFile: string | undefined;
  readonly targets: 'check' | 'ignore';
  /** Judge this file of an earlier run instead of running. */
  readonly fromFile: string | undefined;
  readonly task: 'run' | 'list' | 'help';
};

const ROUNDS = 3;

export const USAGE: string = `npm run perf -- [options]
  --suite store|sync       scenarios of one device (default), or of devices with a server
  --scenario NAME[,NAME]   default: all of the suite
  --sizes N[,N]            documents; scenarios of fixed size ignore it
  --peers NAME[,NAME]      peers beside our own store; default: all; none: no peer
  --systems NAME[,NAME]    exactly these systems instead
  --operations N           measured calls of scenarios that have them
  --rounds N               default: ${ROUNDS}
  --json FILE              all samples and the summary
  --check                  compare the medians with the targets; exit code 1 when one is missed
  --from FILE              with --check: judge a file that --json wrote, run nothing
  --list                   scenarios and systems`;

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      suite: { type: 'string', default: 'store' },
      scenario: { type: 'string' },
      sizes: { type: 'string' },
      peers: { type: 'string' },
      systems: { type: 'string' },
      operations: { type: 'string' },
      rounds: { type: 'string' },
      json: { type: 'string' },
      from: { type: 'string' },
      check: { type: 'boolean' },
      list: { type: 'boolean' },
      help: { type: 'boolean' },
    },
  });
  return {
    scenarios: values.scenario === undefined ? scenariosOf(values.suite) : names(values.scenario).map(mustScenario),
    systems: chosenSystems(values.systems, values.peers),
    sizes: values.sizes === undefined ? undefined : names(values.sizes).map((size) => count('--sizes', size)),
    operations: values.operations === undefined ? undefined : count('--operations', values.operations),
    rounds: values.rounds === undefined ? ROUNDS : count('--rounds', values.rounds),
    jsonFile: values.json,
    targets: values.check === true ? 'check' : 'ignore',
    fromFile: values.from,
    task: values.help === true ? 'help' : values.list === true ? 'list' : 'run',
  };
}

function scenariosOf(suite: string): readonly Scenario[] {
  if (suite !== 'store' && suite !== 'sync') throw new Error(`There is no suite ${suite}. There are: store, sync.`);
  return SCENARIOS.filter((scenario) => scenario.suite === suite);
}

function chosenSystems(systems: string | undefined, peers: string | undefined): readonly SystemDescription[] {
  if (systems !== undefined) return names(systems).map(mustSystem);
  const ours = SYSTEMS.filter((system) => isOurs(system.name));
  if (peers === undefined) return SYSTEMS;
  return peers === 'none' ? ours : [...ours, ...names(peers).map(mustSystem)];
}

const names = (list: string): string[] => list.split(',').filter((name) => name !== '');

function count(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new Error(`${option} takes whole numbers above 0, not ${text}.`);
  return number;
}
