/**
 * Who still reads old states, and which pages and blobs wait for them. Every publication is one tick; what a frame
 * stopped needing may go once no snapshot is older than the tick that published the frame.
 */
export type Freed = { readonly pages: readonly number[]; readonly blobs: readonly number[] };

export class SnapshotRegistry {
  readonly #open: Map<number, number> = new Map();
  #waiting: { readonly tick: number; readonly freed: Freed }[] = [];
  #tick = 0;

  get openCount(): number {
    let count = 0;
    for (const readers of this.#open.values()) count += readers;
    return count;
  }

  /** Keeps what is published now readable until the answered function is called. Releasing twice is harmless. */
  open(): () => void {
    const tick = this.#tick;
    this.#open.set(tick, (this.#open.get(tick) ?? 0) + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.#open.get(tick)! - 1;
      if (left === 0) this.#open.delete(tick);
      else this.#open.set(tick, left);
    };
  }

  /** A frame was published that no longer needs these. */
  publish(freed: Freed): void {
    this.#tick += 1;
    if (freed.pages.length > 0 || freed.blobs.length > 0) this.#waiting.push({ tick: this.#tick, freed });
  }

  /** Takes what may be deleted now; the rest is answered as still pending and stays here. */
  take(): { readonly free: Freed; readonly pending: Freed } {
    let oldest = Number.POSITIVE_INFINITY;
    for (const tick of this.#open.keys()) oldest = Math.min(oldest, tick);
    const free = this.#waiting.filter(({ tick }) => tick <= oldest);
    this.#waiting = this.#waiting.filter(({ tick }) => tick > oldest);
    return { free: join(free), pending: join(this.#waiting) };
  }

  /** Gives back what was taken for a checkpoint that failed. */
  giveBack(freed: Freed): void {
    this.#waiting.unshift({ tick: 0, freed });
  }
}

function join(list: readonly { readonly freed: Freed }[]): Freed {
  return { pages: list.flatMap(({ freed }) => freed.pages), blobs: list.flatMap(({ freed }) => freed.blobs) };
}
