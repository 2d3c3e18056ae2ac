/**
 * What a page has asked and has not been answered: a follower says it again to the next leader, or takes it with it when
 * it becomes leader itself. Calls that go on for long, as live queries do, are kept by themselves.
 */
import { errorToWire } from '../../src/base/store-error.ts';
import {
  type Call,
  type ClientMessage,
  ERROR,
  LIVE_WINDOW,
  MIGRATIONS_OF_STORE,
  OK,
  type Reply,
  ROWS,
  type ServerMessage,
  TABS_OF_STORE,
} from '../../src/protocol/messages.ts';
import { PENDING_NEWS } from '../../src/protocol/sync-worker.ts';
import { callInterrupted, subscriptionInterrupted, transactionInterrupted } from './interrupted.ts';

/** What is told of the store as a whole, and tells all of it each time. */
const OF_STORE: ReadonlySet<string> = new Set([MIGRATIONS_OF_STORE, TABS_OF_STORE, PENDING_NEWS]);

/** Calls that last until somebody ends them. */
const STANDING: ReadonlySet<Call[0]> = new Set(['live', 'subscribe', 'migrate']);
/** Calls that bring rows with the message: they cannot be taken out of it. */
const BRING_ROWS: ReadonlySet<Call[0]> = new Set(['write', 'rows']);
/** Calls that are additions to others. */
const ADDITIONS: ReadonlySet<Call[0]> = new Set(['pull', 'cancel', 'rows', 'unmigrated']);

/** Calls that name a transaction, which is the call that began it. */
const OF_TRANSACTION: ReadonlySet<Call[0]> = new Set(['savepoint', 'rollbackTo', 'lock', 'rollback']);

/** Calls that are done once, and whose answers leaders therefore keep. */
const ONCE: ReadonlySet<Call[0]> = new Set(['write', 'batch', 'plain', 'commit']);

type Kept = { readonly message: ClientMessage; readonly open: Set<number> };

export class Unanswered {
  /** In the order in which they came. */
  #kept: Set<Kept> = new Set();
  readonly #standing: Map<number, Call> = new Map();
  /** Open calls, by where they are kept. */
  readonly #byId: Map<number, Kept[]> = new Map();
  /** Streams of which the page has a part: another leader's rows would not fit to it. */
  readonly #begun: Set<number> = new Set();
  /** Open calls that are done once, ascending. */
  readonly #once: Set<number> = new Set();
  /** Those of them that are only asked after. They were asked for in any order. */
  readonly #recalled: Set<number> = new Set();
  #lastId = 0;

  /** Answers of calls below this number are not needed any more. What reads, or goes on for long, does not hold it up. */
  get done(): number {
    const [first = this.#lastId + 1] = this.#once;
    return Math.min(first, ...this.#recalled);
  }

  /** Whether calls are open that a leader may have done. */
  get hasWrites(): boolean {
    return this.#once.size + this.#recalled.size > 0;
  }

  /** Live queries, with their calls. */
  get live(): ReadonlyMap<number, Call> {
    return new Map([...this.#standing].filter(([, [type]]) => type === 'live'));
  }

  /** Calls that wait for an answer. */
  get ids(): readonly number[] {
    return [...this.#byId.keys(), ...this.#standing.keys()];
  }

  add(message: ClientMessage): void {
    const open = new Set<number>();
    for (const sent of message[0]) {
      const [type, id] = sent;
      if (type === 'cancel') this.#cancelled(id);
      if (STANDING.has(type)) this.#standing.set(id, sent);
      else if (type === 'rows' ? this.#callOf(id)?.[0] === 'batch' : !ADDITIONS.has(type)) open.add(id);
      if (id !== LIVE_WINDOW && !ADDITIONS.has(type)) this.#lastId = Math.max(this.#lastId, id);
      if (ONCE.has(type)) this.#once.add(id);
      else if (type === 'recall') this.#recalled.add(id);
    }
    if (open.size === 0) return;
    const kept = { message, open };
    this.#kept.add(kept);
    for (const id of open) {
      const others = this.#byId.get(id);
      if (others === undefined) this.#byId.set(id, [kept]);
      else others.push(kept);
    }
  }

  /** What the page is told now. */
  note(replies: ServerMessage): void {
    for (const reply of replies) {
      const [id, kind] = reply;
      if (kind === OK || kind === ERROR || (kind === ROWS && reply[3])) this.#settle(id);
      else if (kind === ROWS && this.#byId.has(id)) this.#begun.add(id);
    }
  }

  /**
   * For another leader: everything again, in its order; and what the page is told of calls that cannot be repeated. Results
   * of live queries are told from their beginning.
   */
  forNext(): { readonly messages: readonly ClientMessage[]; readonly replies: readonly Reply[] } {
    const replies: Reply[] = [];
    const recalls: Call[] = [];
    for (const id of [...this.#byId.keys()]) {
      const call = this.#callOf(id)!;
      if (call[0] === 'commit') recalls.push(['recall', id, 'commit']);
      else if (this.#isOfLost(call)) replies.push([id, ERROR, errorToWire(transactionInterrupted())]);
      // The page has checked what another leader asked it to.
      else if (call[0] === 'plain' && this.#begun.has(id)) recalls.push(['recall', id, 'update']);
      else if (this.#begun.has(id)) replies.push([id, ERROR, errorToWire(callInterrupted())]);
    }
    // Changes between the two leaders would be missing; what is not of rows is told as a whole.
    for (const [id, call] of this.#standing) {
      if (call[0] === 'subscribe' && !OF_STORE.has(call[2]))
        replies.push([id, ERROR, errorToWire(subscriptionInterrupted(call[2]))]);
    }
    for (const { open } of this.#kept) for (const [, id] of recalls) open.delete(id);
    this.note(replies);
    for (const [, id] of recalls) {
      this.#byId.delete(id);
      this.#once.delete(id);
    }
    this.#kept = new Set([...this.#kept].filter(({ open }) => open.size > 0));
    const messages: ClientMessage[] = [...this.#standing.values()].map((call) => [[call], undefined]);
    for (const { message, open } of this.#kept) {
      const calls = message[0].filter((call) => open.has(call[1]) || bringsRows(call));
      messages.push([calls, message[1]]);
    }
    if (recalls.length > 0) {
      const message: ClientMessage = [recalls, undefined];
      this.add(message);
      messages.push(message);
    }
    return { messages, replies };
  }

  #callOf(id: number): Call | undefined {
    for (const { message } of this.#byId.get(id) ?? []) {
      const call = message[0].find(([type, of]) => of === id && !ADDITIONS.has(type));
      if (call !== undefined) return call;
    }
    return undefined;
  }

  /** Whether it belongs to a transaction that another leader has begun: of one that nobody has begun, all is said again. */
  #isOfLost(call: Call): boolean {
    const isOfTransaction = call[0] === 'in' || OF_TRANSACTION.has(call[0]);
    return isOfTransaction && !this.#byId.has(call[2] as number);
  }

  #cancelled(id: number): void {
    this.#standing.delete(id);
    // A write that is cancelled is still answered.
    const call = this.#callOf(id);
    if (call !== undefined && !BRING_ROWS.has(call[0]) && call[0] !== 'plain' && call[0] !== 'batch') this.#settle(id);
  }

  #settle(id: number): void {
    this.#standing.delete(id);
    this.#begun.delete(id);
    this.#once.delete(id);
    this.#recalled.delete(id);
    const places = this.#byId.get(id);
    if (places === undefined) return;
    this.#byId.delete(id);
    for (const kept of places) {
      kept.open.delete(id);
      if (kept.open.size === 0) this.#kept.delete(kept);
    }
  }
}

const bringsRows = (sent: Call): boolean => BRING_ROWS.has(sent[0] === 'in' ? sent[3][0] : sent[0]);
