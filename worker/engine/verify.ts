/**
 * Checks a store against itself: every page by its checksum, every index against a scan of its collection (B17). An
 * index that differs or cannot be read can be rebuilt; a damaged page of rows is named, and nothing is destroyed.
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { LongOptions, VerifyReport } from '../../src/protocol/engine-api.ts';
import { type CollectionState, entryList, type IndexState } from '../indexes/index.ts';
import { ALL_KEYS, BlobRow, LeafScan, readKey, type TreeState } from '../pages/index.ts';
import type { Storage } from '../storage/index.ts';
import { aborted, type StoreState } from '../transactions/index.ts';

export type VerifyContext = {
  readonly state: StoreState;
  readonly storage: Storage;
  readonly now: () => number;
  readonly yieldTask: () => Promise<void>;
  readonly rebuild: (collection: CollectionState, index: IndexState) => Promise<void>;
};

type Damage = VerifyReport['damaged'][number];
type IndexReport = VerifyReport['collections'][number]['indexes'][number];

export async function verifyStore(
  context: VerifyContext,
  options: LongOptions & { readonly repair: boolean },
): Promise<VerifyReport> {
  const { state } = context;
  const damaged: Damage[] = [];
  const reports: VerifyReport['collections'][number][] = [];
  // What is in memory says nothing of what is on disk: pages are read anew.
  state.space.dropCache();
  const pagesBefore = state.space.pagesRead;
  const collections = [...state.collections.values()];
  for (const [done, collection] of collections.entries()) {
    const close = state.snapshots.open();
    try {
      const indexes: IndexReport[] = [];
      const trees = {
        primary: collection.primary.visible,
        // One that is being built may be ready before its turn comes, but the state taken here is not.
        indexes: collection.indexes
          .filter((index) => index.state === 'ready')
          .map((index) => [index, index.tree.visible] as const),
      };
      const rows = await scanRows(context, collection, trees.primary, damaged, options.signal);
      for (const [index, visible] of trees.indexes) {
        const report = await compareIndex(
          context,
          { collection, index, visible, primary: rows.isWhole ? trees.primary : undefined },
          damaged,
          options.signal,
        );
        const isWrong =
          report.missing > 0 || report.surplus > 0 || damaged.some((damage) => damage.index === index.spec.name);
        const repaired = isWrong && options.repair && rows.isWhole;
        if (repaired) await context.rebuild(collection, index);
        indexes.push({ ...report, repaired });
      }
      reports.push({ collection: collection.spec.name, rows: rows.count, indexes });
    } finally {
      close();
    }
    options.onProgress?.({ done: done + 1, total: collections.length });
  }
  state.trim();
  const isSound =
    damaged.length === 0 &&
    reports.every(({ indexes }) => indexes.every(({ missing, surplus }) => missing + surplus === 0));
  return { pagesChecked: state.space.pagesRead - pagesBefore, damaged, collections: reports, sound: isSound };
}

/** Reads every row, large ones too. Stops at a damaged page, which it names. */
async function scanRows(
  context: VerifyContext,
  collection: CollectionState,
  primary: TreeState,
  damaged: Damage[],
  signal: AbortSignal | undefined,
): Promise<{ readonly count: number; readonly isWhole: boolean }> {
  let count = 0;
  const scan = new LeafScan(context.state.space, primary, ALL_KEYS, { reverse: false });
  const pause = createPause(context, signal);
  try {
    for (;;) {
      const run = await context.state.space.whenResident(() => scan.next());
      if (run === undefined) return { count, isWhole: count === primary.count };
      for (let at = run.start; at !== run.end; at += run.step) {
        const stored = run.values![at];
        if (stored instanceof BlobRow) await context.state.readBlob(stored);
        count += 1;
      }
      await pause();
    }
  } catch (error) {
    damaged.push(damageOf(error, collection, undefined));
    return { count, isWhole: false };
  }
}

async function compareIndex(
  context: VerifyContext,
  target: {
    readonly collection: CollectionState;
    readonly index: IndexState;
    readonly visible: TreeState;
    /** undefined when its rows cannot all be read: then the index is only read, as there is nothing to compare it with. */
    readonly primary: TreeState | undefined;
  },
  damaged: Damage[],
  signal: AbortSignal | undefined,
): Promise<Omit<IndexReport, 'repaired'>> {
  const { collection, index, visible, primary } = target;
  const { space } = context.state;
  let expected = 0;
  let missing = 0;
  const pause = createPause(context, signal);
  try {
    const counted = await countKeys(context, visible, pause);
    if (primary === undefined) return { index: index.spec.name, entries: counted, missing: 0, surplus: 0 };
    const scan = new LeafScan(space, primary, ALL_KEYS, { reverse: false });
    for (;;) {
      const run = await space.whenResident(() => scan.next());
      if (run === undefined) break;
      for (let at = run.start; at !== run.end; at += run.step) {
        const stored = run.values![at];
        const row = stored instanceof BlobRow ? await context.state.readBlob(stored) : context.state.wholeRow(stored);
        for (const entry of entryList(index.entriesOf(row))) {
          expected += 1;
          const found = space.whenResident(() => readKey(space, visible, entry + run.keys[at]!));
          if ((found instanceof Promise ? await found : found) === undefined) missing += 1;
        }
      }
      await pause();
    }
    // Entries are distinct, so what is there beyond the expected ones that were found is surplus.
    return { index: index.spec.name, entries: counted, missing, surplus: counted - (expected - missing) };
  } catch (error) {
    damaged.push(damageOf(error, collection, index.spec.name));
    return { index: index.spec.name, entries: visible.count, missing, surplus: 0 };
  }
}

async function countKeys(context: VerifyContext, state: TreeState, pause: () => Promise<void>): Promise<number> {
  let count = 0;
  const scan = new LeafScan(context.state.space, state, ALL_KEYS, { reverse: false });
  for (;;) {
    const run = await context.state.space.whenResident(() => scan.next());
    if (run === undefined) return count;
    count += run.end - run.start;
    await pause();
  }
}

const SLICE_MS = 8;

/** Lets other calls in when a slice is used up; throws when the caller has given up. */
function createPause({ now, yieldTask, state }: VerifyContext, signal: AbortSignal | undefined): () => Promise<void> {
  let sliceEnd = now() + SLICE_MS;
  return async () => {
    if (signal?.aborted === true) throw aborted();
    if (now() < sliceEnd) return;
    state.space.trim();
    await yieldTask();
    sliceEnd = now() + SLICE_MS;
  };
}

/** What a page's error says; any other error is not damage and goes on. */
function damageOf(error: unknown, { spec }: CollectionState, index: string | undefined): Damage {
  const isDamage = error instanceof StoreError && (error.code.startsWith('page/') || error.code === 'store/damaged');
  if (!isDamage) throw error;
  return { page: Number(error.details['page'] ?? 0), collection: spec.name, index };
}
