/**
 * Which of this store's own batches are in the relay's log before some place: a change of another device that comes behind
 * them knew of them, or was told of them, and is no conflict with them; one that comes before them is (CONF-1). Numbers
 * of own batches are told with the log, in its order; an acknowledgement comes apart from that, so it does not count here.
 *
 * A run is a writer of this store, under a number that is short enough to be kept with each row. Runs whose batches are all
 * told are forgotten: what is no run any more is settled.
 */
import type { Row } from '../../src/base/row.ts';
import { SYNC_META } from '../../src/protocol/sync-worker.ts';
import { headsAfter } from './outbox.ts';
import type { StoreVerbs } from './store-client.ts';

/** Key in `$sync.meta`. Permanent. */
const RUNS = 'runs';
/** Numbers above the first gap. The relay allows a writer as many gaps; beyond, the oldest counts as told. */
const AHEAD_MAX = 1_024;
/** Runs with batches that were never told. */
const RUNS_MAX = 100;
const HEADS_MAX = 1_000;

type Run = {
  readonly run: number;
  readonly writer: string;
  readonly clientId: number;
  /** All numbers up to it are told, or were never used. */
  readonly upTo: number;
  /** Those above it that are told. */
  readonly ahead: readonly number[];
};
export type Runs = readonly Run[];
type RunsRow = { readonly id: typeof RUNS; readonly last: number; readonly runs: readonly Run[] };

/** An own change of a row: `before` is the row's state without it, and without those after it. */
export type OwnChange = { readonly run: number; readonly sequence: number; readonly before?: Uint8Array | undefined };

/** Of one row. The last one stands for all that came after it, too. */
const OWN_CHANGES_MAX = 8;

export class OwnRuns {
  #runs: Runs = [];
  #last = 0;
  /** Earlier runs of which nothing was in the outbox when this one began: all of theirs is in the log. */
  readonly #ended = new Set<number>();

  /** Begins the run of a writer. */
  async begin(store: StoreVerbs, writer: string, clientId: number): Promise<void> {
    const [row] = (await store.getMany(SYNC_META, [RUNS])) as (RunsRow | undefined)[];
    this.#runs = row?.runs ?? [];
    this.#last = row?.last ?? 0;
    const lowest = await lowestWaiting(store);
    for (const each of this.#runs) if (!lowest.has(each.writer)) this.#ended.add(each.run);
    this.add(writer, clientId);
    await this.write(store);
  }

  /** One more writer of this run of the worker. */
  add(writer: string, clientId: number): void {
    this.#last += 1;
    this.#runs = [...this.#runs, { run: this.#last, writer, clientId, upTo: 0, ahead: [] }].slice(-RUNS_MAX);
  }

  get current(): number {
    return this.#last;
  }

  clientIdOf(run: number): number | undefined {
    return this.#runs.find((each) => each.run === run)?.clientId;
  }

  /** The number of an own writer. */
  runOf(writer: string): number | undefined {
    return this.#runs.find((each) => each.writer === writer)?.run;
  }

  isSettled({ run, sequence }: OwnChange): boolean {
    const found = this.#runs.find((each) => each.run === run);
    return found === undefined || sequence <= found.upTo || found.ahead.includes(sequence);
  }

  /** Nobody will tell of a batch under this number any more. */
  passed(writer: string, sequence: number): void {
    this.#runs = this.after([{ writer, writerSequence: sequence }]);
  }

  /** As it is once the log is told up to these batches. */
  after(batches: readonly { readonly writer: string; readonly writerSequence: number }[]): Runs {
    let runs = this.#runs;
    for (const { writer, writerSequence } of batches) {
      if (this.runOf(writer) === undefined) continue;
      runs = runs.map((each) => (each.writer === writer ? passedBy(each, writerSequence) : each));
    }
    return runs;
  }

  /** As it is in another log: of what the outbox does not have, nobody knows the place. */
  async restarted(store: StoreVerbs): Promise<Runs> {
    const lowest = await lowestWaiting(store);
    return this.withoutEnded().map((each) => ({
      ...each,
      upTo: Math.max(each.upTo, (lowest.get(each.writer) ?? 1) - 1),
    }));
  }

  /**
   * As it is when the log was told up to where it ended after this run has begun. Not by what is in the outbox by then: what
   * this run has sent again for an earlier one stands behind that.
   */
  withoutEnded(): Runs {
    return this.#runs.filter(({ run }) => !this.#ended.has(run));
  }

  /** `runs` is what one of the above has answered, and the transaction it is written in is stored. */
  set(runs: Runs): void {
    this.#runs = runs;
  }

  /** What is known now, or `runs`, which is known once the transaction is stored. */
  async write(tx: StoreVerbs, runs: Runs = this.#runs): Promise<void> {
    const row: RunsRow = { id: RUNS, last: this.#last, runs };
    await tx.put(SYNC_META, [row as unknown as Row]);
  }
}

function passedBy(run: Run, sequence: number): Run {
  if (sequence <= run.upTo || run.ahead.includes(sequence)) return run;
  let { upTo } = run;
  const ahead = new Set([...run.ahead, sequence]);
  if (ahead.size > AHEAD_MAX) upTo = Math.min(...ahead) - 1;
  while (ahead.delete(upTo + 1)) upTo += 1;
  return { ...run, upTo, ahead: [...ahead] };
}

async function lowestWaiting(store: StoreVerbs): Promise<ReadonlyMap<string, number>> {
  const lowest = new Map<string, number>();
  for (let after = 0; ; ) {
    const heads = await headsAfter(store, after, HEADS_MAX);
    for (const { writer, sequence } of heads) lowest.set(writer, Math.min(sequence, lowest.get(writer) ?? sequence));
    if (heads.length < HEADS_MAX) return lowest;
    after = heads.at(-1)!.id;
  }
}

/** One more of them. Beyond the bound the last one stands for it: it counts as not told a while longer than it is. */
export function addOwn(own: readonly OwnChange[], change: OwnChange): readonly OwnChange[] {
  const last = own.at(-1);
  if (last === undefined || own.length < OWN_CHANGES_MAX) return [...own, change];
  return [...own.slice(0, -1), { ...change, before: last.before }];
}

/** With a change that goes into the batch of that number, of those that are not told. */
export function ownAfter(
  runs: OwnRuns,
  before: { readonly state: Uint8Array; readonly own?: readonly OwnChange[] } | undefined,
  sequence: number,
): readonly OwnChange[] {
  const own = (before?.own ?? []).filter((change) => !runs.isSettled(change));
  return addOwn(own, { run: runs.current, sequence, before: before?.state });
}

/** All of them travel again with one change. */
export const asOne = (own: readonly OwnChange[], change: OwnChange): readonly OwnChange[] => [
  own.length === 0 ? change : { ...change, before: own[0]!.before },
];
