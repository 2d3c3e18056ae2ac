/**
 * The space that all trees of a store share: head version, page cache, loading, and the ids of pages that the head no
 * longer needs. It knows nothing of rows or of what keys mean.
 *
 * Reading is synchronous while pages are in memory. A page that is not throws PAGE_MISS after noting its id, and
 * `whenResident` loads what was missed and runs the reader again, so hot paths never pay for a promise.
 */
import { assert } from '../../src/base/assert.ts';
import { toPageId } from '../../src/base/ids.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { MaybePromise } from '../../src/protocol/engine-api.ts';
import type { PageStore } from '../storage/index.ts';
import type { NodeRef, TreeNode } from './node.ts';
import { decodePage, type PageKind } from './page-format.ts';
import type { TreeSpace } from './tree-space.ts';

/**
 * Thrown by synchronous readers; caught by `whenResident` only. One object, as a stack for each would cost more, and
 * without a stack even so: to tell the line of an error that is made while a module loads, V8 parses the whole script a
 * second time, which took a third of the worker's start.
 */
export const PAGE_MISS: Error = Object.create(Error.prototype, { message: { value: 'A page is not in memory.' } });

/** Heap bytes of a decoded row per estimated byte on the page, measured in Chromium with 8-field rows. */
const ROW_HEAP_FACTOR = 2.2;

export const heapBytes = (node: TreeNode): number =>
  node.isLeaf && node.hasValues ? node.bytes * ROW_HEAP_FACTOR : node.bytes;

export class PageSpace implements TreeSpace {
  readonly #store: PageStore;
  readonly #cacheBytesMax: number;
  readonly #cache: Map<number, TreeNode> = new Map();
  readonly #loading: Map<number, Promise<void>> = new Map();
  readonly #kinds: Map<number, PageKind> = new Map();
  readonly #missed: Set<number> = new Set();
  #holds = 0;
  /** Nodes of this version may be changed in place; older ones are copied first. */
  version = 1;
  /** Pages and published nodes that the head stopped needing since it was last sealed. */
  freed: (number | TreeNode)[] = [];
  /** Whether a checkpoint is under way: it gives pages to nodes that the head may have replaced already. */
  isWriting = false;
  /** Nodes that were given up while a checkpoint was writing them. */
  readonly outlived: Set<TreeNode> = new Set();
  /** Weight of nodes that have no page yet, as an estimate: a checkpoint sets it right. */
  dirtyBytes = 0;
  cacheBytes = 0;
  nextPage = 1;
  pagesRead = 0;
  /** Loads whatever else a reader may have missed before it threw PAGE_MISS. */
  alsoLoad: (() => Promise<void>) | undefined;
  /** Raised when pages are deleted: a reader that then finds one missing begins anew from the current root. */
  deletions = 0;

  constructor(store: PageStore, options: { readonly cacheBytesMax: number }) {
    this.#store = store;
    this.#cacheBytesMax = options.cacheBytesMax;
  }

  /** How to decode the pages of a tree. A tree is registered before its first page is read. */
  register(treeId: number, kind: PageKind): void {
    this.#kinds.set(treeId, kind);
  }

  /**
   * The head has replaced a published node. One without a page may still get one, from a checkpoint of the stored state,
   * until the head is stored.
   */
  free(node: TreeNode): void {
    if (node.page !== 0 && !this.isWriting) this.freed.push(node.page, ...node.parts);
    else this.freed.push(node);
  }

  /** Pages of what was freed, once no later checkpoint can write it. */
  pagesOf(freed: readonly (number | TreeNode)[]): readonly number[] {
    const pages: number[] = [];
    for (const each of freed) {
      if (typeof each === 'number') pages.push(each);
      else if (each.page !== 0) {
        pages.push(each.page, ...each.parts);
        if (this.isWriting) this.outlived.add(each);
      }
    }
    return pages;
  }

  allocate(): number {
    return this.nextPage++;
  }

  resolve(ref: NodeRef): TreeNode {
    if (typeof ref !== 'number') return ref;
    const node = this.#cache.get(ref);
    if (node === undefined) {
      this.#missed.add(ref);
      throw PAGE_MISS;
    }
    node.wasUsed = true;
    return node;
  }

  /** The node when it is in memory, without noting a miss. */
  peek(ref: NodeRef): TreeNode | undefined {
    return typeof ref === 'number' ? this.#cache.get(ref) : ref;
  }

  /** Asks for a page with the next load, when it is not in memory anyway. */
  want(ref: NodeRef): void {
    if (typeof ref === 'number' && !this.#cache.has(ref)) this.#missed.add(ref);
  }

  get hasWanted(): boolean {
    return this.#missed.size > 0;
  }

  /** Whether readers are collecting what they need. */
  get isHeld(): boolean {
    return this.#holds > 0;
  }

  /** Runs a synchronous reader until all pages it needs are in memory. */
  whenResident<T>(read: () => T): MaybePromise<T> {
    try {
      return read();
    } catch (error) {
      if (error !== PAGE_MISS) throw error;
      return this.#retry(read);
    }
  }

  async #retry<T>(read: () => T): Promise<T> {
    // While a reader collects its pages nothing is evicted, or two readers could take turns in evicting each other's.
    this.#holds += 1;
    try {
      for (;;) {
        const { deletions } = this;
        try {
          await this.loadWanted();
          return read();
        } catch (error) {
          const isGone = error instanceof StoreError && (error.code === 'page/missing' || 'blob' in error.details);
          const isOutdated = isGone && deletions !== this.deletions;
          if (error !== PAGE_MISS && !isOutdated) throw error;
        }
      }
    } finally {
      this.#holds -= 1;
    }
  }

  /** Loads the pages that were missed or wanted, in one transaction. */
  async loadWanted(): Promise<void> {
    const ids = [...this.#missed];
    this.#missed.clear();
    await Promise.all([this.load(ids), this.alsoLoad?.()]);
  }

  async load(ids: readonly number[]): Promise<void> {
    const wanted = ids.filter((id) => !this.#cache.has(id) && !this.#loading.has(id));
    if (wanted.length > 0) {
      const loading = this.#read(wanted).finally(() => {
        for (const id of wanted) this.#loading.delete(id);
      });
      for (const id of wanted) this.#loading.set(id, loading);
    }
    await Promise.all(ids.map((id) => this.#loading.get(id)));
  }

  async #read(ids: readonly number[]): Promise<void> {
    const images = await this.#store.read(ids.map(toPageId));
    for (const [index, id] of ids.entries()) {
      const decoded = decodePage(id, images[index], this.#kinds);
      if (decoded.type === 'node') {
        this.adopt(decoded.node);
        continue;
      }
      const parts = await this.#store.read(decoded.parts.map(toPageId));
      if (parts.some((part) => part === undefined)) {
        throw new StoreError('page/missing', `A part of page ${id} is missing.`, { details: { page: id } });
      }
      const whole = joinParts(parts as Uint8Array[]);
      const node = decodePage(id, whole, this.#kinds);
      if (node.type !== 'node') {
        throw new StoreError('page/damaged', `The parts of page ${id} are a chain again.`, { details: { page: id } });
      }
      node.node.parts = decoded.parts;
      this.adopt(node.node);
    }
    this.pagesRead += ids.length;
  }

  /** Puts a node that has a page into the cache. */
  adopt(node: TreeNode): void {
    assert(node.page > 0, 'Only a node with a page can be cached.');
    const known = this.#cache.get(node.page);
    if (known !== undefined) this.cacheBytes -= heapBytes(known);
    this.#cache.set(node.page, node);
    this.cacheBytes += heapBytes(node);
  }

  forget(page: number): void {
    const node = this.#cache.get(page);
    if (node === undefined) return;
    this.#cache.delete(page);
    this.cacheBytes -= heapBytes(node);
  }

  /** Evicts down to the budget, sparing what was used since the last round. Called between operations, never within one. */
  trim(): void {
    if (this.cacheBytes <= this.#cacheBytesMax || this.#holds > 0) return;
    // Two rounds at most: the first takes away the marks, the second may evict.
    let steps = this.#cache.size * 2;
    for (const [page, node] of this.#cache) {
      if (this.cacheBytes <= this.#cacheBytesMax || steps-- <= 0) return;
      this.#cache.delete(page);
      if (node.wasUsed) {
        node.wasUsed = false;
        this.#cache.set(page, node);
      } else {
        this.cacheBytes -= heapBytes(node);
      }
    }
  }

  /** Evicts everything that has a page. For measurements and verification. */
  dropCache(): void {
    this.#cache.clear();
    this.cacheBytes = 0;
  }
}

function joinParts(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
