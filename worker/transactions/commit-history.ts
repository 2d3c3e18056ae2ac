/**
 * What was committed since the oldest open transaction began, so that a commit can be checked against what its
 * transaction has read. Commits are numbered in the order in which they are applied to the head; a number is never used
 * twice, also when the head goes back. What readers see is always the outcome of all commits up to some number (TXN-1).
 *
 * Bounded: when more than CHANGES_MAX changes are kept, the oldest go, and transactions that began before them fail.
 */
import type { PreparedWrite } from './write-task.ts';

/** Changes of rows that are kept. They are references to rows that the engine had anyway. */
const CHANGES_MAX = 200_000;

export type Applied = { readonly number: number; readonly writes: readonly PreparedWrite[]; readonly changes: number };

export class CommitHistory {
  #entries: Applied[] = [];
  #changes = 0;
  /** What was forgotten for want of room: transactions that began before it cannot be checked. */
  #floor = 0;
  readonly #open: Map<number, number> = new Map();
  /** Of the last commit that was applied. */
  last = 0;
  /** Of the last commit that readers see. */
  visible = 0;
  #waiters: { readonly number: number; readonly resolve: () => void }[] = [];

  /** Keeps what is committed after what is visible now, until the answered function is called. */
  begin(): { readonly number: number; readonly end: () => void } {
    const number = this.visible;
    this.#open.set(number, (this.#open.get(number) ?? 0) + 1);
    let isOpen = true;
    const end = (): void => {
      if (!isOpen) return;
      isOpen = false;
      const left = this.#open.get(number)! - 1;
      if (left === 0) this.#open.delete(number);
      else this.#open.set(number, left);
    };
    return { number, end };
  }

  record(writes: readonly PreparedWrite[]): void {
    const changes = writes.reduce(
      (sum, { inserts, deletes, changes }) => sum + ((inserts ?? deletes)?.keys.length ?? changes.length),
      0,
    );
    this.last += 1;
    this.#entries.push({ number: this.last, writes, changes });
    this.#changes += changes;
  }

  /** The head went back: what was applied after a commit has not happened. Numbers go on. */
  dropAfter(number: number): void {
    while (this.#entries.length > 0 && this.#entries.at(-1)!.number > number)
      this.#changes -= this.#entries.pop()!.changes;
  }

  /** Readers see all commits up to a number. */
  show(number: number): void {
    if (number > this.visible) this.visible = number;
    let needed = this.visible;
    for (const open of this.#open.keys()) if (open < needed) needed = open;
    let done = 0;
    while (done < this.#entries.length) {
      const entry = this.#entries[done]!;
      const isSurplus = this.#changes > CHANGES_MAX && entry.number <= this.visible;
      if (entry.number > needed && !isSurplus) break;
      if (entry.number > needed) this.#floor = entry.number;
      this.#changes -= entry.changes;
      done += 1;
    }
    if (done > 0) this.#entries.splice(0, done);
    this.#wake((waiter) => waiter.number <= this.visible);
  }

  /** The commits after a number, in order; undefined when some of them were forgotten. */
  since(number: number): readonly Applied[] | undefined {
    if (number < this.#floor) return undefined;
    const first = this.#entries.findIndex((entry) => entry.number > number);
    return first < 0 ? [] : this.#entries.slice(first);
  }

  /** Resolves when readers see a commit, or when nothing will be seen any more. */
  whenVisible(number: number): Promise<void> {
    if (number <= this.visible) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ number, resolve }));
  }

  /** A commit that others wait for may have been undone: they look again. */
  wakeAll(): void {
    this.#wake(() => true);
  }

  get length(): number {
    return this.#entries.length;
  }

  #wake(isDue: (waiter: { readonly number: number }) => boolean): void {
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter(isDue);
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    for (const { resolve } of due) resolve();
  }
}
