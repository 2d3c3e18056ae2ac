/**
 * Intervals of strings without their upper ends, and who has them: answers those that begin at or below the end of a span
 * and end above its beginning. A sorted array with the largest end of each
 * half is built when it is asked for after a change, so that many changes in a row cost one sort.
 */
type Interval<T> = { readonly low: string; readonly high: string; readonly owner: T };

export class IntervalIndex<T> {
  readonly #byOwner = new Map<T, Interval<T>>();
  #sorted: readonly Interval<T>[] | undefined;
  /** At the middle of each part: the largest end in that part. */
  #ends: string[] = [];

  get size(): number {
    return this.#byOwner.size;
  }

  add(owner: T, low: string, high: string): void {
    this.#byOwner.set(owner, { low, high, owner });
    this.#sorted = undefined;
  }

  delete(owner: T): void {
    this.#byOwner.delete(owner);
    this.#sorted = undefined;
  }

  /** `low` and `high` both belong to the span. */
  eachMeeting(low: string, high: string, visit: (owner: T) => void): void {
    if (this.#sorted === undefined) this.#build();
    this.#visit(0, this.#sorted!.length, low, high, visit);
  }

  #build(): void {
    this.#sorted = [...this.#byOwner.values()].sort((a, b) => (a.low < b.low ? -1 : 1));
    this.#ends = new Array<string>(this.#sorted.length).fill('');
    this.#measure(0, this.#sorted.length);
  }

  #measure(from: number, to: number): string {
    if (from >= to) return '';
    const middle = (from + to) >>> 1;
    const ends = [this.#measure(from, middle), this.#measure(middle + 1, to), this.#sorted![middle]!.high];
    this.#ends[middle] = ends.reduce((a, b) => (a < b ? b : a));
    return this.#ends[middle]!;
  }

  #visit(from: number, to: number, low: string, high: string, visit: (owner: T) => void): void {
    if (from >= to) return;
    const middle = (from + to) >>> 1;
    if (this.#ends[middle]! <= low) return;
    this.#visit(from, middle, low, high, visit);
    const interval = this.#sorted![middle]!;
    if (interval.low > high) return;
    if (interval.high > low) visit(interval.owner);
    this.#visit(middle + 1, to, low, high, visit);
  }
}
