/**
 * Documents of rows that tabs have open in an editor (`store.doc()`). What is changed in one is stored here: state, row
 * and a batch for the relay in one transaction, so nothing is left to fold. What anybody else does to the row, the tabs
 * are told from its state.
 *
 * EDIT-1: a change that was answered is stored, once, however often it was said. EDIT-2: the row is what its document
 * says, from the same commit on. EDIT-3: an open document gets whatever is stored of its row, whoever has done it.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { type Refusal, SYNC_STATES, type SyncNews } from '../../src/protocol/sync-worker.ts';
import { missingFrom, RowDocument, stateVectorOf } from '../documents/index.ts';
import type { Fold } from './fold.ts';
import type { HeldDraft } from './held-rows.ts';
import { nameProblem, putLocal, readDocument } from './local-change.ts';
import { ownAfter } from './own-runs.ts';
import { rowId } from './row-id.ts';
import { type LoadedRow, loadRows, type StateRow, storeRows } from './row-store.ts';
import type { StoreVerbs } from './store-client.ts';
import type { SyncContext } from './sync-context.ts';
import { isSame, isSound } from './updates.ts';

type Said = Extract<SyncNews, { readonly type: 'document' }>;

/** Rows that tabs of this device have open. Each is a subscription. */
const ROWS_MAX = 1_000;
/** A tab says every 20 s what it has open, a hidden one once a minute at least. */
const LEASE_MS = 150_000;
const SWEEP_MS = 30_000;
/** Attempts to store a change of a row that is changed again and again meanwhile. */
const FOLDS_MAX = 50;
const NOTHING: Uint8Array = Uint8Array.of(0);

type OpenRow = {
  readonly heardAt: Map<string, number>;
  /** What all of them have; undefined before the first answer. */
  vector: Uint8Array | undefined;
  readonly stopWatch: () => void;
};

export interface OpenDocumentsEvents {
  tell(news: SyncNews): void;
  outboxGrew(): void;
  failed(error: unknown): void;
}

export class OpenDocuments {
  readonly #context: SyncContext;
  readonly #fold: Fold;
  readonly #events: OpenDocumentsEvents;
  readonly #rows = new Map<string, OpenRow>();
  #stopTimer: () => void = () => {};
  #state: 'new' | 'open' | 'ended' = 'new';

  constructor(context: SyncContext, fold: Fold, events: OpenDocumentsEvents) {
    this.#context = context;
    this.#fold = fold;
    this.#events = events;
  }

  /** Tabs say again what they have open, and what was not answered. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'open';
    this.#events.tell({ type: 'ask' });
    this.#sweep();
  }

  stop(): void {
    this.#state = 'ended';
    this.#stopTimer();
    for (const { stopWatch } of this.#rows.values()) stopWatch();
    this.#rows.clear();
  }

  heard(said: Said): void {
    if (this.#state !== 'open') return;
    const name = { collection: said.collection, key: said.key };
    const refusal = this.#refusalOf(said, name);
    if (refusal !== undefined) return this.#answer(said, { refusal });
    const id = rowId(said.collection, said.key);
    // First: what is stored between the answer and the watch would not be told.
    this.#register(id, said.document);
    this.#context
      .inTurn(() => this.#take(said, id, name))
      .catch((error) => {
        if (this.#state === 'open') this.#events.failed(error);
      });
  }

  #refusalOf({ collection, update }: Said, name: RowName): Refusal | undefined {
    if (!this.#context.collections.has(collection)) {
      return { code: 'collection/unknown', message: `There is no synchronised collection ${collection}.` };
    }
    const problem = nameProblem(name);
    if (problem !== undefined) return { code: 'sync/unfit-value', message: problem };
    if (update !== undefined && !isSound(update)) {
      return { code: 'sync/invalid-update', message: 'What was changed in the document is more than may travel.' };
    }
    const isFull = this.#rows.size >= ROWS_MAX && !this.#rows.has(rowId(collection, name.key));
    return isFull ? { code: 'sync/too-many-documents', message: `${ROWS_MAX} documents are open.` } : undefined;
  }

  async #take(said: Said, id: string, name: RowName): Promise<void> {
    if (this.#state !== 'open') return;
    const stored = await this.#store(id, name, said.update);
    const isOpening = said.vector.length === NOTHING.length;
    if (stored === undefined || (isOpening && !stored.isThere)) {
      this.#unregister(id, said.document);
      const message = `There is no row ${JSON.stringify(name.key)} in ${name.collection}, or none that can travel.`;
      return this.#answer(said, { refusal: { code: 'sync/no-row', message } });
    }
    const open = this.#rows.get(id);
    if (open !== undefined) open.vector ??= stateVectorOf(stored.state);
    this.#answer(said, { update: missingFrom(stored.state, said.vector), number: said.number });
    if (said.isLast === true) this.#unregister(id, said.document);
  }

  /**
   * Stores a change, when there is one that is not stored yet. Answers the state, or undefined when the row has never
   * been. A row with changes of the application that are not folded is folded first, with their commits (PULL-2).
   */
  async #store(id: string, name: RowName, update: Uint8Array | undefined): Promise<Stored | undefined> {
    const { store, outbox, held } = this.#context;
    for (let folds = 0; ; folds++) {
      const attempt = await store.transaction(
        async (tx) => {
          const drafts = { outbox: outbox.draft(), held: held.draft() };
          const loaded = await loadRows(tx, new Map([[id, name]]), this.#context.collections);
          return { ...drafts, ...(await this.#merge(tx, { ...loaded.get(id)!, id, update, ...drafts })) };
        },
        { isOwn: true },
      );
      if (attempt.type === 'absent') return undefined;
      if (attempt.type === 'merged') {
        attempt.outbox.commit();
        attempt.held.commit();
        if (attempt.outbox.entries.length === 0) return attempt;
        // Of a batch that the relay has refused, all goes along with the next change.
        const names = new Map([[id, name]]);
        if (outbox.refusedWith(names.keys()).entries.size > 0) await this.#fold.foldUnmarked(names);
        this.#events.outboxGrew();
        return attempt;
      }
      if (folds === FOLDS_MAX) throw new StoreError('sync/failed', `Row ${id} is changed without end.`);
      while (await this.#fold.step());
      if (folds > 0) await this.#fold.foldUnmarked(new Map([[id, name]]));
      this.#events.outboxGrew();
    }
  }

  async #merge(
    tx: StoreVerbs,
    edit: LoadedRow & {
      readonly id: string;
      readonly update: Uint8Array | undefined;
      readonly outbox: ReturnType<SyncContext['outbox']['draft']>;
      readonly held: HeldDraft;
    },
  ): Promise<Merged> {
    const { id, name, row, state, update } = edit;
    if (row === undefined && state === undefined) return { type: 'absent' };
    const { clientId, collections, held } = this.#context;
    const { fields: types, key: keyField } = collections.get(name.collection)!;
    const open = (): RowDocument => new RowDocument({ name, types, keyField, clientId, state: state?.state });
    const local = localOf(open(), row, held.get(id));
    if (local === 'unfolded') return { type: 'unfolded' };
    // A row that was never folded, and cannot be: it holds what cannot travel.
    const before = state?.state;
    if (update === undefined)
      return before === undefined ? { type: 'absent' } : { type: 'merged', state: before, isThere: row !== undefined };
    const document = open();
    document.apply(update);
    const after = document.state;
    if (before !== undefined && isSame(before, after)) return { type: 'merged', state: after, isThere: true };
    const own = ownAfter(this.#context.runs, state, edit.outbox.nextSequence);
    const stateRow: StateRow = { ...state, id, state: after, own };
    await tx.put(SYNC_STATES, [stateRow as unknown as Row]);
    if (local === 'folded') await writeRow(tx, edit, document);
    edit.outbox.add([{ ...name, update }]);
    await Promise.all([edit.outbox.write(tx), edit.held.write(tx)]);
    return { type: 'merged', state: after, isThere: true };
  }

  #answer({ document }: Said, more: Omit<Extract<SyncNews, { type: 'document-told' }>, 'type' | 'documents'>): void {
    if (this.#state === 'open') this.#events.tell({ type: 'document-told', documents: [document], ...more });
  }

  #register(id: string, document: string): void {
    const { store, platform } = this.#context;
    const known = this.#rows.get(id);
    const open: OpenRow = known ?? {
      heardAt: new Map(),
      vector: undefined,
      stopWatch: store.watch(
        SYNC_STATES,
        (events) => this.#changed(id, events.at(-1)?.row),
        (error) => this.#state === 'open' && this.#events.failed(error),
        { id },
      ),
    };
    if (known === undefined) this.#rows.set(id, open);
    open.heardAt.set(document, platform.now());
  }

  #unregister(id: string, document: string): void {
    const open = this.#rows.get(id);
    open?.heardAt.delete(document);
    if (open === undefined || open.heardAt.size > 0) return;
    open.stopWatch();
    this.#rows.delete(id);
  }

  /** A commit has changed the state. */
  #changed(id: string, row: Row | undefined): void {
    const open = this.#rows.get(id);
    const state = row?.['state'];
    if (open === undefined || !(state instanceof Uint8Array)) return;
    const update = missingFrom(state, open.vector ?? NOTHING);
    open.vector = stateVectorOf(state);
    this.#events.tell({ type: 'document-told', documents: [...open.heardAt.keys()], update });
  }

  /** Tabs that were ended say nothing of it. */
  #sweep(): void {
    const { platform } = this.#context;
    this.#stopTimer = platform.setTimer(() => {
      const since = platform.now() - LEASE_MS;
      for (const [id, { heardAt }] of [...this.#rows]) {
        for (const [document, at] of [...heardAt]) if (at < since) this.#unregister(id, document);
      }
      this.#sweep();
    }, SWEEP_MS);
  }
}

/** What is stored now. `isThere`: there is a row, and not only a state that says that it was deleted. */
type Stored = { readonly state: Uint8Array; readonly isThere: boolean };
type Merged = { readonly type: 'absent' | 'unfolded' } | ({ readonly type: 'merged' } & Stored);

/** The row as the document has it; or it stays, held aside. */
async function writeRow(
  tx: StoreVerbs,
  { id, name, row, held }: LoadedRow & { readonly id: string; readonly held: HeldDraft },
  document: RowDocument,
): Promise<void> {
  const read = readDocument(document);
  if (read instanceof StoreError) {
    held.hold(name, row, { code: read.code, message: read.message });
    return;
  }
  const refused = deepEqual(read, row) ? undefined : await storeRows(tx, [{ id, name, row: read, before: row }]);
  const reason = refused?.get(id);
  if (reason === undefined) held.release(id);
  else held.hold(name, row, reason);
}

/** Whether the row holds more than its state. Changes the document: it is used no more. */
function localOf(
  document: RowDocument,
  row: Row | undefined,
  held: Parameters<typeof putLocal>[2],
): 'folded' | 'unfolded' | 'unfit' {
  try {
    return putLocal(document, row, held) === undefined ? 'folded' : 'unfolded';
  } catch (error) {
    if (error instanceof StoreError && error.code === 'sync/unfit-value') return 'unfit';
    throw error;
  }
}
