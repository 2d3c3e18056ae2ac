/** Kills, one after the other, several for one profile: workload, kill, opening, judgement. */
import { type BrowserName, withProfile } from '../../harness.ts';
import type { PageEvent, RawState, StateReport } from '../page/protocol.ts';
import { Model } from '../workload/model.ts';
import { createRandom, seedFor } from '../workload/random.ts';
import { Workload } from '../workload/workload.ts';
import { KillBrowser } from './browser.ts';
import { explainState, type FoundRows } from './explain.ts';
import { type KillPlan, type KillType, type Moment, planKill } from './kill.ts';
import { serveKillPage } from './served-page.ts';

const KILLS_PER_PROFILE_MIN = 4;
const KILLS_PER_PROFILE_SPREAD = 5;
/** A moment that does not come is not waited for. */
const MOMENT_TIMEOUT_MS = 4_000;

export type KillOptions = {
  readonly root: string;
  readonly browser: BrowserName;
  readonly seed: number;
  readonly kills: number;
  readonly log: (line: string) => void;
};

/** What one kill met and what was found after it. */
export type Kill = {
  readonly type: KillType;
  readonly moment: Moment['event'];
  /** The worker stood still between a commit and what the engine does after it. */
  readonly isTrapped: boolean;
  readonly answered: number;
  readonly bulkUnderWay: boolean;
  readonly compactionUnderWay: boolean;
  readonly checkpointUnderWay: boolean;
  /** Checkpoints since the opening before. */
  readonly checkpoints: number;
  readonly logRecordsBelowFloor: number;
  readonly framesRecovered: number;
  readonly openMs: number;
};

/** Throws at the first kill after which something is wrong; the message has the seed and the differences. */
export async function runKills(options: KillOptions): Promise<readonly Kill[]> {
  const served = await serveKillPage(options.root);
  const kills: Kill[] = [];
  try {
    for (let part = 0; kills.length < options.kills; part++) {
      // The first profile has the seed itself, so that a failing profile can be run again alone.
      const seed = (options.seed + part) >>> 0;
      await withProfile(async (profile) => {
        const browser = new KillBrowser(options.browser, profile, `${served.address}/kill/`);
        try {
          await runProfile(browser, seed, options, kills);
        } finally {
          await browser.end();
        }
      });
    }
    if (served.violations.length > 0) throw new Error(`Violations of the policy: ${served.violations.join('\n')}`);
    return kills;
  } finally {
    await served.close();
  }
}

async function runProfile(browser: KillBrowser, seed: number, options: KillOptions, kills: Kill[]): Promise<void> {
  const plans = createRandom(seedFor(seed, 0));
  const count = KILLS_PER_PROFILE_MIN + plans.below(KILLS_PER_PROFILE_SPREAD);
  let model = new Model();
  let raw: RawState | undefined;
  let step = 'opening an empty store';
  const history: string[] = [];
  try {
    judge((await browser.open()).state);
    for (let round = 0; round < count && kills.length < options.kills; round++) {
      const plan = planKill(plans, options.browser);
      step = `kill ${round} (${describePlan(plan)})`;
      const roundSeed = seedFor(seed, round + 100);
      const told = await workAndKill(browser, plan, roundSeed, `r${round}`);
      const opened = await browser.open();
      judge(opened.state);
      const workload = new Workload(createRandom(roundSeed), Model.of(toRows(model)), `r${round}`);
      // After a proper end every answer holds.
      const answered = told.calls === undefined ? told.durable : new Set([...told.durable, told.calls - 1]);
      const found = toFound(opened.state);
      const explained = explainState(workload, answered, found);
      model = explained.model;
      const kill: Kill = {
        type: plan.type,
        moment: plan.moment.event,
        isTrapped: told.isTrapped,
        answered: told.durable.size,
        bulkUnderWay: told.isBulkUnderWay,
        compactionUnderWay: told.isCompactionUnderWay,
        checkpointUnderWay: told.isCheckpointUnderWay,
        checkpoints: (opened.raw?.generation ?? 0) - (raw?.generation ?? 0),
        logRecordsBelowFloor: opened.raw?.logRecordsBelowFloor ?? 0,
        framesRecovered: opened.state.recovery.framesKept,
        openMs: opened.state.openMs,
      };
      raw = opened.raw;
      kills.push(kill);
      const line = describeKill(kills.length, seed, step, kill, explained, found);
      history.push(line);
      options.log(line);
    }
  } catch (cause) {
    const again = `npm run test:kill -- --browser ${options.browser} --seed ${seed} --runs ${history.length + 1}`;
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new Error(`Seed ${seed}, ${step}: ${text}\nBefore it:\n${history.join('\n')}\nAgain: ${again}`, { cause });
  }
}

type Told = {
  readonly durable: Set<number>;
  calls: number | undefined;
  isBulkUnderWay: boolean;
  isCompactionUnderWay: boolean;
  isCheckpointUnderWay: boolean;
  isTrapped: boolean;
};

async function workAndKill(browser: KillBrowser, plan: KillPlan, seed: number, round: string): Promise<Told> {
  const told: Told = {
    durable: new Set(),
    calls: undefined,
    isBulkUnderWay: false,
    isCompactionUnderWay: false,
    isCheckpointUnderWay: false,
    isTrapped: false,
  };
  const wrong: string[] = [];
  let bulk = -1;
  let awaited = plan.moment.count;
  let answers = 0;
  const note = ({ type, place, text }: PageEvent): void => {
    switch (type) {
      case 'ack':
        answers++;
        if (text !== 'deferred') told.durable.add(place);
        if (place === bulk) told.isBulkUnderWay = false;
        break;
      case 'bulk':
        bulk = place;
        told.isBulkUnderWay = true;
        break;
      case 'compact':
        told.isCompactionUnderWay = true;
        break;
      case 'done':
        told.isCompactionUnderWay = false;
        break;
      case 'checkpoint-begin':
        told.isCheckpointUnderWay = true;
        break;
      case 'checkpoint-end':
        told.isCheckpointUnderWay = false;
        break;
      case 'trapped':
        told.isTrapped = true;
        break;
      case 'wrong':
        wrong.push(`call ${place}: ${text}`);
    }
  };
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, MOMENT_TIMEOUT_MS);
    const { event, count, delayMs } = plan.moment;
    const reached = (): void => {
      clearTimeout(timer);
      setTimeout(resolve, delayMs);
    };
    browser.onEvent = (told) => {
      note(told);
      if (told.type === 'wrong') resolve();
      else if (event === 'answers' ? answers === count : told.type === event && --awaited === 0) reached();
    };
    browser.start(seed, round, plan.moment.trap).then(() => {
      if (event === 'start') reached();
    }, reject);
  });
  const isClosing = plan.type === 'close';
  if (!isClosing) {
    // What is told from now on, by a page that is loaded again, belongs to no call of this round.
    const { isBulkUnderWay, isCheckpointUnderWay, isCompactionUnderWay } = told;
    await browser.kill(plan.type);
    Object.assign(told, { isBulkUnderWay, isCheckpointUnderWay, isCompactionUnderWay });
  } else told.calls = await browser.kill('close');
  browser.onEvent = () => undefined;
  if (wrong.length > 0) throw new Error(`Wrong answers:\n${wrong.slice(0, 10).join('\n')}`);
  return told;
}

/** What must hold whatever was killed. */
function judge({ recovery, verified, indexProblems }: StateReport): void {
  if (recovery.reason !== undefined || recovery.framesDropped > 0) {
    throw new Error(`The log was not sound to its end: ${JSON.stringify(recovery)}`);
  }
  if (!verified.sound) throw new Error(`verify() found damage: ${JSON.stringify(verified)}`);
  if (indexProblems.length > 0) throw new Error(`Indexes differ from a scan:\n${indexProblems.join('\n')}`);
}

const toRows = ({ items, notes }: Model) => ({ items: items.rows.values(), notes: notes.rows.values() });
const toFound = ({ rows }: StateReport): FoundRows => ({ items: new Map(rows.items), notes: new Map(rows.notes) });

const describePlan = ({ type, moment: { event, count, delayMs, trap } }: KillPlan): string =>
  trap === undefined
    ? `${type} after ${count} ${event} + ${delayMs} ms`
    : `${type} in the ${trap.count}th ${trap.kind}, committed and not known`;

function describeKill(
  number: number,
  seed: number,
  step: string,
  kill: Kill,
  { calls, isWithoutBulk }: { readonly calls: number; readonly isWithoutBulk: boolean },
  found: FoundRows,
): string {
  const marks = [
    ...(kill.bulkUnderWay ? [isWithoutBulk ? 'bulk under way, absent' : 'bulk under way, whole'] : []),
    ...(kill.checkpointUnderWay ? ['checkpoint under way'] : []),
    ...(kill.compactionUnderWay ? ['compaction under way'] : []),
    ...(kill.logRecordsBelowFloor > 0 ? [`log not trimmed (${kill.logRecordsBelowFloor})`] : []),
  ];
  return (
    `#${number} seed ${seed}, ${step}: ${kill.answered} durable answers, ${calls} calls kept, ` +
    `${found.items.size} + ${found.notes.size} rows, ${kill.checkpoints} checkpoints, ${kill.framesRecovered} frames ` +
    `recovered, open ${Math.round(kill.openMs)} ms${marks.length > 0 ? `; ${marks.join(', ')}` : ''}`
  );
}

export function summarise(kills: readonly Kill[]): string {
  const count = (has: (kill: Kill) => boolean): number => kills.filter(has).length;
  const byType = new Map<string, number>();
  for (const { type } of kills) byType.set(type, (byType.get(type) ?? 0) + 1);
  return [
    `${kills.length} kills: ${[...byType].map(([type, number]) => `${number} ${type}`).join(', ')}`,
    `${count(({ framesRecovered }) => framesRecovered > 0)} recovered a log tail (up to ` +
      `${Math.max(0, ...kills.map(({ framesRecovered }) => framesRecovered))} frames)`,
    `${count(({ checkpointUnderWay }) => checkpointUnderWay)} in a checkpoint's transaction, ` +
      `${count(({ logRecordsBelowFloor }) => logRecordsBelowFloor > 0)} between its commit and its trim`,
    `${count(({ isTrapped }) => isTrapped)} right after a commit that the engine did not know of`,
    `${count(({ bulkUnderWay }) => bulkUnderWay)} in a large createMany, ` +
      `${count(({ compactionUnderWay }) => compactionUnderWay)} in a compaction`,
    `${kills.reduce((sum, { answered }) => sum + answered, 0)} durable answers, all of them found`,
  ].join('\n  ');
}
