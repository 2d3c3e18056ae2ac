/**
 * Reading a tree at a state: point reads, ranks and ranges. A state must be published (or be the head while nothing
 * changes it): its nodes do not change under the reader.
 */

import { type Branch, childIndex, type Leaf, lowerBound, type NodeRef } from './node.ts';
import { BlobRow } from './page-format.ts';
import { PAGE_MISS } from './page-space.ts';
import type { TreeState } from './tree.ts';
import type { NodeSource } from './tree-space.ts';

export { BlobRow };

/** Keys from `from` (included) to `to` (excluded); undefined is open. */
export type KeyRange = { readonly from: string | undefined; readonly to: string | undefined };

export const ALL_KEYS: KeyRange = { from: undefined, to: undefined };

export function readKey(space: NodeSource, state: TreeState, key: string): unknown {
  const leaf = leafOf(space, state.root, key);
  const at = lowerBound(leaf.keys, key);
  if (leaf.keys[at] !== key) return undefined;
  return leaf.values === undefined ? key : leaf.values[at];
}

/** Notes the next page on the way to `key` that is not in memory, for the next load. Answers whether all was there. */
export function wantKey(space: NodeSource, root: NodeRef, key: string): boolean {
  let ref = root;
  for (;;) {
    const node = space.peek(ref);
    if (node === undefined) {
      space.want(ref);
      return false;
    }
    if (node.isLeaf) return true;
    ref = node.children[childIndex(node.keys, key)]!;
  }
}

function leafOf(space: NodeSource, root: NodeRef, key: string): Leaf {
  let node = space.resolve(root);
  while (!node.isLeaf) node = space.resolve(node.children[childIndex(node.keys, key)]!);
  return node;
}

/** A page that has the key is not in memory; it has been asked for with the next load. */
export const NOT_RESIDENT: unique symbol = Symbol('not resident');

/**
 * Reads keys one after the other while the tree stays as it is. Keys that ascend cost one descent for each leaf, not one
 * for each key.
 */
export class KeyReader {
  readonly #space: NodeSource;
  readonly #root: NodeRef;
  #leaf: Leaf | undefined;
  /** The leaf has all keys from `low` (included) to `high` (excluded); undefined is open. */
  #low: string | undefined;
  #high: string | undefined;

  constructor(space: NodeSource, state: TreeState) {
    this.#space = space;
    this.#root = state.root;
  }

  /** The value, `undefined` when there is none, or NOT_RESIDENT. */
  read(key: string): unknown {
    const leaf = this.#leafOf(key);
    if (leaf === undefined) return NOT_RESIDENT;
    const at = lowerBound(leaf.keys, key);
    return leaf.keys[at] === key ? leaf.values![at] : undefined;
  }

  /** Whether the page that has the key, or would have it, is in memory; if not, it is asked for with the next load. */
  isResident(key: string): boolean {
    return this.#leafOf(key) !== undefined;
  }

  #leafOf(key: string): Leaf | undefined {
    const known = this.#leaf;
    if (
      known !== undefined &&
      (this.#low === undefined || key >= this.#low) &&
      (this.#high === undefined || key < this.#high)
    )
      return known;
    this.#leaf = undefined;
    this.#low = undefined;
    this.#high = undefined;
    let ref = this.#root;
    for (;;) {
      const node = this.#space.peek(ref);
      if (node === undefined) {
        this.#space.want(ref);
        return undefined;
      }
      node.wasUsed = true;
      if (node.isLeaf) {
        this.#leaf = node;
        return node;
      }
      const at = childIndex(node.keys, key);
      if (at > 0) this.#low = node.keys[at - 1];
      if (at < node.keys.length) this.#high = node.keys[at];
      ref = node.children[at]!;
    }
  }
}

/** How many keys are below `key`. One descent: branches count what is below them. */
export function rankOf(space: NodeSource, state: TreeState, key: string): number {
  let node = space.resolve(state.root);
  let rank = 0;
  while (!node.isLeaf) {
    const at = childIndex(node.keys, key);
    for (let i = 0; i < at; i += 1) rank += node.counts[i]!;
    node = space.resolve(node.children[at]!);
  }
  return rank + lowerBound(node.keys, key);
}

export function countRange(space: NodeSource, state: TreeState, range: KeyRange): number {
  const below = range.from === undefined ? 0 : rankOf(space, state, range.from);
  const end = range.to === undefined ? state.count : rankOf(space, state, range.to);
  return Math.max(0, end - below);
}

/** How many keys ranges have together. May throw PAGE_MISS, when all that is missing has been asked for. */
export function countRanges(space: NodeSource, state: TreeState, ranges: readonly KeyRange[]): number {
  let count = 0;
  let isMissing = false;
  for (const range of ranges) {
    try {
      count += countRange(space, state, range);
    } catch (error) {
      if (error !== PAGE_MISS) throw error;
      isMissing = true;
    }
  }
  if (isMissing) throw PAGE_MISS;
  return count;
}

/**
 * About how many keys a range has: exact as far as its borders are in memory, half of a page that is not. Loads nothing
 * and asks for nothing.
 */
export function estimateRange(space: NodeSource, state: TreeState, range: KeyRange): number {
  const below = range.from === undefined ? 0 : estimateRank(space, state, range.from);
  const end = range.to === undefined ? state.count : estimateRank(space, state, range.to);
  return Math.max(0, end - below);
}

function estimateRank(space: NodeSource, state: TreeState, key: string): number {
  let node = space.peek(state.root);
  let rank = 0;
  let { count } = state;
  while (node !== undefined && !node.isLeaf) {
    const at = childIndex(node.keys, key);
    for (let i = 0; i < at; i += 1) rank += node.counts[i]!;
    count = node.counts[at]!;
    node = space.peek(node.children[at]!);
  }
  return rank + (node === undefined ? count / 2 : lowerBound(node.keys, key));
}

/** How many leaves to fetch with one that is missing: a scan then pays one transaction for several pages. */
const READ_AHEAD_LEAVES = 20;

/** A run of entries of one leaf, in the order of the scan: positions `start` to `end` by `step`. */
export type LeafRun = {
  readonly keys: readonly string[];
  readonly values: readonly unknown[] | undefined;
  readonly start: number;
  readonly end: number;
  readonly step: 1 | -1;
};

/**
 * Walks a range leaf by leaf. `next` throws PAGE_MISS when a leaf is not in memory; calling it again after the load
 * goes on where it was.
 */
export class LeafScan {
  readonly #space: NodeSource;
  readonly #state: TreeState;
  readonly #range: KeyRange;
  readonly #reverse: boolean;
  readonly #branches: Branch[] = [];
  readonly #at: number[] = [];
  #leaf: Leaf | undefined;
  #position: 'start' | 'inside' | 'done' = 'start';

  constructor(space: NodeSource, state: TreeState, range: KeyRange, options: { readonly reverse: boolean }) {
    this.#space = space;
    this.#state = state;
    this.#range = range;
    this.#reverse = options.reverse;
  }

  next(): LeafRun | undefined {
    if (this.#position === 'done') return undefined;
    if (this.#position === 'start') this.#descend();
    else if (this.#leaf === undefined && !this.#advance()) return this.#end();
    const leaf = this.#leaf!;
    this.#leaf = undefined;
    this.#position = 'inside';
    const { from, to } = this.#range;
    const low = from === undefined ? 0 : lowerBound(leaf.keys, from);
    const high = to === undefined ? leaf.keys.length : lowerBound(leaf.keys, to);
    const { length } = leaf.keys;
    // The range ends in this leaf when its border lies before the leaf's own end.
    if (this.#reverse ? low > 0 : high < length) this.#position = 'done';
    if (low >= high) return this.#position === 'done' || length === 0 ? this.#end() : this.next();
    return this.#reverse
      ? { keys: leaf.keys, values: leaf.values, start: high - 1, end: low - 1, step: -1 }
      : { keys: leaf.keys, values: leaf.values, start: low, end: high, step: 1 };
  }

  #end(): undefined {
    this.#position = 'done';
    return undefined;
  }

  #descend(): void {
    this.#branches.length = 0;
    this.#at.length = 0;
    const { from, to } = this.#range;
    let node = this.#space.resolve(this.#state.root);
    while (!node.isLeaf) {
      let at: number;
      // Descending scans start in the leaf that holds the keys just below `to`.
      if (this.#reverse) at = to === undefined ? node.children.length - 1 : lowerBound(node.keys, to);
      else at = from === undefined ? 0 : childIndex(node.keys, from);
      this.#branches.push(node);
      this.#at.push(at);
      node = this.#child(node, at);
    }
    this.#leaf = node;
  }

  /** Steps to the next leaf, loading nothing: a miss leaves the position for another try. */
  #advance(): boolean {
    const step = this.#reverse ? -1 : 1;
    let depth = this.#branches.length - 1;
    while (depth >= 0) {
      const at = this.#at[depth]! + step;
      if (at >= 0 && at < this.#branches[depth]!.children.length) break;
      depth -= 1;
    }
    if (depth < 0) return false;
    const branches = this.#branches.slice(0, depth + 1);
    const positions = this.#at.slice(0, depth + 1);
    positions[depth]! += step;
    let node = this.#child(branches[depth]!, positions[depth]!);
    while (!node.isLeaf) {
      const at = this.#reverse ? node.children.length - 1 : 0;
      branches.push(node);
      positions.push(at);
      node = this.#child(node, at);
    }
    this.#branches.length = 0;
    this.#branches.push(...branches);
    this.#at.length = 0;
    this.#at.push(...positions);
    this.#leaf = node;
    return true;
  }

  #child(branch: Branch, at: number): Branch | Leaf {
    const ref = branch.children[at]!;
    if (typeof ref === 'number' && this.#space.peek(ref) === undefined) this.#wantAhead(branch, at);
    return this.#space.resolve(ref);
  }

  #wantAhead(branch: Branch, at: number): void {
    const { from, to } = this.#range;
    for (let i = 1; i < READ_AHEAD_LEAVES; i += 1) {
      const ahead = this.#reverse ? at - i : at + i;
      if (ahead < 0 || ahead >= branch.children.length) return;
      // Leaves wholly outside of the range are not wanted.
      if (this.#reverse && from !== undefined && branch.keys[ahead]! <= from) return;
      if (!this.#reverse && to !== undefined && branch.keys[ahead - 1]! >= to) return;
      this.#space.want(branch.children[ahead]!);
    }
  }
}
