/** What trees need of the space that they live in, and a space of their own for trees that nobody else sees. */
import type { NodeRef, TreeNode } from './node.ts';

/** Nodes by their references. `resolve` throws PAGE_MISS for a page that is not in memory. */
export interface NodeSource {
  resolve(ref: NodeRef): TreeNode;
  peek(ref: NodeRef): TreeNode | undefined;
  want(ref: NodeRef): void;
}

/** Where trees grow. PageSpace is the one of a store. */
export interface TreeSpace extends NodeSource {
  /** Nodes of this version may be changed in place; others are copied first. */
  version: number;
  dirtyBytes: number;
  /** A published node was replaced. */
  free(node: TreeNode): void;
}

/**
 * Trees that are forked here read the pages of a store and keep their changes to themselves. Their versions are
 * negative and fall, so no node of the store, or of another fork, is ever taken for one that may be changed; nothing is
 * freed, since the store needs its nodes itself.
 */
export class ForkedSpace implements TreeSpace {
  readonly #base: NodeSource;
  version = -1;
  dirtyBytes = 0;

  constructor(base: NodeSource) {
    this.#base = base;
  }

  resolve(ref: NodeRef): TreeNode {
    return this.#base.resolve(ref);
  }

  peek(ref: NodeRef): TreeNode | undefined {
    return this.#base.peek(ref);
  }

  want(ref: NodeRef): void {
    this.#base.want(ref);
  }

  free(): void {}
}
