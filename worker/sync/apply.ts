/**
 * Changes of other devices are taken over: merged into the states, and the rows stored as the merged documents have
 * them; all rows of whole batches, their states and the place in the log in one transaction (R20).
 *
 * PULL-1: what the application reads has whole batches in it. PULL-2: a row with changes that are not in the outbox yet
 * is folded first: they are part of a commit, which leaves whole. PULL-3: a row that this store refuses is held aside, and
 * the rest goes on.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import { RowDocument, rowOfProjection } from '../documents/index.ts';
import { ConflictAnswers } from './conflict-answers.ts';
import { type InboxDraft, writeInbox } from './conflict-inbox.ts';
import { mergeArrived, type UpdatePlace } from './conflict-merge.ts';
import type { Question } from './conflict-rules.ts';
import type { Fold } from './fold.ts';
import type { HeldDraft } from './held-rows.ts';
import { putLocal, readDocument } from './local-change.ts';
import type { OutboxDraft } from './outbox.ts';
import type { OwnChange } from './own-runs.ts';
import { type LoadedRow, loadRows, type RowWrite, type StateRow, storeRows } from './row-store.ts';
import type { StoreVerbs } from './store-client.ts';
import type { SyncContext } from './sync-context.ts';
import { isSame, isSound } from './updates.ts';

/** What comes for one row. */
export type RowArrival = {
  readonly name: RowName;
  readonly updates: readonly Uint8Array[];
  /** Places of their batches in the log, when they have any: a whole state has none. */
  readonly places?: readonly UpdatePlace[] | undefined;
  /** Of a whole state: the plain fields, when the relay can tell them. */
  readonly projection?: ToldProjection | undefined;
};

/** A projection, read once: when it comes, while an earlier page is stored. */
export class ToldProjection {
  readonly #bytes: Uint8Array;
  #types: FieldTypes | undefined;
  #row: Row | null | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** As `rowOfProjection`. */
  row(types: FieldTypes): Row | null | undefined {
    if (this.#types === types) return this.#row;
    this.#types = types;
    this.#row = rowOfProjection(this.#bytes, types);
    return this.#row;
  }
}

export type Arrivals = {
  readonly rows: ReadonlyMap<string, RowArrival>;
  /** The relay has told all that it has of these rows, in the log of this generation. */
  readonly seen?: number | undefined;
  /** A state without a row is of a row that was never stored here, and not of one that was deleted. */
  readonly isAdoption?: boolean | undefined;
  /** Places of own batches in the log that were told in between, by run and sequence. */
  readonly own?: ReadonlyMap<string, number> | undefined;
  /** What else is to be stored with it. */
  readonly also: (tx: StoreVerbs) => Promise<void>;
};

/** Rows in which something is changed again and again just when others' changes are to be stored: then one by one. */
const FOLDS_MAX = 5;

/** In turn. Of rows whose keys a store can hold (`nameProblem`). */
export async function applyArrivals(context: SyncContext, fold: Fold, arrivals: Arrivals): Promise<void> {
  const { store, outbox, held, collections } = context;
  const names = new Map([...arrivals.rows].map(([id, { name }]) => [id, name]));
  const answers = new ConflictAnswers(context.askPage);
  for (let attempts = 0; ; attempts++) {
    const attempt = await store.transaction(async (tx) => {
      const parts = { ...arrivals, outbox: outbox.draft(), held: held.draft(), answers };
      const made = new ApplyAttempt(context, tx, parts);
      for (const [id, loaded] of await loadRows(tx, names, collections)) made.take(id, loaded, arrivals.rows.get(id)!);
      if (made.isReady) {
        await made.write();
        await arrivals.also(tx);
      }
      return made;
    });
    if (attempt.isReady) return attempt.commit();
    // Outside: a page may take a while, and its locks would be in everybody's way.
    await answers.ask(attempt.questions);
    if (attempt.unfolded.size === 0) continue;
    while (await fold.step());
    // Not marked: the collection was not synchronised when it was written, or is being enrolled.
    if (attempts > 0) await fold.foldUnmarked(attempt.unfolded);
    if (attempts >= FOLDS_MAX) await new Promise<void>((resolve) => context.platform.setTimer(resolve, attempts));
  }
}

class ApplyAttempt {
  /** Rows that hold what their state does not know. */
  readonly unfolded = new Map<string, RowName>();
  /** For the application, before anything is stored. */
  readonly questions: Question[] = [];
  readonly #context: SyncContext;
  readonly #tx: StoreVerbs;
  readonly #outbox: OutboxDraft;
  readonly #held: HeldDraft;
  readonly #answers: ConflictAnswers;
  readonly #own: ReadonlyMap<string, number>;
  readonly #seen: number | undefined;
  readonly #isAdoption: boolean;
  readonly #states: StateRow[] = [];
  readonly #writes: RowWrite[] = [];
  /** What conflicts came to, where documents made something else of it. */
  readonly #resolved: (RowName & { readonly update: Uint8Array })[] = [];
  readonly #inbox: InboxDraft[] = [];
  /** States that have something in them that the relay has not. */
  readonly #more: (RowName & { readonly update: Uint8Array })[] = [];

  constructor(
    context: SyncContext,
    tx: StoreVerbs,
    parts: Pick<Arrivals, 'seen' | 'isAdoption' | 'own'> & {
      readonly outbox: OutboxDraft;
      readonly held: HeldDraft;
      readonly answers: ConflictAnswers;
    },
  ) {
    this.#context = context;
    this.#tx = tx;
    this.#outbox = parts.outbox;
    this.#held = parts.held;
    this.#answers = parts.answers;
    this.#own = parts.own ?? new Map();
    this.#seen = parts.seen;
    this.#isAdoption = parts.isAdoption === true;
  }

  get isReady(): boolean {
    return this.unfolded.size === 0 && this.questions.length === 0;
  }

  take(id: string, loaded: LoadedRow, arrival: RowArrival): void {
    if (!this.#adopt(id, loaded, arrival)) this.#merge(id, loaded, arrival);
  }

  commit(): void {
    this.#outbox.commit();
    this.#held.commit();
  }

  /** A row that is not here yet, whose fields the relay tells: its state need not be opened. */
  #adopt(id: string, { name, row, state }: LoadedRow, { projection, updates }: RowArrival): boolean {
    if (projection === undefined || row !== undefined || state !== undefined) return false;
    const synced = this.#context.collections.get(name.collection);
    const adopted = synced === undefined ? null : projection.row(synced.fields);
    if (adopted === undefined || (adopted && adopted[synced!.key] !== name.key)) return false;
    if (adopted !== null) this.#writes.push({ id, name, row: adopted, before: undefined });
    this.#states.push(this.#stateRow(id, updates[0]!, undefined, []));
    return true;
  }

  #merge(id: string, { name, row, state }: LoadedRow, arrival: RowArrival): void {
    const { updates } = arrival;
    const { clientId, collections, held } = this.#context;
    const synced = collections.get(name.collection);
    const document = new RowDocument({
      name,
      types: synced?.fields ?? {},
      keyField: synced?.key,
      clientId,
      state: state?.state,
    });
    const local = synced === undefined ? 'folded' : this.#localOf(document, id, row, state);
    if (local === 'unfolded') {
      this.unfolded.set(id, name);
      return;
    }
    const before = local === 'unfit' ? readDocument(document) : undefined;
    const own = local === 'folded' && synced !== undefined ? this.#mergeOwn(name, document, arrival, state) : [];
    if (own === undefined) return;
    if (local !== 'folded' || synced === undefined)
      for (const update of updates) if (isSound(update)) document.apply(update);
    const merged = document.state;
    if (state === undefined || this.#seen !== undefined || !isSame(merged, state.state) || own.length > 0) {
      this.#states.push(this.#stateRow(id, merged, state, own));
    }
    if (this.#seen !== undefined && !isSame(merged, updates[0]!)) this.#more.push({ ...name, update: merged });
    if (synced === undefined) return;
    if (local === 'unfit') {
      // What others have must not take its place: nobody else has it. It goes on when it is made to fit.
      const base = held.get(id)?.base ?? (before instanceof StoreError ? undefined : before);
      this.#held.hold(name, base ?? undefined, { code: 'sync/unfit-value', message: 'It holds what cannot travel.' });
      return;
    }
    const read = readDocument(document);
    if (read instanceof StoreError) {
      this.#held.hold(name, row, { code: read.code, message: read.message });
    } else if (!deepEqual(read, row)) this.#writes.push({ id, name, row: read, before: row });
    else if (held.get(id) !== undefined) this.#held.release(id);
  }

  /** Merges, with own changes minded. Undefined while the application has to be asked. */
  #mergeOwn(
    name: RowName,
    document: RowDocument,
    { updates, places }: RowArrival,
    state: StateRow | undefined,
  ): readonly OwnChange[] | undefined {
    const arrived = updates
      .map((update, place) => ({ update, ...places?.[place] }))
      .filter(({ update }) => isSound(update));
    const { own, update, inbox, questions } = mergeArrived({
      context: this.#context,
      name,
      document,
      // A log that was lost is told again by all devices, each row by itself: nothing in it is before or behind something.
      own: this.#seen === undefined ? (state?.own ?? []) : [],
      arrived,
      placeOf: (change) => this.#own.get(placeKey(change)),
      nextSequence: this.#outbox.nextSequence,
      answerTo: (question) => this.#answers.to(question),
    });
    this.questions.push(...questions);
    if (questions.length > 0) return undefined;
    if (update !== undefined) this.#resolved.push({ ...name, update });
    this.#inbox.push(...inbox);
    return own;
  }

  /** Whether the row holds more than its state. Changes the document only when it does: it is used no more then. */
  #localOf(
    document: RowDocument,
    id: string,
    row: Row | undefined,
    state: StateRow | undefined,
  ): 'folded' | 'unfolded' | 'unfit' {
    if (row === undefined && (state === undefined || this.#isAdoption)) return 'folded';
    try {
      return putLocal(document, row, this.#context.held.get(id)) === undefined ? 'folded' : 'unfolded';
    } catch (error) {
      if (error instanceof StoreError && error.code === 'sync/unfit-value') return 'unfit';
      throw error;
    }
  }

  #stateRow(id: string, state: Uint8Array, before: StateRow | undefined, own: readonly OwnChange[]): StateRow {
    const seen = this.#seen ?? before?.seen;
    return { id, state, ...(seen === undefined ? {} : { seen }), ...(own.length === 0 ? {} : { own }) };
  }

  async write(): Promise<void> {
    const tx = this.#tx;
    const refused = await storeRows(tx, this.#writes);
    for (const { id, name, before } of this.#writes) {
      const reason = refused.get(id);
      if (reason === undefined) this.#held.release(id);
      else this.#held.hold(name, before, reason);
    }
    // First, as `nextSequence` has said.
    if (this.#resolved.length > 0) this.#outbox.add(this.#resolved);
    if (this.#more.length > 0) this.#outbox.add(this.#more);
    await Promise.all([
      tx.put(SYNC_STATES, this.#states as unknown as Row[]),
      this.#outbox.write(tx),
      this.#held.write(tx),
      writeInbox(tx, this.#inbox, this.#context.platform.wallClock()),
    ]);
  }
}

export const placeKey = ({ run, sequence }: Pick<OwnChange, 'run' | 'sequence'>): string => `${run} ${sequence}`;
