/**
 * Local commits become batches: `$sync.changes` is read, states are brought to what the rows hold, and what that changes
 * goes into the outbox; all in one transaction of the engine, so that a worker that is killed has done it or not.
 *
 * FOLD-1: a batch has whole commits, and each row of it as one update. FOLD-2: what is folded is what is committed: the
 * transaction reads entries after it has begun, and loses the race against whoever changes one of its rows meanwhile.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { BATCH_CHANGES_MAX, type RowChange, type RowName } from '../../src/protocol/sync/index.ts';
import { type ChangesRow, SYNC_CHANGES, SYNC_OUTBOX, SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import { freshRow, RowDocument } from '../documents/index.ts';
import { changeTimes, hasTimes } from './change-times.ts';
import { type Group, planFold } from './fold-plan.ts';
import type { HeldDraft } from './held-rows.ts';
import { nameProblem, putLocal, readDocument } from './local-change.ts';
import type { OutboxDraft, OutboxEntry } from './outbox.ts';
import { addOwn, asOne, type OwnChange } from './own-runs.ts';
import { rowId } from './row-id.ts';
import { type LoadedRow, loadRows, type RowWrite, type StateRow, storeRows } from './row-store.ts';
import type { StoreVerbs } from './store-client.ts';
import type { SyncContext } from './sync-context.ts';

/** Rows that one transaction folds, unless one batch alone has more. */
const ROWS_TARGET = 2_000;
/** Of a long backlog, which is read and planned anew for each transaction, a part; within what the engine does at once. */
const BACKLOG_SHARE = 0.1;
const BACKLOG_ROWS_MAX = 10_000;
/** Rows of one batch. With their states it is what one transaction of the engine can hold. */
const BATCH_ROWS_MAX: number = Math.min(BATCH_CHANGES_MAX, 150_000);
/** Names that are looked at for commits that share rows. Behind them a commit may be folded apart from an earlier one. */
const NAMES_MAX = 400_000;
const ENTRIES_PAGE = 1_000;
/** Below all numbers of entries. */
const NO_ENTRY = -1;
/** Of what the relay takes, for the heads of frames. */
const BATCH_SHARE = 0.95;
/** Beside the update itself: its row's name and lengths. */
const CHANGE_OVERHEAD = 32;

export class Fold {
  readonly #context: SyncContext;

  constructor(context: SyncContext) {
    this.#context = context;
  }

  /** Folds some commits, oldest first. Answers whether there was something to fold. */
  async step(): Promise<boolean> {
    const { store } = this.#context;
    if ((await store.find(SYNC_CHANGES, {}, { limit: 1, project: { id: 1 } })).length === 0) return false;
    const attempt = await this.#transaction((entries, { outbox }) =>
      chosen(planFold(entries, (rows) => outbox.refusedWith(rows))),
    );
    attempt.commit();
    return attempt.hasFolded;
  }

  /**
   * Folds rows that no entry names and that hold something else than their state: what wrote them was not marked. For the
   * pull, which must not take over a row with changes that nobody has been told of. Those that are named are left to
   * `step`: they leave with their commits.
   */
  async foldUnmarked(names: ReadonlyMap<string, RowName>): Promise<void> {
    const attempt = await this.#transaction((entries, { outbox }) => {
      const named = new Set(entries.flatMap((entry) => entry.rows.map(([collection, key]) => rowId(collection, key))));
      const rows = new Map([...names].filter(([id]) => !named.has(id)));
      const refused = outbox.refusedWith(rows.keys());
      // Of a refused batch that the next step takes along.
      if ([...refused.rows.keys()].some((id) => named.has(id))) return [];
      return [{ entries: [], rows, refusedRows: refused.rows, refusedEntries: refused.entries }];
    });
    attempt.commit();
  }

  async #transaction(
    plan: (entries: readonly ChangesRow[], context: SyncContext) => readonly Group[],
  ): Promise<FoldAttempt> {
    const { store, outbox, held } = this.#context;
    return store.transaction(async (tx) => {
      // A repeated attempt waits for locks and takes its snapshot after that: any read of it tells that it has.
      await tx.getMany(SYNC_CHANGES, [NO_ENTRY]);
      // Not inside: every commit adds an entry, and this transaction does not care for those that come later. One that
      // it must not miss was visible before it began; one that it should not know yet is deleted in vain, and clashes.
      const groups = plan(await readEntries(store), this.#context);
      const attempt = new FoldAttempt(this.#context, tx, outbox.draft(), held.draft());
      await attempt.fold(groups);
      return attempt;
    });
  }
}

async function readEntries(store: StoreVerbs): Promise<readonly ChangesRow[]> {
  const entries: ChangesRow[] = [];
  let names = 0;
  for (let after = NO_ENTRY; names < NAMES_MAX; ) {
    const page = (await store.find(
      SYNC_CHANGES,
      { id: { $gt: after } },
      { limit: ENTRIES_PAGE },
    )) as unknown as ChangesRow[];
    for (const entry of page) {
      entries.push(entry);
      names += entry.rows.length;
      after = entry.id;
    }
    if (page.length < ENTRIES_PAGE) break;
  }
  return entries;
}

/** As many groups as one transaction should take; one at least. */
function chosen(groups: readonly Group[]): readonly Group[] {
  const all = groups.reduce((sum, group) => sum + group.rows.size, 0);
  const target = Math.max(ROWS_TARGET, Math.min(all * BACKLOG_SHARE, BACKLOG_ROWS_MAX));
  let rows = 0;
  const end = groups.findIndex((group) => {
    rows += group.rows.size + group.refusedRows.size;
    return rows > target;
  });
  return end === -1 ? groups : groups.slice(0, Math.max(end, 1));
}

type Folded = { readonly change: RowChange | undefined; readonly isUnfit: boolean };

/** One attempt of the transaction. What it has found out counts once it is stored. */
class FoldAttempt {
  readonly #context: SyncContext;
  readonly #tx: StoreVerbs;
  readonly #outbox: OutboxDraft;
  readonly #held: HeldDraft;
  readonly #states: StateRow[] = [];
  readonly #writes: RowWrite[] = [];
  readonly #doneEntries: number[] = [];
  readonly #restEntries: ChangesRow[] = [];
  readonly #superseded: number[] = [];
  readonly #unfitEntries: OutboxEntry[] = [];
  #problem = '';
  #groups = 0;

  constructor(context: SyncContext, tx: StoreVerbs, outbox: OutboxDraft, held: HeldDraft) {
    this.#context = context;
    this.#tx = tx;
    this.#outbox = outbox;
    this.#held = held;
  }

  get hasFolded(): boolean {
    return this.#groups > 0;
  }

  async fold(groups: readonly Group[]): Promise<void> {
    this.#groups = groups.length;
    const { collections } = this.#context;
    const names = new Map<string, RowName>();
    for (const { rows, refusedRows } of groups) {
      for (const all of [refusedRows, rows]) {
        // A collection that is synchronised no more has nothing to fold.
        for (const [id, name] of all) {
          if (collections.has(name.collection) && nameProblem(name) === undefined) names.set(id, name);
        }
      }
    }
    const loaded = await loadRows(this.#tx, names, collections);
    for (const group of groups) this.#foldGroup(group, loaded);
    await this.#write();
  }

  commit(): void {
    const { outbox } = this.#context;
    this.#outbox.commit();
    this.#held.commit();
    for (const entry of this.#superseded) outbox.forgetRefused(entry);
    for (const entry of this.#unfitEntries) outbox.noteRefused(entry);
  }

  #foldGroup(group: Group, loaded: ReadonlyMap<string, LoadedRow>): void {
    const changes: RowChange[] = [];
    const unfit: (readonly [string, RowName['key']])[] = [];
    const bytesMax = this.#context.limits.batchBytesMax * BATCH_SHARE;
    let bytes = 0;
    const folded = new Set<string>();
    const all = new Map([...group.refusedRows, ...group.rows]);
    for (const [id, name] of all) {
      const row = loaded.get(id);
      if (row === undefined) {
        this.#leaveOut(name, unfit);
        folded.add(id);
        continue;
      }
      const before = this.#states.length;
      const writesBefore = this.#writes.length;
      const { change, isUnfit } = this.#foldRow(id, row, group.refusedRows.has(id));
      const size = change === undefined ? 0 : change.update.length + 4 * id.length + CHANGE_OVERHEAD;
      if (folded.size > 0 && (bytes + size > bytesMax || folded.size >= BATCH_ROWS_MAX)) {
        this.#states.length = before;
        this.#writes.length = writesBefore;
        break;
      }
      bytes += size;
      folded.add(id);
      if (change !== undefined) changes.push(change);
      if (isUnfit) unfit.push([name.collection, name.key]);
    }
    this.#finish(group, folded, folded.size === all.size);
    // Of a batch that is not sent, the changes wait for the next one that has these rows.
    if (unfit.length > 0) {
      this.#outbox.add(changes, { unfit, refusal: { code: 'sync/unfit-value', message: this.#problem } });
      this.#unfitEntries.push(this.#outbox.entries.at(-1)!);
    } else if (changes.length > 0) this.#outbox.add(changes);
  }

  /**
   * Which entries are done. A group beyond what the relay takes in one batch leaves in several: rather seen in parts for a
   * moment than never. The rows that are left stay in their entries.
   */
  #finish({ entries, refusedEntries, refusedRows }: Group, folded: ReadonlySet<string>, isWhole: boolean): void {
    if (isWhole || [...refusedRows.keys()].every((id) => folded.has(id))) this.#superseded.push(...refusedEntries);
    if (isWhole) {
      for (const { id } of entries) this.#doneEntries.push(id);
      return;
    }
    for (const entry of entries) {
      const rest = entry.rows.filter(([collection, key]) => !folded.has(rowId(collection, key)));
      if (rest.length > 0) {
        if (rest.length < entry.rows.length) this.#restEntries.push({ ...entry, rows: rest });
        return;
      }
      this.#doneEntries.push(entry.id);
    }
  }

  /** Of a row that cannot travel at all. */
  #leaveOut(name: RowName, unfit: (readonly [string, RowName['key']])[]): void {
    const problem = this.#context.collections.has(name.collection) ? nameProblem(name) : undefined;
    if (problem === undefined) return;
    this.#problem ||= `${name.collection} ${JSON.stringify(name.key).slice(0, 100)}: ${problem}`;
    unfit.push([name.collection, name.key]);
  }

  #foldRow(id: string, { name, row, state }: LoadedRow, isWhole: boolean): Folded {
    const { clientId, collections, held } = this.#context;
    const { fields: types, key: keyField } = collections.get(name.collection)!;
    // Made and deleted before anybody heard of it.
    if (row === undefined && state === undefined) return { change: undefined, isUnfit: false };
    const isPlain = Object.keys(types).length === 0 && !hasTimes(this.#context, name.collection);
    if (state === undefined && held.get(id) === undefined && isPlain) {
      return this.#foldFresh(id, name, row!);
    }
    const document = new RowDocument({ name, types, keyField, clientId, state: state?.state });
    let update: Uint8Array | undefined;
    try {
      update = putLocal(document, row, held.get(id), changeTimes(this.#context, name.collection, document));
    } catch (error) {
      return this.#unfit(name, error);
    }
    if (update === undefined && !isWhole) return { change: undefined, isUnfit: false };
    const after = document.state;
    this.#states.push({ ...state, id, state: after, own: this.#ownAfter(state, isWhole) });
    // As every device reads it: sets are sorted, and what was held aside may fit by now.
    const read = readDocument(document);
    const isReadable = read !== undefined && !(read instanceof StoreError);
    if (isReadable && !deepEqual(read, row)) this.#writes.push({ id, name, row: read, before: row });
    return { change: { ...name, update: isWhole ? after : update! }, isUnfit: false };
  }

  /** Of a row that nobody has heard of: most of those that a collection has when it is synchronised first. */
  #foldFresh(id: string, name: RowName, row: Row): Folded {
    let state: Uint8Array | undefined;
    try {
      state = freshRow(row, this.#context.clientId);
    } catch (error) {
      return this.#unfit(name, error);
    }
    if (state === undefined) return { change: undefined, isUnfit: false };
    this.#states.push({ id, state, own: this.#ownAfter(undefined, false) });
    return { change: { ...name, update: state }, isUnfit: false };
  }

  /** Own changes that the log does not have yet, with the one that goes into the next batch. */
  #ownAfter(before: StateRow | undefined, isWhole: boolean): readonly OwnChange[] {
    const { runs } = this.#context;
    const own = (before?.own ?? []).filter((change) => !runs.isSettled(change));
    const change = { run: runs.current, sequence: this.#outbox.nextSequence, before: before?.state };
    return isWhole ? asOne(own, change) : addOwn(own, change);
  }

  #unfit(name: RowName, error: unknown): Folded {
    if (!(error instanceof StoreError) || error.code !== 'sync/unfit-value') throw error;
    this.#problem ||= `${name.collection} ${JSON.stringify(name.key)}: ${error.message}`;
    return { change: undefined, isUnfit: true };
  }

  async #write(): Promise<void> {
    const tx = this.#tx;
    const refused = await storeRows(tx, this.#writes);
    for (const { id, name, before } of this.#writes) {
      const reason = refused.get(id);
      if (reason === undefined) this.#held.release(id);
      else this.#held.hold(name, before, reason);
    }
    await Promise.all([
      tx.put(SYNC_STATES, this.#states as unknown as Row[]),
      this.#outbox.write(tx),
      this.#held.write(tx),
      this.#restEntries.length > 0 ? tx.put(SYNC_CHANGES, this.#restEntries as unknown as Row[]) : undefined,
      this.#doneEntries.length > 0 ? tx.delete(SYNC_CHANGES, this.#doneEntries) : undefined,
      this.#superseded.length > 0 ? tx.delete(SYNC_OUTBOX, this.#superseded) : undefined,
    ]);
  }
}
