/** Walks ranges of one tree, run by run. Throws PAGE_MISS when a leaf is not in memory, and goes on when called again. */
import { type KeyRange, type LeafRun, LeafScan, type NodeSource, type TreeState } from '../pages/index.ts';

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
      const run = this.#scan.next();
      if (run !== undefined) return run;
      this.#scan = undefined;
      this.#next += this.#reverse ? -1 : 1;
    }
  }
}
