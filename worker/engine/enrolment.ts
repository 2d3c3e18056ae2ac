/**
 * Rows that were there before their collection was synchronised: they are marked as changed, some at a time between
 * writes. How far it has come is stored with the marks, in one commit, so after a crash it goes on there.
 */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { ENROLMENT_PREFIX, SYNC_META } from '../../src/protocol/sync-worker.ts';
import { type CollectionState, encodePrimaryKey } from '../indexes/index.ts';
import { LeafScan } from '../pages/index.ts';
import {
  type Committer,
  type PreparedWrite,
  presentRow,
  type StoreState,
  type SyncMarks,
} from '../transactions/index.ts';

/** Rows of one step: a few milliseconds, after which waiting writes get their turn. */
const ROWS_PER_STEP = 1_000;

/** A row of `$sync.meta`, as long as there are rows to be marked: all up to the encoded key are. Permanent. */
type Progress = { readonly id: string; readonly upTo: string };

export type EnrolmentContext = {
  readonly state: StoreState;
  readonly committer: Committer;
  readonly marks: SyncMarks;
  readonly yieldTask: () => Promise<void>;
  readonly isOpen: () => boolean;
};

export class Enrolments {
  readonly #context: EnrolmentContext;
  /** One collection after the other. */
  #tail: Promise<void> = Promise.resolve();

  constructor(context: EnrolmentContext) {
    this.#context = context;
  }

  /** Goes on with a collection, in the background. Nothing is done for one that is through, or not synchronised. */
  begin(collection: CollectionState): void {
    if (collection.spec.sync !== true) return;
    this.#tail = this.#tail.then(() => this.#run(collection)).catch(ignoreStoreError);
  }

  /** Before a collection that has been there is synchronised, so that whatever crashes it is not forgotten. */
  async prepare({ spec: { name } }: CollectionState): Promise<void> {
    const { state, committer } = this.#context;
    const meta = state.must(SYNC_META);
    await committer.write(() => progressOf(state, meta, ENROLMENT_PREFIX + name, ''), NOW);
  }

  async #run(collection: CollectionState): Promise<void> {
    const { state, committer, yieldTask, isOpen } = this.#context;
    const meta = state.must(SYNC_META);
    for (let isDone = false; !isDone && isOpen(); ) {
      const { value } = await committer.write(() => this.#step(collection, meta), NOW);
      isDone = value === true;
      await yieldTask();
    }
  }

  /** Marks the rows after those that are marked. Answers whether that was all. */
  #step(collection: CollectionState, meta: CollectionState): PreparedWrite {
    const { state, marks } = this.#context;
    const id = ENROLMENT_PREFIX + collection.spec.name;
    const before = presentRow(state, meta, encodePrimaryKey(id))?.before as Progress | undefined;
    if (before === undefined) return { ...NOTHING, collection: meta, value: true };
    const { keys, isLast } = keysAfter(collection, before.upTo);
    const progress = progressOf(state, meta, id, isLast ? undefined : keys.at(-1));
    const more = keys.length === 0 ? [] : [marks.ofRows(collection, keys)];
    return { ...progress, more, value: isLast };
  }
}

const NOW = { durability: 'relaxed', signal: undefined } as const;
const NOTHING = { changes: [], encoded: undefined, blobs: [], value: undefined };

/** `upTo` undefined: all rows are marked. */
function progressOf(
  state: StoreState,
  collection: CollectionState,
  id: string,
  upTo: string | undefined,
): PreparedWrite {
  const key = encodePrimaryKey(id);
  const before = presentRow(state, collection, key)?.before;
  const row: Progress | undefined = upTo === undefined ? undefined : { id, upTo };
  const after = row && { stored: row as Row, row: row as Row };
  return { ...NOTHING, collection, changes: [{ key, before, freedBlob: undefined, after }] };
}

function keysAfter(
  { primary }: CollectionState,
  upTo: string,
): { readonly keys: readonly string[]; readonly isLast: boolean } {
  const from = upTo === '' ? upTo : `${upTo}\0`;
  const scan = new LeafScan(primary.space, primary.head, { from, to: undefined }, { reverse: false });
  const keys: string[] = [];
  for (let run = scan.next(); run !== undefined; run = scan.next()) {
    for (let at = run.start; at !== run.end; at += run.step) {
      if (keys.length === ROWS_PER_STEP) return { keys, isLast: false };
      keys.push(run.keys[at]!);
    }
  }
  return { keys, isLast: true };
}

/** The store is closed, or its storage fails: it goes on when the store is opened again. */
function ignoreStoreError(error: unknown): void {
  if (!(error instanceof StoreError)) throw error;
}
