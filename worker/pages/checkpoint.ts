/**
 * Writes the changed nodes of stored trees under new page ids, with the superblock that names them, in one
 * transaction (B8). Encoding is done in slices, so that calls are answered in between; writers go on meanwhile, as
 * sealed nodes do not change. A crash or a failure at any point leaves the former superblock and all its pages.
 */
import { toPageId } from '../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';
import type { PageStore } from '../storage/index.ts';
import { type Branch, NO_PARTS, type NodeRef, type TreeNode } from './node.ts';
import { encodeChain, encodePage } from './page-format.ts';
import type { PageSpace } from './page-space.ts';
import type { Tree, TreeState } from './tree.ts';

export type CheckpointOptions = {
  readonly space: PageSpace;
  readonly store: PageStore;
  readonly generation: number;
  /** Stored states, which the superblock will name. */
  readonly trees: readonly { readonly tree: Tree; readonly state: TreeState }[];
  /** Pages that neither these states nor an open snapshot need. */
  readonly frees: readonly number[];
  /** The superblock's bytes, given the root page of each tree in order (0 for an empty one). */
  readonly superblock: (roots: readonly number[]) => Uint8Array;
  readonly now: () => number;
  readonly yieldTask: () => Promise<void>;
};

export type CheckpointResult = { readonly pagesWritten: number; readonly bytesWritten: number };

/** Longest stretch of encoding before other work gets a turn. */
const SLICE_MS = 6;

type Dirty = { readonly node: TreeNode; readonly tree: number };
type PageWrite = { readonly id: ReturnType<typeof toPageId>; readonly bytes: Uint8Array };

export async function writeCheckpoint(options: CheckpointOptions): Promise<CheckpointResult> {
  const { space, store, trees } = options;
  const dirty: Dirty[] = [];
  const dirtyBefore = space.dirtyBytes;
  for (const { tree, state } of trees) if (state.count > 0) collectDirty(space, tree.id, state.root, dirty);
  let bytesWritten = 0;
  space.isWriting = true;
  try {
    const roots = trees.map(({ state }) => (state.count === 0 ? 0 : pageOf(state.root)));
    const writes = await encodeAll(dirty, options);
    bytesWritten = writes.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const superblock = { generation: options.generation, bytes: options.superblock(roots) };
    await store.commit({ writes, frees: options.frees.map(toPageId), superblock });
  } catch (error) {
    for (const { node } of dirty) {
      node.page = 0;
      node.parts = NO_PARTS;
    }
    throw error;
  } finally {
    space.isWriting = false;
    // Parts get their pages after their node: whoever freed it meanwhile did not know them.
    for (const { parts } of space.outlived) space.freed.push(...parts);
    space.outlived.clear();
  }
  for (const { node } of dirty) settle(space, node);
  // What was estimated until then is written, or was removed or undone again; what came since is for the next one.
  space.dirtyBytes = Math.max(0, space.dirtyBytes - dirtyBefore);
  for (const { tree, state } of trees) settleRoot(tree, state);
  for (const { tree } of trees) for (const { root } of [tree.head, tree.stored, tree.visible]) releaseChildren(root);
  for (const page of options.frees) space.forget(page);
  if (options.frees.length > 0) space.deletions += 1;
  return { pagesWritten: dirty.length, bytesWritten };
}

const pageOf = (ref: NodeRef): number => (typeof ref === 'number' ? ref : ref.page);

/** Children first, so that a branch finds the pages of its children. Gives every dirty node its page. */
function collectDirty(space: PageSpace, tree: number, ref: NodeRef, dirty: Dirty[]): void {
  if (typeof ref === 'number' || ref.page !== 0) return;
  if (!ref.isLeaf) for (const child of ref.children) collectDirty(space, tree, child, dirty);
  ref.page = space.allocate();
  dirty.push({ node: ref, tree });
}

async function encodeAll(dirty: readonly Dirty[], options: CheckpointOptions): Promise<readonly PageWrite[]> {
  const writes: PageWrite[] = [];
  let sliceEnd = options.now() + SLICE_MS;
  for (const { node, tree } of dirty) {
    const image = encodePage(node, node.page, tree);
    if (image.length <= RECORD_BYTES_MAX) writes.push({ id: toPageId(node.page), bytes: image });
    else writeParts(node, tree, image, writes, options.space);
    if (options.now() < sliceEnd) continue;
    await options.yieldTask();
    sliceEnd = options.now() + SLICE_MS;
  }
  return writes;
}

/** An image over the limit of a record: the page names parts, which have pages of their own. */
function writeParts(node: TreeNode, tree: number, image: Uint8Array, writes: PageWrite[], space: PageSpace): void {
  const parts: number[] = [];
  for (let offset = 0; offset < image.length; offset += RECORD_BYTES_MAX) {
    const part = space.allocate();
    parts.push(part);
    writes.push({ id: toPageId(part), bytes: image.subarray(offset, offset + RECORD_BYTES_MAX) });
  }
  node.parts = parts;
  writes.push({ id: toPageId(node.page), bytes: encodeChain(node.page, tree, parts) });
}

/** From here on the page stands for the node, and the cache may let go of it. */
function settle(space: PageSpace, node: TreeNode): void {
  if (!node.isLeaf) replaceChildrenByPages(node);
  space.adopt(node);
}

/** Branches that were copied meanwhile hold nodes that have pages now: the cache could not let go of those. */
function releaseChildren(ref: NodeRef): void {
  if (typeof ref === 'number' || ref.isLeaf) return;
  replaceChildrenByPages(ref);
  for (const child of ref.children) releaseChildren(child);
}

function replaceChildrenByPages(branch: Branch): void {
  for (let at = 0; at < branch.children.length; at += 1) {
    const child = branch.children[at]!;
    if (typeof child !== 'number' && child.page !== 0) branch.children[at] = child.page;
  }
}

function settleRoot(tree: Tree, { root }: TreeState): void {
  if (typeof root === 'number' || root.page === 0) return;
  const { page } = root;
  if (tree.stored.root === root) tree.stored = { root: page, count: tree.stored.count };
  if (tree.visible.root === root) tree.visible = { root: page, count: tree.visible.count };
  if (tree.root === root) tree.root = page;
  // The remembered path may hold children that are pages now; it is only a shortcut.
  tree.forgetPath();
}
