/** A store as an application has it: its collections, its state, its end. */
import type { BehaviorSubject, Observable } from 'rxjs';
import { StoreError } from '../base/store-error.ts';
import type { Health, Migration, VerifyReport } from '../protocol/engine-api.ts';
import { MIGRATIONS_OF_STORE, TABS_OF_STORE } from '../protocol/messages.ts';
import type { StoreStatus } from '../protocol/store-status.ts';
import type { TabInfo } from '../protocol/tabs.ts';
import type { LongOptions } from './call-options.ts';
import type { Collection } from './collection.ts';
import { LONG_TIMEOUT_MS } from './collection-context.ts';
import type { CollectionOf, Definitions, RowsOf } from './definitions.ts';
import type { EngineWorker } from './engine-worker.ts';
import { type CallOptions, type Link, within } from './link.ts';
import { newsOf } from './subscription.ts';
import type { Transaction, TransactionOptions } from './transaction.ts';

export type Store<C extends Definitions = Definitions> = StoreBase<C> & {
  readonly [Name in keyof C]: CollectionOf<C[Name], RowsOf<C>>;
};

export type VerifyOptions = LongOptions & {
  /** Default: true. Indexes that disagree with their collection are made anew. */
  readonly repair?: boolean | undefined;
};

/** How long closing waits for calls under way, and for the engine. */
const CLOSE_TIMEOUT_MS = 10_000;

export class StoreBase<C extends Definitions = Definitions> {
  readonly name: string;
  readonly status$: Observable<StoreStatus>;
  /** Collections whose documents were of an older version when the store was opened, and how far each has come. */
  readonly migrations$: Observable<readonly Migration[]>;
  /** Tabs that have the store open, the one that leads first: now, and whenever one comes or goes. */
  readonly tabs$: Observable<readonly TabInfo[]>;
  /**
   * Runs a function whose reads and writes through `tx` are one: stored together or not at all, and as if nothing else
   * had happened meanwhile. Answers what it answers. One that has lost a race is run again, so besides its `tx` it should
   * do nothing that must not be done twice.
   */
  readonly transaction: <R>(run: (tx: Transaction<C>) => R | Promise<R>, options?: TransactionOptions) => Promise<R>;
  readonly #status: BehaviorSubject<StoreStatus>;
  readonly #link: Link;
  readonly #worker: EngineWorker;
  readonly #collections: ReadonlyMap<string, Collection>;
  #end: Promise<void> | undefined;

  /** Made by `openStore`. */
  constructor(
    name: string,
    link: Link,
    worker: EngineWorker,
    status: BehaviorSubject<StoreStatus>,
    collections: ReadonlyMap<string, Collection>,
    transaction: StoreBase<C>['transaction'],
  ) {
    this.name = name;
    this.#link = link;
    this.#worker = worker;
    this.#status = status;
    this.status$ = status.asObservable();
    this.migrations$ = newsOf({ link, name: MIGRATIONS_OF_STORE, key: '' });
    this.tabs$ = newsOf({ link, name: TABS_OF_STORE, key: '' });
    this.transaction = transaction;
    this.#collections = collections;
    for (const [property, value] of collections) Object.defineProperty(this, property, { value, enumerable: true });
  }

  /** State now: `status$` at this moment. */
  get status(): StoreStatus {
    return this.#status.value;
  }

  collection<Name extends keyof C & string>(name: Name): CollectionOf<C[Name], RowsOf<C>> {
    const collection = this.#collections.get(name);
    if (collection === undefined) {
      throw new StoreError('collection/unknown', `There is no collection ${JSON.stringify(name)}.`, {
        details: { store: this.name, collection: name },
      });
    }
    return collection as unknown as CollectionOf<C[Name], RowsOf<C>>;
  }

  /** Figures of storage, log, cache and recovery. */
  health(options?: CallOptions): Promise<Health> {
    return this.#link.request(['health', 0], { options }) as Promise<Health>;
  }

  /** Reads everything: checksums of all pages, each index against its collection. */
  verify({ repair = true, ...options }: VerifyOptions = {}): Promise<VerifyReport> {
    return this.#link.request(['verify', 0, repair], { options, timeoutMs: LONG_TIMEOUT_MS }) as Promise<VerifyReport>;
  }

  /** Gives space back. */
  compact(options?: LongOptions): Promise<{ readonly pagesFreed: number; readonly bytesFreed: number }> {
    return this.#link.request(['compact', 0], { options, timeoutMs: LONG_TIMEOUT_MS }) as ReturnType<
      StoreBase['compact']
    >;
  }

  /** Refuses new calls, waits for those under way, stores everything, ends the worker. Safe to repeat. */
  close(): Promise<void> {
    this.#end ??= this.#finish('close');
    return this.#end;
  }

  /** Closes, and deletes everything that the store has kept. */
  destroy(): Promise<void> {
    this.#end ??= this.#finish('destroy');
    return this.#end;
  }

  async #finish(how: 'close' | 'destroy'): Promise<void> {
    const closed = new StoreError('store/closed', `Store ${this.name} is closed.`, { details: { store: this.name } });
    const { platform, lost } = this.#link;
    this.#link.refuse(closed);
    try {
      // Closing has nothing left to do; destroying can no longer be done.
      if (lost) {
        if (how === 'close') return;
        throw lost;
      }
      await this.#link.drain(CLOSE_TIMEOUT_MS);
      const late = (): StoreError => timeoutError(how, this.name, CLOSE_TIMEOUT_MS);
      await within(platform, this.#worker[how](), CLOSE_TIMEOUT_MS, late);
    } finally {
      this.#link.close(closed);
      this.#worker.thread.terminate();
      this.#status.next({ ...this.#status.value, state: 'closed', reasons: [] });
      this.#status.complete();
    }
  }
}

export const timeoutError = (call: string, store: string, timeoutMs: number): StoreError =>
  new StoreError('call/timeout', `${call} of store ${store} was not answered within ${timeoutMs} ms.`, {
    details: { store, call, timeoutMs },
  });
