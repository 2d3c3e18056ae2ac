/**
 * A copy-on-write B+tree over string keys, in three states. The committer alone changes the head. `stored` is the head
 * as of the last frame that is in the log: checkpoints write it, and a failed frame goes back to it. `visible` is what
 * readers see: the stored state, or a later one once a deferred commit was answered.
 *
 * Every change first reads its whole path, which may throw PAGE_MISS, and only then mutates: a miss leaves the tree as
 * it was (PAGE-2). Changes are idempotent, so a caller repeats them after a miss.
 */
import {
  BRANCH_ENTRY_BYTES,
  Branch,
  childIndex,
  Leaf,
  lowerBound,
  type NodeRef,
  type TreeNode,
  type ValueRun,
} from './node.ts';
import type { TreeSpace } from './tree-space.ts';

/**
 * Estimated bytes at which a leaf is split. Encoded leaves come out at about two thirds of it, under one record. A change
 * reads, decodes and writes a whole leaf: of a million rows, a thousand that are changed here and there take half the
 * time of leaves of 40 KiB, and a bulk insert three quarters, as its indexes are such changes too. Smaller ones lose in
 * IndexedDB, where a record costs more to write than its bytes.
 */
export const LEAF_BYTES_MAX: number = 16 * 1024;
/** Entries at which a leaf is split whatever their size: those of an index are small, and come to about the same bytes. */
export const LEAF_ENTRIES_MAX = 256;
export const BRANCH_CHILDREN_MAX = 256;
/** Weight of one key besides its characters: string header, reference. */
const KEY_OVERHEAD_BYTES = 20;

export type TreeState = { readonly root: NodeRef; readonly count: number };

export class Tree {
  readonly id: number;
  readonly space: TreeSpace;
  /** Estimated bytes of a value on a page; undefined in trees that have keys only. */
  readonly #weigh: ((value: unknown) => number) | undefined;
  root: NodeRef;
  count: number;
  stored: TreeState;
  visible: TreeState;
  // The path of the last change, reused while the next key falls into the same leaf.
  readonly #path: Branch[] = [];
  readonly #at: number[] = [];
  #leaf: Leaf | undefined;
  #low = '';
  #high: string | undefined;

  constructor(
    id: number,
    space: TreeSpace,
    state: TreeState | undefined,
    weigh: ((value: unknown) => number) | undefined,
  ) {
    this.id = id;
    this.space = space;
    this.#weigh = weigh;
    this.root = state?.root ?? new Leaf(0, [], weigh === undefined ? undefined : [], 0);
    this.count = state?.count ?? 0;
    this.stored = this.visible = { root: this.root, count: this.count };
  }

  get hasValues(): boolean {
    return this.#weigh !== undefined;
  }

  get head(): TreeState {
    return { root: this.root, count: this.count };
  }

  /** The value (or, without values, the key) stored under `key` in the head. */
  find(key: string): unknown {
    const leaf = this.#descend(key);
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] !== key) return undefined;
    return leaf.values === undefined ? key : leaf.values[at];
  }

  has(key: string): boolean {
    const leaf = this.#descend(key);
    return leaf.keys[lowerBound(leaf.keys, key)] === key;
  }

  /** Inserts, or replaces the value under a present key. Answers whether the key is new. */
  insert(key: string, value?: unknown): boolean {
    const leaf = this.#writable(this.#descend(key));
    const at = lowerBound(leaf.keys, key);
    if (leaf.keys[at] === key) {
      if (leaf.values === undefined) return false;
      const grown = this.#weigh!(value) - this.#weigh!(leaf.values[at]);
      leaf.values[at] = value;
      leaf.bytes += grown;
      this.space.dirtyBytes += grown;
      this.#splitWhenFull(leaf, at);
      return false;
    }
    const isLast = at === leaf.keys.length;
    const weight = key.length + KEY_OVERHEAD_BYTES + (this.#weigh === undefined ? 0 : this.#weigh(value));
    if (isLast) {
      leaf.keys.push(key);
      leaf.values?.push(value);
    } else {
      leaf.keys.splice(at, 0, key);
      leaf.values?.splice(at, 0, value);
    }
    leaf.bytes += weight;
    this.space.dirtyBytes += weight;
    this.count += 1;
    for (let depth = 0; depth < this.#path.length; depth += 1) this.#path[depth]!.counts[this.#at[depth]!]! += 1;
    this.#splitWhenFull(leaf, at);
    return true;
  }

  /**
   * Inserts keys that ascend strictly and are all new, from position `at` on, with their values and the weights of
   * these. Leaf by leaf, so that a run of neighbours costs one path and one merge. After a page miss, go on from there.
   */
  insertSorted(keys: readonly string[], progress: { at: number }, given: SortedValues = {}): void {
    while (progress.at < keys.length) {
      const start = progress.at;
      const leaf = this.#writable(this.#descend(keys[start]!));
      const isAppend = leaf.keys.length === 0 || keys[start]! > leaf.keys[leaf.keys.length - 1]!;
      const isLast = isAppend && this.#high === undefined;
      const end = this.#runEnd(leaf, { keys, weights: given.weights, start, isLast });
      if (!isAppend) mergeInto(leaf, keys, given.values && valuesOf(given.values.runs(start, end)), start, end);
      else {
        if (leaf.keys.length === 0) leaf.keys = keys.slice(start, end);
        else for (let i = start; i < end; i += 1) leaf.keys.push(keys[i]!);
        if (given.values !== undefined) leaf.appendLater(given.values.runs(start, end));
      }
      const added = end - start;
      this.count += added;
      for (let depth = 0; depth < this.#path.length; depth += 1) this.#path[depth]!.counts[this.#at[depth]!]! += added;
      progress.at = end;
      if (!isLast) this.#splitWhenFull(leaf, -1);
      else if (end < keys.length) this.#startLeaf(leaf, keys[end]!);
    }
  }

  /** An empty leaf behind the last one, for a key above all others. */
  #startLeaf(leaf: Leaf, key: string): void {
    const right = new Leaf(this.space.version, [], leaf.hasValues ? [] : undefined, 0);
    this.#insertChild(this.#path.length - 1, leaf, separatorOf(leaf.keys[leaf.keys.length - 1]!, key), right);
    this.#leaf = undefined;
  }

  /**
   * Where the run of keys ends that go into one leaf: at its upper bound, or with the entry that makes it overflow. Behind
   * the last leaf another one begins instead.
   */
  #runEnd(
    leaf: Leaf,
    run: {
      readonly keys: readonly string[];
      readonly weights: readonly number[] | undefined;
      readonly start: number;
      readonly isLast: boolean;
    },
  ): number {
    const { keys, weights, start, isLast } = run;
    const high = this.#high;
    let { bytes } = leaf;
    let room = LEAF_ENTRIES_MAX - leaf.keys.length - (isLast ? 1 : 0);
    let end = start;
    while (end < keys.length && room >= 0 && bytes <= LEAF_BYTES_MAX) {
      const key = keys[end]!;
      if (high !== undefined && key >= high) break;
      const grown = bytes + key.length + KEY_OVERHEAD_BYTES + (weights === undefined ? 0 : weights[end]!);
      if (isLast && grown > LEAF_BYTES_MAX && (end > start || leaf.keys.length > 0)) break;
      bytes = grown;
      room -= 1;
      end += 1;
    }
    this.space.dirtyBytes += bytes - leaf.bytes;
    leaf.bytes = bytes;
    return end;
  }

  /** Whether every key of the tree is below `key`. */
  isBelow(key: string): boolean {
    if (this.count === 0) return true;
    const leaf = this.#descend(key);
    return this.#high === undefined && leaf.keys[leaf.keys.length - 1]! < key;
  }

  /** Removes a key. Answers whether it was there. */
  remove(key: string): boolean {
    const found = this.#descend(key);
    const at = lowerBound(found.keys, key);
    if (found.keys[at] !== key) return false;
    const leaf = this.#writable(found);
    const weight = key.length + KEY_OVERHEAD_BYTES + (this.#weigh === undefined ? 0 : this.#weigh(leaf.values![at]));
    leaf.keys.splice(at, 1);
    leaf.values?.splice(at, 1);
    leaf.bytes -= weight;
    this.count -= 1;
    for (let depth = 0; depth < this.#path.length; depth += 1) this.#path[depth]!.counts[this.#at[depth]!]! -= 1;
    this.#shrunk(leaf);
    return true;
  }

  /** Removes keys that ascend, leaf by leaf, from position `progress.at` on. After a page miss, go on from there. */
  removeSorted(keys: readonly string[], progress: { at: number }): void {
    while (progress.at < keys.length) {
      const found = this.#descend(keys[progress.at]!);
      const high = this.#high;
      let end = progress.at + 1;
      while (end < keys.length && (high === undefined || keys[end]! < high)) end += 1;
      const from = progress.at;
      progress.at = end;
      if (!holdsAny(found, keys, from, end)) continue;
      const leaf = this.#writable(found);
      const before = leaf.keys.length;
      const weight = takeOut(leaf, keys, from, end, (key, value) => this.#weighEntry(key, value));
      const removed = before - leaf.keys.length;
      leaf.bytes -= weight;
      this.space.dirtyBytes -= weight;
      this.count -= removed;
      for (let depth = 0; depth < this.#path.length; depth += 1) {
        this.#path[depth]!.counts[this.#at[depth]!]! -= removed;
      }
      this.#shrunk(leaf);
    }
  }

  /**
   * Joins the leaves of the branch that `from` falls into, where neighbours fit into one. Answers the key at which to go
   * on, or undefined at the end of the tree.
   */
  joinFrom(from: string): string | undefined {
    const { space } = this;
    const leaf = this.#descend(from);
    const depth = this.#path.length - 1;
    if (depth < 0) return undefined;
    const parent = this.#path[depth]!;
    for (const child of parent.children) space.want(child);
    const leaves = parent.children.map((child) => space.resolve(child) as Leaf);
    const next = this.#endOfBranch(depth);
    const runs = planJoins(leaves);
    if (runs.length === leaves.length) return next;
    this.#writable(leaf);
    const branch = this.#path[depth]!;
    const counts = branch.counts;
    const keys = branch.keys;
    const children = branch.children.slice();
    branch.children = [];
    branch.counts = [];
    branch.keys = [];
    for (const { start, end } of runs) {
      if (start > 0) branch.keys.push(keys[start - 1]!);
      branch.children.push(end - start === 1 ? children[start]! : this.#joined(children.slice(start, end)));
      let count = 0;
      for (let i = start; i < end; i += 1) count += counts[i]!;
      branch.counts.push(count);
    }
    branch.bytes = branch.children.length * BRANCH_ENTRY_BYTES;
    this.#leaf = undefined;
    this.#collapseRoot();
    return next;
  }

  #joined(refs: readonly NodeRef[]): Leaf {
    const joined = new Leaf(this.space.version, [], this.#weigh === undefined ? undefined : [], 0);
    for (const ref of refs) {
      const leaf = this.space.resolve(ref) as Leaf;
      for (const key of leaf.keys) joined.keys.push(key);
      if (leaf.values !== undefined) for (const value of leaf.values) joined.values!.push(value);
      joined.bytes += leaf.bytes;
      this.#free(leaf);
    }
    this.space.dirtyBytes += joined.bytes;
    return joined;
  }

  /** The first key behind a branch of the remembered path: the nearest separator above it. */
  #endOfBranch(depth: number): string | undefined {
    for (let above = depth - 1; above >= 0; above -= 1) {
      const separator = this.#path[above]!.keys[this.#at[above]!];
      if (separator !== undefined) return separator;
    }
    return undefined;
  }

  /** Freezes the head: later changes copy. The space's version must be raised by the caller, once for all trees. */
  seal(): TreeState {
    this.#leaf = undefined;
    return { root: this.root, count: this.count };
  }

  /** The head goes back to a state that is being stored, or else to the stored one. */
  rollback(state: TreeState = this.stored): void {
    this.#leaf = undefined;
    this.root = state.root;
    this.count = state.count;
  }

  /** A tree that begins as a state of this one, and changes in a space of its own. */
  fork(space: TreeSpace, state: TreeState): Tree {
    return new Tree(this.id, space, state, this.#weigh);
  }

  /** Lets go of a remembered path, for when pages were replaced behind the tree's back. */
  forgetPath(): void {
    this.#leaf = undefined;
  }

  #descend(key: string): Leaf {
    const remembered = this.#leaf;
    if (remembered !== undefined && key >= this.#low && (this.#high === undefined || key < this.#high))
      return remembered;
    const space = this.space;
    let node = space.resolve(this.root);
    let depth = 0;
    let low = '';
    let high: string | undefined;
    this.#leaf = undefined;
    while (!node.isLeaf) {
      const at = childIndex(node.keys, key);
      this.#path[depth] = node;
      this.#at[depth] = at;
      if (at > 0) low = node.keys[at - 1]!;
      if (at < node.keys.length) high = node.keys[at]!;
      depth += 1;
      node = space.resolve(node.children[at]!);
    }
    this.#path.length = depth;
    this.#at.length = depth;
    this.#low = low;
    this.#high = high;
    this.#leaf = node;
    return node;
  }

  /** Copies what is published on the remembered path, root first, and answers the leaf, which may then be changed. */
  #writable(leaf: Leaf): Leaf {
    const { version } = this.space;
    if (leaf.version === version) return leaf;
    for (let depth = 0; depth < this.#path.length; depth += 1) {
      const branch = this.#path[depth]!;
      if (branch.version === version) continue;
      const copy = new Branch(version, branch.keys.slice(), branch.children.slice(), branch.counts.slice());
      this.#replace(depth, branch, copy);
      this.#path[depth] = copy;
    }
    const copy = new Leaf(version, leaf.keys.slice(), leaf.values?.slice(), leaf.bytes);
    this.#replace(this.#path.length, leaf, copy);
    this.#leaf = copy;
    return copy;
  }

  #replace(depth: number, old: TreeNode, node: TreeNode): void {
    if (depth === 0) this.root = node;
    else this.#path[depth - 1]!.children[this.#at[depth - 1]!] = node;
    // A copy of a node without a page takes over its weight; a node with a page becomes dirty again.
    if (old.page !== 0) this.space.dirtyBytes += node.bytes;
    this.#free(old);
  }

  #free(node: TreeNode): void {
    if (node.version < this.space.version) this.space.free(node);
  }

  #splitWhenFull(leaf: Leaf, changed: number): void {
    const { length } = leaf.keys;
    if ((leaf.bytes <= LEAF_BYTES_MAX && length <= LEAF_ENTRIES_MAX) || length < 2) return;
    // Keys that arrive in order leave full leaves behind: only the newest entry moves on.
    const isAppend = changed === length - 1 && this.#high === undefined;
    const at = isAppend ? length - 1 : this.#middle(leaf);
    const { version } = this.space;
    const right = new Leaf(version, leaf.keys.splice(at), leaf.values?.splice(at), 0);
    right.bytes = isAppend ? this.#weighLeaf(right) : leaf.bytes - this.#weighLeaf(leaf);
    leaf.bytes -= right.bytes;
    const separator = separatorOf(leaf.keys[at - 1]!, right.keys[0]!);
    this.#insertChild(this.#path.length - 1, leaf, separator, right);
    this.#leaf = undefined;
  }

  #weighLeaf(leaf: Leaf): number {
    let bytes = 0;
    for (let i = 0; i < leaf.keys.length; i += 1) {
      bytes += leaf.keys[i]!.length + KEY_OVERHEAD_BYTES;
      if (leaf.values !== undefined) bytes += this.#weigh!(leaf.values[i]);
    }
    return bytes;
  }

  /** The position that halves a leaf by bytes. */
  #middle(leaf: Leaf): number {
    let bytes = 0;
    for (let i = 0; i < leaf.keys.length - 1; i += 1) {
      bytes += leaf.keys[i]!.length + KEY_OVERHEAD_BYTES;
      if (leaf.values !== undefined) bytes += this.#weigh!(leaf.values[i]);
      if (bytes >= leaf.bytes / 2) return i + 1;
    }
    return leaf.keys.length - 1;
  }

  /** Puts `right` behind `left` into the branch at `depth` of the path, splitting upwards. */
  #insertChild(depth: number, left: TreeNode, separator: string, right: TreeNode): void {
    const { version } = this.space;
    const rightCount = right.isLeaf ? right.keys.length : sum(right.counts);
    if (depth < 0) {
      const leftCount = left.isLeaf ? left.keys.length : sum(left.counts);
      this.root = new Branch(version, [separator], [left, right], [leftCount, rightCount]);
      this.space.dirtyBytes += 2 * BRANCH_ENTRY_BYTES;
      return;
    }
    const parent = this.#path[depth]!;
    const at = this.#at[depth]!;
    parent.keys.splice(at, 0, separator);
    parent.children.splice(at + 1, 0, right);
    parent.counts[at]! -= rightCount;
    parent.counts.splice(at + 1, 0, rightCount);
    parent.bytes += BRANCH_ENTRY_BYTES;
    this.space.dirtyBytes += BRANCH_ENTRY_BYTES;
    if (parent.children.length <= BRANCH_CHILDREN_MAX) return;
    const isAppend = at === parent.children.length - 2 && this.#high === undefined;
    const middle = isAppend ? parent.children.length - 2 : parent.children.length >>> 1;
    const up = parent.keys[middle - 1]!;
    const sibling = new Branch(
      version,
      parent.keys.splice(middle),
      parent.children.splice(middle),
      parent.counts.splice(middle),
    );
    parent.keys.pop();
    parent.bytes -= sibling.bytes;
    this.#insertChild(depth - 1, parent, up, sibling);
  }

  #weighEntry(key: string, value: unknown): number {
    return key.length + KEY_OVERHEAD_BYTES + (this.#weigh === undefined ? 0 : this.#weigh(value));
  }

  #shrunk(leaf: Leaf): void {
    if (leaf.keys.length === 0) this.#removeEmpty(leaf);
    else if (leaf.bytes < LEAF_BYTES_MAX / 4 && leaf.keys.length < LEAF_ENTRIES_MAX / 4) this.#mergeWithNext(leaf);
  }

  #removeEmpty(leaf: Leaf): void {
    this.#leaf = undefined;
    let node: TreeNode = leaf;
    for (let depth = this.#path.length - 1; depth >= 0; depth -= 1) {
      this.#free(node);
      const parent = this.#path[depth]!;
      this.#removeChild(parent, this.#at[depth]!);
      if (parent.children.length > 0) {
        this.#collapseRoot();
        return;
      }
      node = parent;
    }
    this.root = node.isLeaf ? node : new Leaf(this.space.version, [], this.#weigh === undefined ? undefined : [], 0);
  }

  #removeChild(parent: Branch, at: number): void {
    parent.children.splice(at, 1);
    parent.counts.splice(at, 1);
    parent.keys.splice(at === 0 ? 0 : at - 1, 1);
    parent.bytes -= BRANCH_ENTRY_BYTES;
  }

  #collapseRoot(): void {
    for (;;) {
      const root = this.space.peek(this.root);
      if (root === undefined || root.isLeaf || root.children.length > 1) return;
      this.#free(root);
      this.root = root.children[0]!;
    }
  }

  /** Joins a thin leaf with its right neighbour when that is in memory and both fit. Else `compact` will do it. */
  #mergeWithNext(leaf: Leaf): void {
    const depth = this.#path.length - 1;
    if (depth < 0) return;
    const parent = this.#path[depth]!;
    const at = this.#at[depth]!;
    const nextRef = parent.children[at + 1];
    const next = nextRef === undefined ? undefined : this.space.peek(nextRef);
    if (next === undefined || !next.isLeaf) return;
    if (leaf.bytes + next.bytes > (LEAF_BYTES_MAX * 3) / 4) return;
    if (leaf.keys.length + next.keys.length > (LEAF_ENTRIES_MAX * 3) / 4) return;
    leaf.keys.push(...next.keys);
    if (next.values !== undefined) leaf.values!.push(...next.values);
    leaf.bytes += next.bytes;
    parent.counts[at]! += parent.counts[at + 1]!;
    this.#removeChild(parent, at + 1);
    // Left of `at + 1` the separator that went is the one between the two leaves.
    if (next.page !== 0) this.space.dirtyBytes += next.bytes;
    this.#free(next);
    this.#leaf = undefined;
    this.#collapseRoot();
  }
}

/** Values of keys that are inserted together. */
export type SortedValues = {
  /** The runs of values from one position to another. */
  readonly values?: { runs(from: number, to: number): readonly ValueRun[] };
  readonly weights?: readonly number[];
};

const valuesOf = (runs: readonly ValueRun[]): readonly unknown[] =>
  runs.flatMap(({ batch, from, to }) => batch.rows.slice(from, to));

/** Merges sorted new entries, `start` to `end`, into a leaf. `values` are those of these entries. */
function mergeInto(
  leaf: Leaf,
  keys: readonly string[],
  values: readonly unknown[] | undefined,
  start: number,
  end: number,
): void {
  if (end - start < MERGE_MIN) {
    for (let i = start; i < end; i += 1) {
      const at = lowerBound(leaf.keys, keys[i]!);
      leaf.keys.splice(at, 0, keys[i]!);
      leaf.values?.splice(at, 0, values![i - start]);
    }
    return;
  }
  const oldKeys = leaf.keys;
  const oldValues = leaf.values;
  const mergedKeys: string[] = [];
  const mergedValues: unknown[] = [];
  let old = 0;
  for (let i = start; i < end; i += 1) {
    const key = keys[i]!;
    while (old < oldKeys.length && oldKeys[old]! < key) {
      mergedKeys.push(oldKeys[old]!);
      if (oldValues !== undefined) mergedValues.push(oldValues[old]);
      old += 1;
    }
    mergedKeys.push(key);
    if (oldValues !== undefined) mergedValues.push(values![i - start]);
  }
  for (; old < oldKeys.length; old += 1) {
    mergedKeys.push(oldKeys[old]!);
    if (oldValues !== undefined) mergedValues.push(oldValues[old]);
  }
  leaf.keys = mergedKeys;
  if (oldValues !== undefined) leaf.values = mergedValues;
}

function holdsAny({ keys: own }: Leaf, keys: readonly string[], start: number, end: number): boolean {
  for (let i = start; i < end; i += 1) if (own[lowerBound(own, keys[i]!)] === keys[i]) return true;
  return false;
}

/** Takes the ascending keys `start` to `end` out of a leaf. Answers what those that were there weigh. */
function takeOut(
  { keys: own, values }: Leaf,
  keys: readonly string[],
  start: number,
  end: number,
  weigh: (key: string, value: unknown) => number,
): number {
  let weight = 0;
  // One by one, each shifts what is behind it.
  for (let i = start; end - start < MERGE_MIN && i < end; i += 1) {
    const at = lowerBound(own, keys[i]!);
    if (own[at] !== keys[i]) continue;
    weight += weigh(keys[i]!, values?.[at]);
    own.splice(at, 1);
    values?.splice(at, 1);
  }
  if (end - start < MERGE_MIN) return weight;
  let at = lowerBound(own, keys[start]!);
  let kept = at;
  for (let i = start; i < end; i += 1) {
    const from = at;
    while (at < own.length && own[at]! < keys[i]!) at += 1;
    kept = shiftDown(own, values, from, at, kept);
    if (own[at] !== keys[i]) continue;
    weight += weigh(keys[i]!, values?.[at]);
    at += 1;
  }
  kept = shiftDown(own, values, at, own.length, kept);
  own.length = kept;
  if (values !== undefined) values.length = kept;
  return weight;
}

/** Moves entries `from` to `to` down to `at`; answers the place behind them. */
function shiftDown(keys: string[], values: unknown[] | undefined, from: number, to: number, at: number): number {
  if (from === at) return to;
  let place = at;
  for (let i = from; i < to; i += 1, place += 1) {
    keys[place] = keys[i]!;
    if (values !== undefined) values[place] = values[i];
  }
  return place;
}

/** From so many entries on, rebuilding the arrays of a leaf beats shifting them. */
const MERGE_MIN = 8;

/** Runs of neighbouring leaves that fit into one, greedily from the left. */
function planJoins(leaves: readonly Leaf[]): readonly { readonly start: number; readonly end: number }[] {
  const runs: { start: number; end: number }[] = [];
  let bytes = 0;
  let entries = 0;
  for (const [at, leaf] of leaves.entries()) {
    bytes += leaf.bytes;
    entries += leaf.keys.length;
    const last = runs.at(-1);
    if (last !== undefined && bytes <= LEAF_BYTES_MAX && entries <= LEAF_ENTRIES_MAX) {
      last.end = at + 1;
      continue;
    }
    runs.push({ start: at, end: at + 1 });
    bytes = leaf.bytes;
    entries = leaf.keys.length;
  }
  return runs;
}

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

/** The shortest string that is above `left` and not above `right`: short separators make high branches. */
export function separatorOf(left: string, right: string): string {
  let same = 0;
  while (same < left.length && left.charCodeAt(same) === right.charCodeAt(same)) same += 1;
  return right.slice(0, same + 1);
}
