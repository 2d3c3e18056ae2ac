/**
 * Gives space back: thin neighbouring leaves are joined, the pages that this frees are deleted, and the log is taken up.
 * It works between writes, some leaves at a time. It does not look for waste: pages that no tree reaches.
 */
import type { LongOptions } from '../../src/protocol/engine-api.ts';
import type { CollectionState } from '../indexes/index.ts';
import type { Tree } from '../pages/index.ts';
import type { Storage } from '../storage/index.ts';
import { aborted, type Committer, type StoreState } from '../transactions/index.ts';

export type CompactContext = {
  readonly state: StoreState;
  readonly committer: Committer;
  readonly storage: Storage;
  readonly yieldTask: () => Promise<void>;
  readonly checkpoint: () => Promise<void>;
};

export type CompactResult = { readonly pagesFreed: number; readonly bytesFreed: number };

export async function compactStore(context: CompactContext, options: LongOptions): Promise<CompactResult> {
  const { storage, state } = context;
  await context.checkpoint();
  const before = await storage.usage();
  const trees = [...state.collections.values()].flatMap((collection) =>
    collection.trees.map((tree) => ({ collection, tree })),
  );
  for (const [done, { collection, tree }] of trees.entries()) {
    await joinLeaves(context, collection, tree, options.signal);
    options.onProgress?.({ done: done + 1, total: trees.length });
  }
  // The first checkpoint replaces the pages, the second deletes those that it freed.
  await context.checkpoint();
  await context.checkpoint();
  const after = await storage.usage();
  const bytes = ({ logBytes, pageBytes, blobBytes }: typeof after): number => logBytes + pageBytes + blobBytes;
  return { pagesFreed: before.pages - after.pages, bytesFreed: bytes(before) - bytes(after) };
}

async function joinLeaves(
  context: CompactContext,
  collection: CollectionState,
  tree: Tree,
  signal: AbortSignal | undefined,
): Promise<void> {
  let from: string | undefined = '';
  while (from !== undefined) {
    if (signal?.aborted === true) throw aborted();
    const start: string = from;
    from = await context.committer.upkeep(collection, () => tree.joinFrom(start));
    // Changed leaves stay in memory until they have pages.
    if (context.state.space.dirtyBytes > DIRTY_BYTES_MAX) await context.checkpoint();
    await context.yieldTask();
  }
}

const DIRTY_BYTES_MAX: number = 16 * 1024 * 1024;
