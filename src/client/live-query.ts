/** Live queries on the page: steps of the engine become arrays of rows, and what has changed between two of them. */
import { map, Observable, ReplaySubject, type Subscriber, share } from 'rxjs';
import type { Row } from '../base/row.ts';
import type { StoreError } from '../base/store-error.ts';
import { ADD, CHANGE, DROP, KEEP, type Script } from '../protocol/live.ts';
import type { Call } from '../protocol/messages.ts';
import { type CollectionContext, NO_TIMEOUT } from './collection-context.ts';
import type { CallOptions } from './link.ts';

/**
 * From one result to the next. Applied to the old array: what is `removed` and `moved` leaves `from`; `added` and `moved`
 * stand `at` their places in the new one; then `changed` replaces what stands there. Each list goes by its places.
 */
export type Delta<T> = {
  readonly added: readonly { readonly row: T; readonly at: number }[];
  readonly removed: readonly { readonly row: T; readonly from: number }[];
  /** To another place among the others, and so with other values. */
  readonly moved: readonly { readonly row: T; readonly before: T; readonly from: number; readonly at: number }[];
  readonly changed: readonly { readonly row: T; readonly before: T; readonly at: number }[];
};

/** A result, the one before it, and the step between them. */
export type LiveRows = { readonly rows: Row[]; readonly before: readonly Row[]; readonly script: Script };

/** `call` makes the call of each subscription of the worker: results of rows, or counts. */
export function liveQuery<R>(context: CollectionContext, { signal }: CallOptions, call: () => Call): Observable<R> {
  return new Observable<R>((subscriber) => {
    const { link } = context;
    let before: readonly Row[] = [];
    let taken: Row[] = [];
    // What is not there yet, the engine may take any time for: there is nothing to be repeated.
    const pending = link.open(call(), { owner: context, options: { signal }, timeoutMs: NO_TIMEOUT });
    pending.onLive = ([, places, script], all) => {
      if (typeof places === 'number') return subscriber.next(places as R);
      // Another leader begins: it knows nothing of the rows of a step that was cut.
      if (!places.length) taken = [];
      for (const place of places) taken.push(all[place]!);
      if (!script) return;
      const rows: Row[] = [];
      let used = 0;
      walk(script, before.length, (step, from) => {
        if (step !== DROP) rows.push(step === KEEP ? before[from]! : taken[used++]!);
      });
      subscriber.next({ rows, before, script } as R);
      before = rows;
      taken = [];
    };
    pending.promise.catch(endOf(subscriber));
    return () => link.cancel(pending, undefined);
  }).pipe(share({ connector: () => new ReplaySubject(1) }));
}

/** A subscriber may come when others have seen much: what it sees first is all `added`. */
export const toDeltas = (rows$: Observable<LiveRows>, key: string): Observable<Delta<Row>> =>
  rows$.pipe(
    map(({ rows, before, script }, turn) => {
      const changed: unknown[] = [];
      const moved: unknown[] = [];
      const added: { readonly row: Row; readonly at: number }[] = [];
      const gone = new Map<unknown, { readonly row: Row; readonly from: number }>();
      walk(turn === 0 ? [0, 0, 0, rows.length] : script, turn && before.length, (step, from, at) => {
        const row = rows[at]!;
        const old = before[from]!;
        if (step === CHANGE) changed.push({ row, before: old, at });
        if (step === DROP) gone.set(old[key] ?? old, { row: old, from });
        if (step === ADD) added.push({ row, at });
      });
      const arrived = added.filter(({ row, at }) => {
        const old = gone.get(row[key]);
        if (old !== undefined) moved.push({ row, before: old.row, from: old.from, at });
        return !gone.delete(row[key]);
      });
      return { added: arrived, removed: [...gone.values()], moved, changed } as Delta<Row>;
    }),
  );

/** Visits each row of both results, with its place in either, and what becomes of it. */
function walk(script: Script, length: number, visit: (step: number, from: number, at: number) => void): void {
  let from = 0;
  let at = 0;
  for (let i = 0; i < script.length || from < length; i++) {
    const step = i % 4;
    for (let left = script[i] ?? length - from; left > 0; left--) {
      visit(step, from, at);
      if (step !== ADD) from++;
      if (step !== DROP) at++;
    }
  }
}

/** Closing the store is an end like any other. */
export const endOf =
  <R>(subscriber: Subscriber<R>) =>
  (error: unknown): void => {
    if ((error as StoreError | undefined)?.code === 'store/closed') subscriber.complete();
    else subscriber.error(error);
  };
