/**
 * All live queries of an engine. Equal ones share one computation (LIVE-6), which ends with its last subscriber
 * (LIVE-7). Changes are taken in as they are told, and worked off together in a microtask after: so the telling commit
 * is not held up, changes of one turn make one emission (LIVE-8), and a failing query harms nobody else.
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import type { LiveListener, LiveRequest, LiveSubscription } from '../../src/protocol/live.ts';
import { canonicalText } from './canonical.ts';
import { Computation, type Subscriber } from './computation.ts';
import { CountResult } from './count-result.ts';
import type { LiveResult } from './live-result.ts';
import type { LiveSource } from './live-source.ts';
import { PipelineResult } from './pipeline-result.ts';
import { Routes } from './routes.ts';
import { RowsResult } from './rows-result.ts';

/** Different live queries of one store. Equal ones count once. */
export const LIVE_QUERIES_MAX: number = 10_000;
/** Changes of one turn and collection. From more of them, results are read anew: patching would take longer than that. */
const PATCHES_MAX = 20_000;

type Feed = {
  readonly collection: string;
  readonly routes: Routes<Computation>;
  readonly stop: () => void;
  readonly computations: Set<Computation>;
  waiting: (readonly ChangeEvent[])[];
};

export class LiveQueries {
  readonly #source: LiveSource;
  readonly #feeds = new Map<string, Feed>();
  readonly #computations = new Map<string, Computation>();
  #unsettled = new Set<Computation>();
  #isScheduled = false;
  #lastUnshared = 0;

  constructor(source: LiveSource) {
    this.#source = source;
  }

  /** Computations that are kept up now. */
  get size(): number {
    return this.#computations.size;
  }

  /** Throws for a wrong query. The listener is told in a later microtask, never during this call. */
  open(request: LiveRequest, listener: LiveListener): LiveSubscription {
    const id = canonicalText(questionOf(request)) ?? `unshared ${++this.#lastUnshared}`;
    const computation = this.#computations.get(id) ?? this.#start(id, request);
    const subscriber: Subscriber = { listener, taken: undefined, isTold: false };
    computation.subscribers.add(subscriber);
    this.#unsettled.add(computation);
    this.#schedule();
    return {
      take: () => computation.takeFor(subscriber),
      get taken() {
        return computation.takenBy(subscriber);
      },
      close: () => {
        if (computation.subscribers.delete(subscriber) && computation.subscribers.size === 0) this.#end(computation);
      },
    };
  }

  /** Ends all of them. */
  fail(error: unknown): void {
    for (const computation of [...this.#computations.values()]) this.#fail(computation, error);
  }

  #start(id: string, request: LiveRequest): Computation {
    if (this.#computations.size >= LIVE_QUERIES_MAX) throw tooManyQueries();
    const result = this.#resultOf(request);
    const computation: Computation = new Computation(id, result, () => {
      this.#unsettled.add(computation);
      this.#schedule();
    });
    for (const { collection, interest } of result.watches) {
      const feed = this.#feeds.get(collection) ?? this.#openFeed(collection);
      feed.computations.add(computation);
      feed.routes.add(computation, interest);
    }
    this.#computations.set(id, computation);
    return computation;
  }

  #resultOf({ collection, find, pipeline, kind }: LiveRequest): LiveResult {
    if (find === undefined) return new PipelineResult(this.#source, { collection, pipeline, kind });
    return kind === 'count'
      ? new CountResult(this.#source, collection, find)
      : new RowsResult(this.#source, collection, find);
  }

  #openFeed(collection: string): Feed {
    const stop = this.#source.subscribe(collection, (events) => {
      feed.waiting.push(events);
      this.#schedule();
    });
    const feed: Feed = { collection, routes: new Routes(), stop, computations: new Set(), waiting: [] };
    this.#feeds.set(collection, feed);
    return feed;
  }

  #end(computation: Computation): void {
    computation.end();
    this.#computations.delete(computation.id);
    this.#unsettled.delete(computation);
    for (const { collection, interest } of computation.result.watches) {
      const feed = this.#feeds.get(collection)!;
      feed.routes.delete(computation, interest);
      feed.computations.delete(computation);
      if (feed.computations.size > 0 || this.#feeds.get(collection) !== feed) continue;
      feed.stop();
      this.#feeds.delete(collection);
    }
  }

  #fail(computation: Computation, error: unknown): void {
    if (!this.#isOpen(computation)) return;
    const listeners = [...computation.subscribers].map(({ listener }) => listener);
    this.#end(computation);
    for (const { onError } of listeners) onError(error);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#settle();
    });
  }

  /** First all changes, then all reads and emissions: a read sees every change that was told before. */
  #settle(): void {
    const failures = new Map<Computation, unknown>();
    for (const feed of this.#feeds.values()) this.#work(feed, failures);
    const unsettled = this.#unsettled;
    this.#unsettled = new Set();
    for (const computation of unsettled) {
      if (!this.#isOpen(computation)) continue;
      try {
        if (failures.has(computation)) throw failures.get(computation);
        computation.settle((error) => this.#fail(computation, error));
      } catch (error) {
        this.#fail(computation, error);
      }
    }
  }

  #isOpen(computation: Computation): boolean {
    return this.#computations.get(computation.id) === computation;
  }

  #work(feed: Feed, failures: Map<Computation, unknown>): void {
    const { collection, routes, waiting } = feed;
    if (waiting.length === 0) return;
    feed.waiting = [];
    if (waiting.reduce((sum, { length }) => sum + length, 0) > PATCHES_MAX) {
      for (const computation of feed.computations) {
        computation.passOver();
        this.#unsettled.add(computation);
      }
      return;
    }
    const touched = new Set<Computation>();
    for (const events of waiting) {
      for (const event of events) {
        touched.clear();
        routes.collect(event.before, event.row, touched);
        for (const computation of touched) {
          this.#unsettled.add(computation);
          if (failures.has(computation)) continue;
          try {
            computation.apply(event, collection);
          } catch (error) {
            failures.set(computation, error);
          }
        }
      }
    }
  }
}

/** What makes two requests the same question. */
function questionOf({ collection, kind, find, pipeline }: LiveRequest): unknown {
  if (find === undefined) return [collection, kind, pipeline];
  const { selector, sort, skip, limit, after, project, include } = find;
  return [collection, kind, selector, sort, skip, limit, after, project, include];
}

const tooManyQueries = (): StoreError =>
  new StoreError('query/too-many-live', `${LIVE_QUERIES_MAX} different live queries are open.`, {
    details: { limit: LIVE_QUERIES_MAX },
    hint: 'Unsubscribe from those that are not shown.',
  });
