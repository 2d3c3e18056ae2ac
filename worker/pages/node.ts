/**
 * The nodes of a copy-on-write B+tree, as they live in memory.
 *
 * Invariants
 * - A node whose `version` is below the space's is published: its keys, values and counts never change again (PAGE-1).
 *   (The one exception keeps the meaning: a checkpoint replaces a child node by the id of the page that now holds it.)
 * - `page` is 0 until a checkpoint has given the node a page. The parents of a node without a page have none either.
 * - `counts[i]` is the number of entries below `children[i]`, so ranks cost one descent.
 */
export type NodeRef = TreeNode | number;
export type TreeNode = Leaf | Branch;

/** Neighbours among values that are made when they are first asked for. */
export type ValueRun = {
  readonly batch: { readonly rows: readonly unknown[] };
  readonly from: number;
  readonly to: number;
};

export class Leaf {
  readonly isLeaf = true as const;
  keys: string[];
  #values: unknown[] | undefined;
  /** Runs behind the values, to be made when somebody looks at them. */
  #later: ValueRun[] | undefined;
  /** Estimated size of the entries on a page, which also stands for their weight in memory. */
  bytes: number;
  version: number;
  page = 0;
  /** Further pages of an image that did not fit one record. */
  parts: readonly number[] = NO_PARTS;
  wasUsed = true;

  constructor(version: number, keys: string[], values: unknown[] | undefined, bytes: number) {
    this.version = version;
    this.keys = keys;
    this.#values = values;
    this.bytes = bytes;
  }

  get hasValues(): boolean {
    return this.#values !== undefined;
  }

  /** Parallel to `keys`; undefined in trees that have keys only. */
  get values(): unknown[] | undefined {
    if (this.#later !== undefined) this.#make(this.#later);
    return this.#values;
  }

  set values(values: unknown[] | undefined) {
    this.#values = values;
    this.#later = undefined;
  }

  /** Values behind the present ones. */
  appendLater(runs: readonly ValueRun[]): void {
    this.#later ??= [];
    for (const run of runs) this.#later.push(run);
  }

  #make(runs: readonly ValueRun[]): void {
    this.#later = undefined;
    const values = this.#values!;
    for (const { batch, from, to } of runs) {
      const { rows } = batch;
      for (let i = from; i < to; i += 1) values.push(rows[i]);
    }
  }
}

export class Branch {
  readonly isLeaf = false as const;
  /** `keys[i]` is above all keys below `children[i]` and not above any below `children[i + 1]`. */
  keys: string[];
  children: NodeRef[];
  counts: number[];
  bytes: number;
  version: number;
  page = 0;
  parts: readonly number[] = NO_PARTS;
  wasUsed = true;

  constructor(version: number, keys: string[], children: NodeRef[], counts: number[]) {
    this.version = version;
    this.keys = keys;
    this.children = children;
    this.counts = counts;
    this.bytes = children.length * BRANCH_ENTRY_BYTES;
  }
}

export const NO_PARTS: readonly number[] = Object.freeze([]);

/** Weight of one child in a branch: separator, reference, count. */
export const BRANCH_ENTRY_BYTES = 48;

export const countOf = (node: TreeNode): number =>
  node.isLeaf ? node.keys.length : node.counts.reduce((sum, count) => sum + count, 0);

/** First position whose key is not below `key`. */
export function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The child of a branch that `key` belongs to. */
export function childIndex(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
