/**
 * What the relay's log has and this store has not: batches behind the cursor, followed as they come; or rows, when the
 * batches are not there or never were. The place in the log is stored with what was taken, in one transaction, so a
 * worker that is killed asks on from there.
 *
 * PULL-4: a gap in what is told is noticed, by the numbers of batches or by a beat, and asked for again. PULL-5: a log of
 * another epoch, or one that ends before the cursor, is asked for everything, and gets what it may not have.
 */
import type {
  Beat,
  ClientMessage,
  Deliver,
  DeliveredBatch,
  FoldedRow,
  Refuse,
  RowPage,
  Welcome,
} from '../../src/protocol/sync/index.ts';
import { BATCH_CHANGES_MAX, FRAME } from '../../src/protocol/sync/index.ts';
import { SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import { type Arrivals, applyArrivals, placeKey, type RowArrival, ToldProjection } from './apply.ts';
import type { UpdatePlace } from './conflict-merge.ts';
import type { Fold } from './fold.ts';
import { nameProblem } from './local-change.ts';
import { rowId, rowNameOf } from './row-id.ts';
import type { StateRow } from './row-store.ts';
import type { SyncContext } from './sync-context.ts';
import { askingRows, atCursor, type Place, pushingOwn, readPlace, START, writePlace } from './sync-meta.ts';

/** Bytes of one answer. One more is asked for while it is stored. */
const PULL_BYTES = 256 * 1024;
const ROWS_BYTES = 512 * 1024;
/** What was followed and could not be stored yet. Beyond it is asked for again, later. */
const WAITING_BYTES_MAX = 8 * 1024 * 1024;
/** An answer that does not come, while beats do. */
const ANSWER_TIMEOUT_MS = 60_000;
/**
 * Batches that are stored in one transaction, by the rows they have. Rows that were changed here and there are on as many
 * pages, as are their states, and all of them are in memory until it ends: some 20 MB by the weights that the cache gives them.
 */
const APPLY_ROWS_TARGET = 256;
/** Own batches whose place is not stored alone. When the worker is killed they come again, and change nothing. */
const OWN_UNSTORED_MAX = 64;
/** States that are put into the outbox in one batch, for a log that may not have them. */
const OWN_STATES = 500;

type Request = { readonly type: 'pull' | 'rows'; readonly request: number; readonly stopTimer: () => void };
/** A page of rows, read while an earlier one is stored. */
type Page = { readonly message: RowPage; readonly arrivals: ReadonlyMap<string, RowArrival> };
type Waiting = ({ readonly message: Deliver } | Page) & { readonly bytes: number };

export interface IncomingEvents {
  send(message: Extract<ClientMessage, { readonly type: 'pull' | 'rows' }>): void;
  restart(): void;
  /** How the first sync gets on; undefined when there is none. */
  progressed(rows: number | undefined): void;
  /** There are new batches in the outbox. */
  outboxGrew(): void;
  failed(error: unknown): void;
}

export class Incoming {
  readonly #context: SyncContext;
  readonly #fold: Fold;
  readonly #events: IncomingEvents;
  #place: Place = START;
  #storedSequence = 0;
  #isConnected = false;
  #requests = 0;
  #asked: Request | undefined;
  #isFollowing = false;
  /** Something was missed: ask again when what is waiting is stored. */
  #isBehind = false;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #isWorking = false;
  #toldUpTo = 0;
  /** Of the log when this run connected first: what earlier runs have sent is up to it, or in the outbox. */
  #headAtStart: number | undefined;

  constructor(context: SyncContext, fold: Fold, events: IncomingEvents) {
    this.#context = context;
    this.#fold = fold;
    this.#events = events;
  }

  async load(): Promise<void> {
    this.#place = await readPlace(this.#context.store);
    this.#storedSequence = this.#place.cursor.sequence;
    this.#tellProgress();
  }

  get epoch(): string {
    return this.#place.cursor.epoch;
  }

  /** Up to which batch all of the log is stored; undefined while something is asked for, or waits. */
  get hasAllUpTo(): number | undefined {
    const { cursor, rows, own } = this.#place;
    const isWaiting = !this.#isFollowing || rows !== undefined || own !== undefined || this.#waiting.length > 0;
    return isWaiting ? undefined : cursor.sequence;
  }

  /** Asks for everything, on another connection, and gives what the log has not. In turn. */
  async startOver(): Promise<void> {
    await this.#startAll(this.#place.cursor.epoch);
    this.#events.restart();
  }

  connected({ epoch, head, floor }: Welcome): void {
    this.#isConnected = true;
    this.#settle(() => this.#begin(epoch, head, floor));
  }

  disconnected(): void {
    this.#isConnected = false;
    this.#isFollowing = false;
    this.#isBehind = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#answered();
  }

  delivered(message: Deliver, bytes: number): void {
    const isAnswer = message.request !== 0;
    if (isAnswer && this.#asked?.request !== message.request) return;
    if (isAnswer) {
      this.#answered();
      this.#isFollowing = message.isComplete;
    } else if (!this.#isFollowing) return;
    this.#toldUpTo = Math.max(this.#toldUpTo, message.batches.at(-1)?.sequence ?? 0);
    this.#take({ message, bytes });
  }

  toldRows(message: RowPage, bytes: number): void {
    if (this.#asked?.request !== message.request) return;
    this.#answered();
    // Asked while this page is stored: there is at most one more.
    const last = message.rows.at(-1);
    if (!message.isComplete && last !== undefined) this.#ask('rows', { after: last.at });
    const fit = message.rows.filter((row) => nameProblem(row) === undefined);
    const arrivals = new Map(fit.map((row) => [rowId(row.collection, row.key), arrivalOf(row)]));
    const { collections } = this.#context;
    for (const { name, projection } of arrivals.values())
      projection?.row(collections.get(name.collection)?.fields ?? {});
    this.#take({ message, arrivals, bytes });
  }

  beat({ head }: Beat): void {
    if (!this.#isFollowing || head <= Math.max(this.#toldUpTo, this.#place.cursor.sequence)) return;
    this.#isBehind = true;
    this.#work();
  }

  /** Of a pull, or of rows. */
  refused(refuse: Refuse): void {
    const asked = this.#asked;
    if (asked === undefined || refuse.request !== asked.request || refuse.about !== FRAME[asked.type]) return;
    this.#answered();
    switch (refuse.code) {
      case 'cursor-too-old':
        return this.#settle(() => this.#askRows('newer'));
      case 'cursor-ahead':
        return this.#settle(() => this.#askAll(this.#place.cursor.epoch));
      case 'rate-limited':
        this.#context.platform.setTimer(() => this.#askAgain(), Math.max(refuse.retryAfterMs, 100));
        return;
      case 'unavailable':
        return;
      default:
        this.#events.restart();
    }
  }

  /** Something that reads the place and changes it. */
  #settle(run: () => Promise<void>): void {
    this.#context.inTurn(run).catch((error) => this.#events.failed(error));
  }

  async #begin(epoch: string, head: number, floor: number): Promise<void> {
    this.#headAtStart ??= head;
    const { cursor, rows, own } = this.#place;
    if (cursor.epoch === '')
      await this.#move({ ...askingRows(this.#place, 'first', ZERO), cursor: { ...cursor, epoch } });
    else if (cursor.epoch !== epoch || head < cursor.sequence) await this.#startAll(epoch);
    else if (rows === undefined && cursor.sequence < floor) await this.#startRows('newer');
    if (own !== undefined) await this.#pushOwn();
    this.#askAgain();
  }

  async #askRows(kind: 'newer'): Promise<void> {
    await this.#startRows(kind);
    this.#askAgain();
  }

  async #askAll(epoch: string): Promise<void> {
    await this.#startAll(epoch);
    this.#askAgain();
  }

  #startRows(kind: 'newer'): Promise<void> {
    // Behind all rows of the batch that the cursor has.
    const after = { sequence: this.#place.cursor.sequence, ordinal: BATCH_CHANGES_MAX };
    return this.#move(askingRows(this.#place, kind, after));
  }

  /** From the beginning, in a log that counts as another one. */
  async #startAll(epoch: string): Promise<void> {
    const { store, runs } = this.#context;
    runs.set(await runs.restarted(store));
    const { generation } = this.#place.cursor;
    const cursor = { ...this.#place.cursor, epoch, sequence: 0, generation: generation + 1 };
    await this.#move({ ...askingRows(this.#place, 'all', ZERO), cursor, own: undefined });
  }

  async #move(place: Place): Promise<void> {
    const { store, runs } = this.#context;
    await store.transaction(async (tx) => {
      await Promise.all([writePlace(tx, this.#place, place), runs.write(tx)]);
    });
    this.#arrive(place);
  }

  #arrive(place: Place): void {
    this.#place = place;
    this.#storedSequence = place.cursor.sequence;
    this.#tellProgress();
  }

  #tellProgress(): void {
    const { rows, cursor } = this.#place;
    const isThrough = cursor.epoch !== '' && rows?.kind !== 'first';
    this.#events.progressed(isThrough ? undefined : (rows?.rows ?? 0));
  }

  #askAgain(): void {
    const { cursor, rows } = this.#place;
    if (!this.#isConnected || this.#asked !== undefined) return;
    if (rows === undefined) this.#ask('pull', { after: cursor.sequence });
    else this.#ask('rows', { after: rows.after });
  }

  #ask(type: 'pull', more: { readonly after: number }): void;
  #ask(type: 'rows', more: { readonly after: FoldedRow['at'] }): void;
  #ask(type: 'pull' | 'rows', { after }: { readonly after: unknown }): void {
    this.#answered();
    this.#requests += 1;
    const request = this.#requests;
    const stopTimer = this.#context.platform.setTimer(() => this.#events.restart(), ANSWER_TIMEOUT_MS);
    this.#asked = { type, request, stopTimer };
    if (type === 'pull') {
      this.#isBehind = false;
      this.#isFollowing = false;
      this.#toldUpTo = after as number;
      this.#events.send({ type, request, after: after as number, bytesMax: PULL_BYTES, follow: true });
    } else this.#events.send({ type, request, after: after as FoldedRow['at'], bytesMax: ROWS_BYTES });
  }

  #answered(): void {
    this.#asked?.stopTimer();
    this.#asked = undefined;
  }

  #take(waiting: Waiting): void {
    const { message, bytes } = waiting;
    if (message.type === 'deliver' && message.request === 0 && this.#waitingBytes + bytes > WAITING_BYTES_MAX) {
      // Nothing more is taken until that is stored; then it is asked for what was dropped.
      this.#isFollowing = false;
      this.#isBehind = true;
      return;
    }
    this.#waiting.push(waiting);
    this.#waitingBytes += bytes;
    this.#work();
  }

  #work(): void {
    if (this.#isWorking) return;
    this.#isWorking = true;
    this.#workAll().then(
      () => {
        this.#isWorking = false;
      },
      (error) => this.#events.failed(error),
    );
  }

  async #workAll(): Promise<void> {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined) {
        if (this.#isBehind && this.#asked === undefined) this.#askAgain();
        return;
      }
      if (next.message.type === 'deliver') await this.#context.inTurn(() => this.#storeBatches());
      else await this.#context.inTurn(() => this.#storeRows());
    }
  }

  #shift(): Waiting | undefined {
    const waiting = this.#waiting.shift();
    this.#waitingBytes -= waiting?.bytes ?? 0;
    return waiting;
  }

  /** What is left of a message, for the next transaction. */
  #putBack(message: Deliver, bytes: number): void {
    this.#waiting.unshift({ message, bytes });
    this.#waitingBytes += bytes;
  }

  /** As many as are there and make a transaction of a good size. */
  async #storeBatches(): Promise<void> {
    const batches: DeliveredBatch[] = [];
    let sequence = this.#place.cursor.sequence;
    let isAsking = false;
    let rows = 0;
    while (rows < APPLY_ROWS_TARGET && this.#waiting[0]?.message.type === 'deliver') {
      const { message, bytes } = this.#shift() as Waiting & { readonly message: Deliver };
      let taken = 0;
      for (const batch of message.batches) {
        if (rows >= APPLY_ROWS_TARGET) break;
        taken += 1;
        // A batch that is here came again. One that is not the next is behind a gap.
        if (batch.sequence <= sequence) continue;
        if (batch.sequence > sequence + 1) {
          this.#isBehind = true;
          break;
        }
        sequence = batch.sequence;
        rows += batch.changes?.length ?? 0;
        batches.push(batch);
      }
      const rest = message.batches.slice(taken);
      if (rest.length > 0) this.#putBack({ ...message, batches: rest }, (bytes * rest.length) / message.batches.length);
      else isAsking ||= message.request !== 0 && !message.isComplete;
    }
    // A connection that has ended meanwhile may have begun another place.
    if (this.#isBehind) {
      this.#isFollowing = false;
      this.#waiting = [];
      this.#waitingBytes = 0;
    } else if (isAsking && this.#isConnected && this.#asked === undefined) this.#ask('pull', { after: sequence });
    if (sequence === this.#place.cursor.sequence) return;
    await this.#storeUpTo(batches, sequence);
    if (sequence < (this.#headAtStart ?? Number.POSITIVE_INFINITY)) return;
    this.#headAtStart = Number.POSITIVE_INFINITY;
    const { runs } = this.#context;
    runs.set(runs.withoutEnded());
  }

  async #storeUpTo(batches: readonly DeliveredBatch[], sequence: number): Promise<void> {
    const place = atCursor(this.#place, sequence);
    const isOwn = batches.every(({ changes }) => changes === undefined);
    const { runs } = this.#context;
    const told = runs.after(batches);
    if (isOwn && sequence - this.#storedSequence < OWN_UNSTORED_MAX) {
      runs.set(told);
      this.#place = place;
      return;
    }
    const { rows, own } = arrivalsOf(batches, (writer) => runs.runOf(writer));
    const before = this.#place;
    await applyArrivals(this.#context, this.#fold, {
      rows,
      own,
      also: async (tx) => {
        await Promise.all([writePlace(tx, before, place), runs.write(tx, told)]);
      },
    });
    runs.set(told);
    this.#arrive(place);
    this.#events.outboxGrew();
  }

  async #storeRows(): Promise<void> {
    const waiting = this.#shift() as Page | undefined;
    const before = this.#place;
    if (waiting === undefined || before.rows === undefined) return;
    const { message: page, arrivals } = waiting;
    const { kind } = before.rows;
    const place = placeAfter(before, page);
    await applyArrivals(this.#context, this.#fold, {
      rows: arrivals,
      seen: kind === 'all' ? before.cursor.generation : undefined,
      also: (tx) => writePlace(tx, before, place),
    });
    this.#arrive(place);
    this.#events.outboxGrew();
    if (!page.isComplete) return;
    if (place.own !== undefined) await this.#pushOwn();
    this.#askAgain();
  }

  /** States that the log has not told of go into the outbox. In turn. */
  async #pushOwn(): Promise<void> {
    const { store, outbox, limits } = this.#context;
    while (this.#place.own !== undefined) {
      const before = this.#place;
      const draft = outbox.draft();
      const place = await store.transaction(async (tx) => {
        const selector = { id: { $gt: before.own!.after } };
        const states = (await tx.find(SYNC_STATES, selector, { limit: OWN_STATES })) as unknown as StateRow[];
        let bytes = 0;
        const taken = states.filter(({ state }, at) => {
          bytes += state.length;
          return at === 0 || bytes < limits.batchBytesMax / 2;
        });
        const unknown = taken.filter(({ seen }) => seen !== before.cursor.generation);
        draft.entries.length = 0;
        if (unknown.length > 0) draft.add(unknown.map(({ id, state }) => ({ ...rowNameOf(id), update: state })));
        await draft.write(tx);
        const isLast = taken.length === states.length && states.length < OWN_STATES;
        const after = isLast ? { ...before, own: undefined } : pushingOwn(before, taken.at(-1)!.id);
        await writePlace(tx, before, after);
        return after;
      });
      draft.commit();
      this.#arrive(place);
      this.#events.outboxGrew();
    }
  }
}

const ZERO = { sequence: 0, ordinal: 0 };

function placeAfter(place: Place, { rows, isComplete, through }: RowPage): Place {
  const { kind, after, rows: count } = place.rows!;
  if (!isComplete) {
    const stored = { ...place.rows!, after: rows.at(-1)?.at ?? after, rows: count + rows.length };
    return { ...place, rows: stored };
  }
  const complete = { ...atCursor(place, through), rows: undefined };
  return kind === 'all' ? pushingOwn(complete, '') : complete;
}

/** Each row once, with what all batches have of it; and where own batches stand between them. */
function arrivalsOf(
  batches: readonly DeliveredBatch[],
  runOf: (writer: string) => number | undefined,
): Pick<Arrivals, 'rows' | 'own'> {
  const rows = new Map<string, RowArrival & { readonly updates: Uint8Array[]; readonly places: UpdatePlace[] }>();
  const own = new Map<string, number>();
  for (const { changes = [], writer, writerSequence, sequence: at } of batches) {
    const run = runOf(writer);
    if (run !== undefined) own.set(placeKey({ run, sequence: writerSequence }), at);
    const place = { at, isOwn: run !== undefined };
    for (const { collection, key, update } of changes) {
      // No store can hold such a row; the log has it, and it may not be in the way of the others.
      if (nameProblem({ collection, key }) !== undefined) continue;
      const id = rowId(collection, key);
      const known = rows.get(id);
      if (known === undefined) rows.set(id, { name: { collection, key }, updates: [update], places: [place] });
      else {
        known.updates.push(update);
        known.places.push(place);
      }
    }
  }
  return { rows, own };
}

const arrivalOf = ({ collection, key, state, projection }: FoldedRow): RowArrival => ({
  name: { collection, key },
  updates: [state],
  projection: projection === undefined ? undefined : new ToldProjection(projection),
});
