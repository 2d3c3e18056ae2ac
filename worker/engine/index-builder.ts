/**
 * Builds an index while writes go on. Writes keep a building index up like any other; the builder adds the entries of
 * the rows that were there before, some at a time between writes. Its work is not in the log: a crash begins it again.
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { LongOptions } from '../../src/protocol/engine-api.ts';
import { type CollectionState, decodePrimaryKey, entryList, type IndexState, ownerOf } from '../indexes/index.ts';
import { LeafScan } from '../pages/index.ts';
import { aborted, type Committer, type StoreState } from '../transactions/index.ts';

/** Rows of one step: a few milliseconds, after which waiting writes get their turn. */
const ROWS_PER_STEP = 1_000;

export type BuildContext = {
  readonly state: StoreState;
  readonly committer: Committer;
  readonly yieldTask: () => Promise<void>;
};

/** Answers when all entries are stored in memory; the caller makes a checkpoint to keep them. */
export async function buildIndex(
  context: BuildContext,
  collection: CollectionState,
  index: IndexState,
  options: LongOptions,
): Promise<void> {
  let from: string | undefined = '';
  let done = 0;
  while (from !== undefined) {
    if (options.signal?.aborted === true) throw aborted();
    const start: string = from;
    const step: Step = await context.committer.upkeep(collection, () => {
      if (!collection.indexes.includes(index)) throw dropped(collection, index);
      return addEntries(context.state, collection, index, start);
    });
    from = step.next;
    done += step.rows;
    options.onProgress?.({ done, total: Math.max(done, collection.primary.count) });
    await context.yieldTask();
  }
  if (!collection.indexes.includes(index)) throw dropped(collection, index);
  index.state = 'ready';
}

type Step = { readonly next: string | undefined; readonly rows: number };

/** Adds the entries of the rows from a key on. Repeating it after a page miss adds nothing twice. */
function addEntries(state: StoreState, collection: CollectionState, index: IndexState, from: string): Step {
  const { primary } = collection;
  const scan = new LeafScan(primary.space, primary.head, { from, to: undefined }, { reverse: false });
  let rows = 0;
  for (let run = scan.next(); run !== undefined; run = scan.next()) {
    for (let at = run.start; at !== run.end; at += run.step) {
      const key = run.keys[at]!;
      if (rows === ROWS_PER_STEP) return { next: key, rows };
      for (const entry of entryList(index.entriesOf(state.wholeRow(run.values![at])))) {
        if (index.spec.unique) refuseRepeated(collection, index, entry, key);
        index.tree.insert(entry + key);
      }
      rows += 1;
    }
  }
  return { next: undefined, rows };
}

const dropped = ({ spec }: CollectionState, index: IndexState): StoreError =>
  new StoreError('index/unknown', `Index ${index.spec.name} of ${spec.name} was dropped while it was built.`, {
    details: { collection: spec.name, index: index.spec.name },
  });

function refuseRepeated(collection: CollectionState, index: IndexState, entry: string, key: string): void {
  const other = ownerOf(index, entry, (owner) => owner === key);
  if (other === undefined) return;
  throw new StoreError(
    'index/not-unique',
    `Index ${index.spec.name} of ${collection.spec.name} cannot be unique: two rows share a value.`,
    {
      details: { collection: collection.spec.name, index: index.spec.name, keys: [other, key].map(decodePrimaryKey) },
      hint: 'Change one of the rows, or make the index not unique.',
    },
  );
}
