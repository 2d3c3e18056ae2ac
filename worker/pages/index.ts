export { type CheckpointResult, writeCheckpoint } from './checkpoint.ts';
export type { NodeRef, ValueRun } from './node.ts';
export { BlobRow, decodePage, type PageKind } from './page-format.ts';
export { PAGE_MISS, PageSpace } from './page-space.ts';
export { type Freed, SnapshotRegistry } from './snapshots.ts';
export { LEAF_BYTES_MAX, type SortedValues, Tree, type TreeState } from './tree.ts';
export { pagesBelow } from './tree-pages.ts';
export {
  ALL_KEYS,
  countRange,
  countRanges,
  estimateRange,
  type KeyRange,
  KeyReader,
  type LeafRun,
  LeafScan,
  NOT_RESIDENT,
  rankOf,
  readKey,
  wantKey,
} from './tree-reader.ts';
export { ForkedSpace, type NodeSource } from './tree-space.ts';
