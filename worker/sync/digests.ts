/**
 * Now and then this device and the relay compare what they have, some rows at a time: digests of rows, in an order of the
 * relay. Where they differ, both get what the other one has, and the status says so (R10).
 *
 * DIG-1: a comparison counts only when both sides are at the same batch of the log and nothing is under way here. DIG-2:
 * what it costs in a minute does not depend on how many rows there are.
 */
import {
  DIGESTS_FROM_VERSION,
  type Digests as DigestsMessage,
  isSameDigest,
  type Refuse,
  type RowName,
  rowDigest,
  type StatePage,
} from '../../src/protocol/sync/index.ts';
import { SYNC_CHANGES, SYNC_OUTBOX, SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import { nameProblem } from './local-change.ts';
import { repairRows } from './repair.ts';
import { rowId, rowNameOf } from './row-id.ts';
import type { StateRow } from './row-store.ts';
import type { SyncContext } from './sync-context.ts';

export type DigestPace = {
  /** After a connection is made. */
  readonly firstMs: number;
  /** Between two parts of a round, and between two rounds. */
  readonly partMs: number;
  readonly roundMs: number;
  /** When something was under way. */
  readonly retryMs: number;
  readonly rows: number;
};
export const DIGEST_PACE: DigestPace = {
  firstMs: 30_000,
  partMs: 60_000,
  roundMs: 60 * 60_000,
  retryMs: 5_000,
  rows: 500,
};

/** A part of which the relay is never found quiet is left for the next round. */
const RETRIES_MAX = 20;
/** Of one request: their names fit into a frame. */
const STATES_MAX = 200;
/** An answer that does not come. */
const ANSWER_TIMEOUT_MS = 60_000;

type Sent =
  | { readonly type: 'digest'; readonly request: number; readonly after: RowName | undefined; readonly rowsMax: number }
  | { readonly type: 'states'; readonly request: number; readonly rows: readonly RowName[] };

export interface DigestsOwner {
  /** Up to which batch all of the log is stored here; undefined while something is asked for, or waits. */
  hasAllUpTo(): number | undefined;
  /** The relay has lost rows: it is asked for everything, and gets what it has not. */
  startOver(): Promise<void>;
  send(message: Sent): void;
  repaired(rows: number): void;
  outboxGrew(): void;
  failed(error: unknown): void;
}

export class Digests {
  readonly #context: SyncContext;
  readonly #owner: DigestsOwner;
  readonly #pace: DigestPace;
  #isConnected = false;
  #hasBegun = false;
  #hasStartedOver = false;
  #after: RowName | undefined;
  #isLast = false;
  /** Rows that differ, and whose states are asked for. */
  #wanted: readonly RowName[] = [];
  #requests = 0;
  /** Batches that had been made when the relay was asked. */
  #madeBefore = 0;
  #retries = 0;
  #stopTimer: () => void = () => {};

  constructor(context: SyncContext, owner: DigestsOwner, pace: Partial<DigestPace> = {}) {
    this.#context = context;
    this.#owner = owner;
    this.#pace = { ...DIGEST_PACE, ...pace };
  }

  /** `version`: of the protocol. An older relay knows of no digests, and is not asked. */
  connected(version: number): void {
    if (version < DIGESTS_FROM_VERSION) return;
    this.#isConnected = true;
    this.#wanted = [];
    this.#later(this.#pace.firstMs);
  }

  disconnected(): void {
    this.#isConnected = false;
    this.#stopTimer();
  }

  told(message: DigestsMessage | StatePage): void {
    if (!this.#isConnected || message.request !== this.#requests) return;
    this.#stopTimer();
    const take = (): Promise<void> => (message.type === 'digests' ? this.#compare(message) : this.#repair(message));
    this.#context.inTurn(take).catch((error) => this.#owner.failed(error));
  }

  refused({ retryAfterMs }: Refuse): void {
    if (this.#isConnected) this.#later(Math.max(retryAfterMs, this.#pace.partMs));
  }

  #later(delayMs: number): void {
    this.#stopTimer();
    if (!this.#isConnected) return;
    const { platform, inTurn } = this.#context;
    this.#stopTimer = platform.setTimer(() => {
      inTurn(() => this.#ask()).catch((error) => this.#owner.failed(error));
    }, delayMs);
  }

  async #ask(): Promise<void> {
    if (!this.#hasBegun) this.#after = await this.#somewhere();
    this.#hasBegun = true;
    if (!this.#isConnected) return;
    if (this.#owner.hasAllUpTo() === undefined || !(await this.#isQuiet())) return this.#tryAgain();
    this.#madeBefore = this.#context.outbox.made;
    this.#send({ type: 'digest', request: this.#nextRequest(), after: this.#after, rowsMax: this.#pace.rows });
  }

  #nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }

  #send(message: Sent): void {
    this.#owner.send(message);
    this.#stopTimer();
    this.#stopTimer = this.#context.platform.setTimer(() => this.#later(this.#pace.partMs), ANSWER_TIMEOUT_MS);
  }

  /** A worker that never runs long enough for a whole round begins at another row each time. */
  async #somewhere(): Promise<RowName | undefined> {
    const { store, platform } = this.#context;
    const count = await store.count(SYNC_STATES);
    if (count <= this.#pace.rows) return undefined;
    const bytes = new Uint8Array(4);
    platform.random(bytes);
    const skip = new DataView(bytes.buffer).getUint32(0) % count;
    const [row] = await store.find(SYNC_STATES, {}, { skip, limit: 1, project: { id: 1 } });
    return row === undefined ? undefined : rowNameOf(row['id'] as string);
  }

  #tryAgain(): void {
    this.#retries += 1;
    this.#later(this.#retries > RETRIES_MAX ? this.#pace.partMs : this.#pace.retryMs);
  }

  async #compare({ rows, isLast, through, head, rowCount }: DigestsMessage): Promise<void> {
    const { store, outbox } = this.#context;
    // What was made since may be acknowledged and gone by now, and is not in the answer.
    const isSame = through === head && this.#owner.hasAllUpTo() === head && outbox.made === this.#madeBefore;
    if (!isSame || !(await this.#isQuiet())) return this.#tryAgain();
    this.#retries = 0;
    const known = rows.filter((row) => nameProblem(row) === undefined);
    const ids = known.map(({ collection, key }) => rowId(collection, key));
    const states = (await store.getMany(SYNC_STATES, ids)) as readonly unknown[] as readonly (StateRow | undefined)[];
    const differing = known.filter((row, at) => {
      const state = states[at]?.state;
      if (state !== undefined && isSameDigest(rowDigest(row, state), row.digest)) return false;
      // The relay has refused what it does not have.
      return outbox.refusedWith([ids[at]!]).entries.size === 0;
    });
    this.#isLast = isLast;
    const last = rows.at(-1);
    this.#after = last && { collection: last.collection, key: last.key };
    this.#wanted = differing.map(({ collection, key }) => ({ collection, key }));
    if (isLast && differing.length === 0) await this.#compareCounts(rowCount);
    this.#goOn();
  }

  async #isQuiet(): Promise<boolean> {
    const { store } = this.#context;
    const one = { limit: 1, project: { id: 1 } };
    const [changes, unsent] = await Promise.all([
      store.find(SYNC_CHANGES, {}, one),
      store.find(SYNC_OUTBOX, { refusal: { $exists: false } }, one),
    ]);
    return changes.length === 0 && unsent.length === 0;
  }

  /** Rows that the relay does not have are in none of its answers. */
  async #compareCounts(rowCount: number): Promise<void> {
    const { store } = this.#context;
    const missing = (await store.count(SYNC_STATES)) - rowCount;
    if (missing <= 0 || this.#hasStartedOver || (await store.count(SYNC_OUTBOX)) > 0) return;
    // Once in a run: what is then still missing is missing for a reason.
    this.#hasStartedOver = true;
    this.#owner.repaired(missing);
    await this.#owner.startOver();
  }

  #goOn(): void {
    if (!this.#isConnected) return;
    if (this.#wanted.length > 0) {
      this.#send({ type: 'states', request: this.#nextRequest(), rows: this.#wanted.slice(0, STATES_MAX) });
      return;
    }
    if (this.#isLast) this.#after = undefined;
    this.#later(this.#isLast ? this.#pace.roundMs : this.#pace.partMs);
  }

  async #repair({ rows }: StatePage): Promise<void> {
    const fit = rows.filter((row) => nameProblem(row) === undefined);
    const told = new Set(fit.map(({ collection, key }) => rowId(collection, key)));
    const repaired = await repairRows(this.#context, fit);
    if (repaired > 0) {
      this.#owner.repaired(repaired);
      this.#owner.outboxGrew();
    }
    // Rows that are told of no more are none.
    this.#wanted =
      rows.length === 0 ? [] : this.#wanted.filter(({ collection, key }) => !told.has(rowId(collection, key)));
    this.#goOn();
  }
}
