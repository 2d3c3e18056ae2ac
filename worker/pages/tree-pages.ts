/** Which pages a tree has on disk, found without reading its leaves: all leaves are at one depth. */
import type { NodeRef, TreeNode } from './node.ts';
import type { PageSpace } from './page-space.ts';

/** Pages of a state, branches and leaves. May throw PAGE_MISS. Parts of oversized pages are not among them. */
export function pagesBelow(space: PageSpace, root: NodeRef): readonly number[] {
  const pages: number[] = [];
  let height = 0;
  let node = space.resolve(root);
  while (!node.isLeaf) {
    height += 1;
    node = space.resolve(node.children[0]!);
  }
  walk(space, root, height, pages);
  return pages;
}

function walk(space: PageSpace, ref: NodeRef, height: number, pages: number[]): void {
  const page = typeof ref === 'number' ? ref : ref.page;
  if (page !== 0) pages.push(page);
  if (height === 0) return;
  const node: TreeNode = space.resolve(ref);
  if (node.isLeaf) return;
  if (height > 1) for (const child of node.children) space.want(child);
  for (const child of node.children) walk(space, child, height - 1, pages);
}
