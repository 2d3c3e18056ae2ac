/**
 * The store as one transaction sees it: what was visible at its beginning, with its own changes, in trees of its own that
 * share every node they have not changed. So all reads, plans and checks of the engine work on it as they are.
 *
 * What was changed is kept in a journal, in order. Going back to a savepoint shortens the journal and plays the rest
 * again; so does moving on to a later snapshot.
 */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { MaybePromise } from '../../src/protocol/engine-api.ts';
import { CollectionState, type IndexState } from '../indexes/index.ts';
import { ForkedSpace, type Tree, type TreeState } from '../pages/index.ts';
import type { StoreState } from './store-state.ts';
import { applyWrite, type PreparedWrite, presentRows, type RowChange } from './write-task.ts';

/** Changes of rows that one transaction may make. */
const CHANGES_MAX = 200_000;

/** A collection as it was visible. */
type Seen = {
  readonly collection: CollectionState;
  readonly primary: TreeState;
  readonly indexes: readonly (readonly [index: IndexState, state: TreeState])[];
};

type Forked = {
  readonly state: CollectionState;
  readonly origins: readonly (readonly [tree: Tree, state: TreeState])[];
};

/** A row under its key after a change; undefined: it was deleted. */
type JournalEntry = {
  readonly collection: string;
  readonly rows: readonly (readonly [key: string, after: Row | undefined])[];
};

/** Net changes: the last row under each key. */
export type NetChanges = ReadonlyMap<string, ReadonlyMap<string, Row | undefined>>;

export class StoreFork {
  readonly #state: StoreState;
  readonly #space: ForkedSpace;
  readonly #forked: Map<string, Forked> = new Map();
  #seen: ReadonlyMap<string, Seen>;
  #journal: JournalEntry[] = [];
  #changes = 0;

  constructor(state: StoreState, isUsable: (collection: string) => boolean) {
    this.#state = state;
    this.#space = new ForkedSpace(state.space);
    this.#seen = seenNow(state, isUsable);
  }

  /** Changes with everything that is changed here. */
  get version(): number {
    return this.#space.version;
  }

  get hasChanges(): boolean {
    return this.#journal.length > 0;
  }

  /** A place in the journal to go back to. */
  get mark(): number {
    return this.#journal.length;
  }

  /** The collection as the transaction sees it, or undefined when it could not be used at the beginning. */
  collection(name: string): CollectionState | undefined {
    const known = this.#forked.get(name);
    if (known !== undefined) return known.state;
    const seen = this.#seen.get(name);
    if (seen === undefined) return undefined;
    const forked = this.#fork(seen);
    this.#forked.set(name, forked);
    return forked.state;
  }

  /** Applies a write that was prepared against this fork. */
  apply(prepared: PreparedWrite): MaybePromise<void> {
    const own = inline(prepared);
    const entry = journalEntryOf(own);
    if (entry.rows.length === 0) return undefined;
    this.#changes += entry.rows.length;
    if (this.#changes > CHANGES_MAX) throw tooManyChanges();
    const done = (): void => {
      this.#journal.push(entry);
      this.#seal(prepared.collection);
    };
    const applying = this.#state.space.whenResident(() => applyWrite(own));
    return applying instanceof Promise ? applying.then(done) : done();
  }

  rollbackTo(mark: number): MaybePromise<void> {
    this.#journal.length = mark;
    this.#changes = this.#journal.reduce((sum, { rows }) => sum + rows.length, 0);
    return this.#replay();
  }

  /** Begins anew from what is visible now, with the same changes. */
  rebase(isUsable: (collection: string) => boolean): MaybePromise<void> {
    this.#seen = seenNow(this.#state, isUsable);
    this.#forked.clear();
    return this.#replay();
  }

  netChanges(): NetChanges {
    const byCollection = new Map<string, Map<string, Row | undefined>>();
    for (const { collection, rows } of this.#journal) {
      const net = byCollection.get(collection) ?? new Map<string, Row | undefined>();
      byCollection.set(collection, net);
      for (const [key, after] of rows) net.set(key, after);
    }
    return byCollection;
  }

  #replay(): MaybePromise<void> {
    // From the beginning each time: what a missing page has left half done is undone with the roots.
    return this.#state.space.whenResident(() => {
      for (const { origins } of this.#forked.values()) for (const [tree, state] of origins) tree.rollback(state);
      for (const { collection, rows } of this.#journal) {
        const target = this.collection(collection) ?? missing(collection);
        applyWrite({ ...NOTHING, collection: target, changes: this.#changesOf(target, rows) });
      }
      for (const { state } of this.#forked.values()) this.#seal(state);
    });
  }

  #changesOf(collection: CollectionState, rows: JournalEntry['rows']): readonly RowChange[] {
    const keys = rows.map(([key]) => key);
    return presentRows(this.#state, collection, keys).flatMap((present, at) => {
      const [key, row] = rows[at]!;
      if (row === undefined && present === undefined) return [];
      const after = row && { stored: row, row };
      return [{ key, before: present?.before, freedBlob: undefined, after }];
    });
  }

  #seal({ trees }: CollectionState): void {
    for (const tree of trees) tree.visible = tree.seal();
    // What was sealed is copied by the next change: cursors may be reading it.
    this.#space.version -= 1;
  }

  #fork({ collection, primary, indexes }: Seen): Forked {
    const { id, spec } = collection;
    const tree = collection.primary.fork(this.#space, primary);
    const own = indexes.map(([index, state]) => [index.withTree(index.tree.fork(this.#space, state)), state] as const);
    const state = new CollectionState(
      id,
      spec,
      tree,
      own.map(([index]) => index),
    );
    return { state, origins: [[tree, primary], ...own.map(([index, from]) => [index.tree, from] as const)] };
  }
}

function seenNow(state: StoreState, isUsable: (collection: string) => boolean): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const [name, collection] of state.collections) {
    if (!isUsable(name)) continue;
    const ready = collection.indexes.filter((index) => index.state === 'ready');
    const indexes = ready.map((index) => [index, index.tree.visible] as const);
    seen.set(name, { collection, primary: collection.primary.visible, indexes });
  }
  return seen;
}

const NOTHING = { encoded: undefined, blobs: [], value: undefined } as const;

/** Large rows stay in memory until the commit: only then do they get a place in the blob store. */
function inline(prepared: PreparedWrite): PreparedWrite {
  if (prepared.blobs.length === 0) return prepared;
  const changes = prepared.changes.map((change) =>
    change.after === undefined ? change : { ...change, after: { stored: change.after.row, row: change.after.row } },
  );
  return { ...prepared, changes, blobs: [] };
}

function journalEntryOf({ collection, changes, inserts }: PreparedWrite): JournalEntry {
  const rows: [string, Row | undefined][] = changes.map(({ key, after }) => [key, after?.row]);
  for (let at = 0; at < (inserts?.keys.length ?? 0); at += 1) rows.push([inserts!.keys[at]!, inserts!.rows[at]]);
  return { collection: collection.spec.name, rows };
}

const missing = (collection: string): never => {
  throw new StoreError('store/unknown-collection', `There is no collection ${JSON.stringify(collection)} any more.`, {
    details: { collection },
  });
};

const tooManyChanges = (): StoreError =>
  new StoreError('transaction/too-large', `A transaction may change ${CHANGES_MAX} documents.`, {
    details: { limit: CHANGES_MAX },
    hint: 'Nothing of it was stored. Use several transactions, or createMany() outside of one.',
  });
