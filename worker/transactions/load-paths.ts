/**
 * Brings the pages into memory that the replay of rows will need. A change asks for the rows first and for the indexes
 * when it has them; here a read brings a level of all trees, which opens a store in fewer reads.
 */
import type { Row } from '../../src/base/row.ts';
import { type CollectionState, entryList } from '../indexes/index.ts';
import { BlobRow, type PageSpace, wantKey } from '../pages/index.ts';

/** More rows than these are worth no look ahead: their pages are many, and are cheap compared with the rows. */
export const LOOK_AHEAD_ROWS_MAX = 512;

/** Branches have hundreds of children: no tree is deeper. The entries of the rows before come after the primary tree. */
const READS_MAX = 8;

/** `rows` by their encoded keys. What it does not find, the change finds. */
export async function loadPaths(
  space: PageSpace,
  collection: CollectionState,
  rows: ReadonlyMap<string, Row>,
): Promise<void> {
  const { primary } = collection;
  const trees = collection.indexes.map((index) => ({
    root: index.tree.head.root,
    entriesOf: (row: Row) => entryList(index.entriesOf(row)),
  }));
  const entries = [...rows].map(([key, row]) =>
    trees.map(({ entriesOf }) => entriesOf(row).map((entry) => entry + key)),
  );
  for (let reads = 0; reads < READS_MAX; reads += 1) {
    let at = 0;
    for (const key of rows.keys()) {
      const own = entries[at++]!;
      const before = wantKey(space, primary.head.root, key) ? primary.find(key) : undefined;
      trees.forEach(({ root, entriesOf }, index) => {
        for (const entry of own[index]!) wantKey(space, root, entry);
        // A large row is read when it is needed.
        if (before === undefined || before instanceof BlobRow) return;
        for (const entry of entriesOf(before as Row)) wantKey(space, root, entry + key);
      });
    }
    if (!space.hasWanted) return;
    await space.loadWanted();
  }
}
