/**
 * What a framework's binding needs of the client: the Observable contract, no more. A binding holds no copy of the client
 * and no RxJS; whatever keeps these promises can be shown by it.
 */

export interface Subscribable<T> {
  /** Nothing is told after `unsubscribe`, `error` or `complete`. The first value may come during the call. */
  subscribe(observer: { next(value: T): void; error(error: unknown): void; complete(): void }): { unsubscribe(): void };
}

/** A `Query` is one. Awaited it gives its rows once, or says why it cannot. */
export interface LiveSource<T> extends PromiseLike<T[]> {
  /** The rows, and all of them again after each change of one. Rows that have not changed stay the same objects. */
  readonly $: Subscribable<readonly T[]>;
  /**
   * What is asked, when equal questions may share an answer: whom (compared by identity), then plain data. Without it only
   * the source itself is the same.
   */
  readonly question?: readonly [asked: object, ...data: readonly unknown[]];
}
