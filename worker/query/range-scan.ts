/** Walks ranges of one tree, run by run. Throws PAGE_MISS when a leaf is not in memory, and goes on when called again. */
import {
  type KeyRange,
  type LeafRun,
  LeafScan,
  type NodeSource,
  PAGE_MISS,
  type TreeState,
  wantKey,
} from '../pages/index.ts';

/** Ranges that are asked for with one that is missing. Most are of one key, and each may be on a page of its own. */
const READ_AHEAD_RANGES = 64;

export class RangeScan {
  readonly #space: NodeSource;
  readonly #state: TreeState;
  readonly #ranges: readonly KeyRange[];
  readonly #reverse: boolean;
  #next: number;
  #scan: LeafScan | undefined;

  /** `ranges` ascend and do not overlap; `reverse` walks them from the end. */
  constructor(space: NodeSource, state: TreeState, ranges: readonly KeyRange[], { reverse }: { reverse: boolean }) {
    this.#space = space;
    this.#state = state;
    this.#ranges = ranges;
    this.#reverse = reverse;
    this.#next = reverse ? ranges.length - 1 : 0;
  }

  next(): LeafRun | undefined {
    for (;;) {
      if (this.#scan === undefined) {
        const range = this.#ranges[this.#next];
        if (range === undefined) return undefined;
        this.#scan = new LeafScan(this.#space, this.#state, range, { reverse: this.#reverse });
      }
      const run = this.#read(this.#scan);
      if (run !== undefined) return run;
      this.#scan = undefined;
      this.#next += this.#reverse ? -1 : 1;
    }
  }

  #read(scan: LeafScan): LeafRun | undefined {
    try {
      return scan.next();
    } catch (error) {
      if (error === PAGE_MISS) this.#wantAhead();
      throw error;
    }
  }

  #wantAhead(): void {
    const step = this.#reverse ? -1 : 1;
    for (let ahead = 1; ahead <= READ_AHEAD_RANGES; ahead += 1) {
      const range = this.#ranges[this.#next + ahead * step];
      if (range === undefined) return;
      const border = this.#reverse ? range.to : range.from;
      if (border !== undefined) wantKey(this.#space, this.#state.root, border);
    }
  }
}
