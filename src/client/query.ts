/** One question to a collection. It runs when it is awaited, counted or streamed, each time anew; or stays true (`$`). */
import { map, type Observable } from 'rxjs';
import type { PipelineSpec, Selector } from '../protocol/definition.ts';
import type { Explanation, Page } from '../protocol/engine-api.ts';
import type { RawFind } from '../protocol/find-spec.ts';
import type { LiveKind } from '../protocol/live.ts';
import type { Call } from '../protocol/messages.ts';
import type { FindOptionsFor } from '../schema/arguments.ts';
import type { CollectionContext } from './collection-context.ts';
import type { CallOptions } from './link.ts';
import { type Delta, type LiveRows, liveQuery, toDeltas } from './live-query.ts';
import { collectRows, streamRows } from './row-stream.ts';
import { copyArgument } from './snapshot.ts';

export type FindOptions<T> = FindOptionsFor<T> & CallOptions;

export class Query<T> implements PromiseLike<T[]> {
  /**
   * What is asked: a collection, with the field of its key, and plain data. Queries of the same collection and equal data
   * give the same rows.
   */
  readonly question: readonly [collection: { readonly key: string }, Selector | PipelineSpec, RawFind];
  readonly #context: CollectionContext;
  readonly #options: CallOptions;
  readonly #observables: { [kind in LiveKind]?: Observable<LiveRows> } = {};

  /** Made by `collection.find` and `collection.aggregate`. Options that are none are refused when the query runs. */
  constructor(context: CollectionContext, selector: Selector | PipelineSpec, options: FindOptions<T> = {}) {
    const { signal, timeoutMs, ...find } = options;
    this.#context = context;
    this.#options = { signal, timeoutMs };
    this.question = [context, copyArgument(selector), copyArgument(find as RawFind)];
  }

  /** All rows. Large results come in chunks that leave the page free. */
  // biome-ignore lint/suspicious/noThenProperty: a query is awaited.
  then<A = T[], B = never>(
    onRows?: ((rows: T[]) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#run().then(onRows, onError);
  }

  /** The first row, or undefined. */
  async first(): Promise<T | undefined> {
    return (await this.#run({ limit: Math.min(this.question[2].limit ?? 1, 1) }))[0];
  }

  /**
   * Up to `size` rows (1 to 1,000), and the cursor of the next page: pass it as `after`. Pages stay right while rows are
   * inserted and deleted between them. `size` stands for the limit.
   */
  page(size: number): Promise<Page<T>> {
    return this.#ask('page', { limit: size }) as Promise<Page<T>>;
  }

  /** How many rows the query gives, within its skip and limit. */
  count(): Promise<number> {
    return this.#ask('count') as Promise<number>;
  }

  /** How the engine finds the rows, and what that costs. */
  explain(): Promise<Explanation> {
    return this.#ask('explain') as Promise<Explanation>;
  }

  /** Rows of one snapshot, one after the other, in bounded memory. Leaving the loop ends the work of the engine. */
  stream(): AsyncGenerator<T, void, undefined> {
    return streamRows(this.#context, this.#call('find'), this.#options) as AsyncGenerator<T, void>;
  }

  /**
   * The rows now, and again after each commit that changes them: a new array each time, with the same objects for rows
   * that have not changed. A subscriber that is slow gets the newest rows, not all that were. Without a sort the order is
   * that of keys. Completes when the store is closed. Subscribers of one query share one subscription of the worker.
   */
  get $(): Observable<T[]> {
    return this.#live('rows').pipe(map(({ rows }) => rows as T[]));
  }

  /** What changes, beginning with all rows as `added`. */
  get delta$(): Observable<Delta<T>> {
    return toDeltas(this.#live('rows'), this.#context.key) as Observable<Delta<T>>;
  }

  /** How many rows the query gives now, and again after each commit that changes that. */
  get count$(): Observable<number> {
    return this.#live('count') as unknown as Observable<number>;
  }

  #live(kind: LiveKind): Observable<LiveRows> {
    this.#observables[kind] ??= liveQuery(this.#context, this.#options, () => this.#call('live', undefined, kind));
    return this.#observables[kind];
  }

  #run(find?: RawFind): Promise<T[]> {
    return collectRows(this.#context, this.#call('find', find), this.#options) as unknown as Promise<T[]>;
  }

  #ask(type: 'count' | 'explain' | 'page', find?: RawFind): Promise<unknown> {
    return this.#context.link.request(this.#call(type, find), { owner: this.#context, options: this.#options });
  }

  /** `find` replaces options of the query; `kind` goes with `live`. A page of a pipeline is refused by the worker. */
  #call(type: 'find' | 'count' | 'explain' | 'page' | 'live', find?: RawFind, kind?: LiveKind): Call {
    const [, selector, options] = this.question;
    return [type, 0, this.#context.name, selector, { ...options, ...find }, kind] as Call;
  }
}
