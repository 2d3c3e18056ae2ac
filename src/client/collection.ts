/** A collection as an application has it. Every call answers a promise that settles; none throws. */
import { BehaviorSubject, type Observable } from 'rxjs';
import { assertRow } from '../base/codec/index.ts';
import type { Key, Row } from '../base/row.ts';
import { StoreError } from '../base/store-error.ts';
import type { Selector } from '../protocol/definition.ts';
import type { ChangeEvent, Changes, IndexInfo, Progress } from '../protocol/engine-api.ts';
import type { Call, PlainWrite } from '../protocol/messages.ts';
import type { ChangesFor, SelectorFor } from '../schema/arguments.ts';
import type { AnyRow, IndexInput } from '../schema/definition.ts';
import type { AnyRows, Included, IncludeFor } from '../schema/include.ts';
import type { Path, ValueAt } from '../schema/paths.ts';
import type { PipelineStage } from '../schema/pipeline.ts';
import { writeMany } from './bulk-write.ts';
import type { LongOptions, LongWriteOptions, WriteOptions } from './call-options.ts';
import { checkRows } from './checked-update.ts';
import { type CollectionContext, LONG_TIMEOUT_MS, NO_TIMEOUT } from './collection-context.ts';
import { type CallOptions, callBack, type RequestOptions } from './link.ts';
import { prepareRow, Refusal } from './prepare-row.ts';
import { type FindOptions, Query } from './query.ts';
import type { RowProblem } from './row-problem.ts';
import { collectRows } from './row-stream.ts';
import { copyArgument, copyRow } from './snapshot.ts';
import { newsOf, subscribe } from './subscription.ts';

/** A change, with the collection's own types. */
export type Change<T, K = Key> = Omit<ChangeEvent, 'key' | 'row' | 'before'> & {
  readonly key: K;
  readonly row: T | undefined;
  readonly before: T | undefined;
};

/** An index under construction: awaited, it is ready. */
export type IndexBuild = Promise<void> & { readonly progress$: Observable<Progress> };

/** `All`: the documents of the store's collections, for `include`. */
export class Collection<T extends object = AnyRow, In = T, K extends Key = Key, All = AnyRows> {
  /**
   * Every change, in commit order, from the moment of subscribing. Completes when the store is closed, fails when the
   * engine is lost.
   */
  readonly changes$: Observable<Change<T, K>>;
  readonly #context: CollectionContext;

  /** Made by a store. */
  constructor(context: CollectionContext) {
    this.#context = context;
    this.changes$ = newsOf(context);
  }

  /** Stores a new document and answers it, with its key. A present key is refused (`collection/duplicate-key`). */
  create(row: In, options?: WriteOptions): Promise<T> {
    return this.#save('create', row, options);
  }

  /** Inserts or replaces a document and answers it. */
  put(row: In, options?: WriteOptions): Promise<T> {
    return this.#save('put', row, options);
  }

  /**
   * Stores all documents or none, and answers their keys. The page stays free meanwhile; the documents must not be
   * changed until the promise settles. `collection/invalid-document` names up to 20 wrong ones.
   */
  async createMany(rows: readonly In[], options?: LongWriteOptions): Promise<K[]> {
    const context = this.#context;
    if (!Array.isArray(rows)) throw notAnArray(context, 'createMany');
    const keys: K[] = [];
    const take = (row: Row | Refusal, place: number, problems: RowProblem[]): Row | undefined => {
      if (row instanceof Refusal) {
        problems.push({ row: place, key: row.key, issues: row.issues });
        return undefined;
      }
      keys.push(row[context.key] as K);
      return row;
    };
    await writeMany(
      context,
      'create',
      rows.length,
      (place, problems) => {
        const prepared = prepareRow(context, rows[place]);
        return prepared instanceof Promise
          ? prepared.then((row) => take(row, place, problems))
          : take(prepared, place, problems);
      },
      options,
    );
    return keys;
  }

  get(key: K, options?: CallOptions): Promise<T | undefined> {
    return this.#ask(['get', 0, this.#context.name, key], options) as Promise<T | undefined>;
  }

  /** Documents in the order of their keys here; `undefined` for those that are absent. */
  async getMany(keys: readonly K[], options?: CallOptions): Promise<(T | undefined)[]> {
    const context = this.#context;
    if (!Array.isArray(keys)) throw notAnArray(context, 'getMany');
    return collectRows(context, ['getMany', 0, context.name, [...keys]], options) as Promise<(T | undefined)[]>;
  }

  /** Answers the new document, or `undefined` when there is none with that key. */
  async update(key: K, changes: ChangesFor<T>, options?: WriteOptions): Promise<T | undefined> {
    const context = this.#context;
    const request = { type: 'update', collection: context.name, key, changes: this.#copyChanges(changes) } as const;
    return this.#write(request, options) as Promise<T | undefined>;
  }

  /** Updates all that match, or none. Answers how many matched. */
  async updateMany(selector: SelectorFor<T>, changes: ChangesFor<T>, options?: LongWriteOptions): Promise<number> {
    const context = this.#context;
    const request = {
      type: 'updateMany',
      collection: context.name,
      selector: copySelector(selector),
      changes: this.#copyChanges(changes),
    } as const;
    return this.#write(request, options, LONG_TIMEOUT_MS) as Promise<number>;
  }

  /** Answers whether there was one. */
  delete(key: K, options?: WriteOptions): Promise<boolean> {
    return this.#write({ type: 'delete', collection: this.#context.name, key }, options) as Promise<boolean>;
  }

  /** Deletes all that match. Answers how many. */
  async deleteMany(selector: SelectorFor<T>, options?: LongWriteOptions): Promise<number> {
    const request = { type: 'deleteMany', collection: this.#context.name, selector: copySelector(selector) } as const;
    return this.#write(request, options, LONG_TIMEOUT_MS) as Promise<number>;
  }

  /**
   * A query: await it, or take its first row, its count, its plan or its stream. With `include`, rows of other collections
   * stand beside each row: `{ include: { author: { from: 'users', on: ['authorId', 'id'], one: true } } }`.
   */
  find<const I extends IncludeFor<T, All>>(
    selector: SelectorFor<T> | undefined,
    options: FindOptions<T> & { readonly include: I },
  ): Query<Included<T, I, All>>;
  find(selector?: SelectorFor<T>, options?: FindOptions<T>): Query<T>;
  find(selector?: object, options?: object): unknown {
    return new Query<T>(this.#context, (selector ?? {}) as Selector, options);
  }

  /**
   * A query over what the stages make of the documents: await it, or take its first row, its count, its plan or its
   * stream. `Result` is what the last stage gives; nobody infers or checks it.
   */
  aggregate<Result extends object = AnyRow>(pipeline: readonly PipelineStage[], options?: CallOptions): Query<Result> {
    // What stages give is told apart by _id.
    return new Query<Result>({ ...this.#context, key: '_id' }, pipeline, options);
  }

  findOne<const I extends IncludeFor<T, All>>(
    selector: SelectorFor<T> | undefined,
    options: FindOptions<T> & { readonly include: I },
  ): Promise<Included<T, I, All> | undefined>;
  findOne(selector?: SelectorFor<T>, options?: FindOptions<T>): Promise<T | undefined>;
  findOne(selector?: SelectorFor<T>, options?: FindOptions<T>): Promise<unknown> {
    return this.find(selector, options).first();
  }

  async count(selector?: SelectorFor<T>, options?: CallOptions): Promise<number> {
    return this.find(selector, options).count();
  }

  /** The different values at a path, in the store's order; elements of arrays count one by one. */
  async distinct<P extends Path<T>>(
    path: P,
    selector?: SelectorFor<T>,
    options?: CallOptions,
  ): Promise<DistinctValue<ValueAt<T, P>>[]> {
    const context = this.#context;
    const rows = await collectRows(context, ['distinct', 0, context.name, path, copySelector(selector)], options);
    return rows.map((row) => row!['value'] as DistinctValue<ValueAt<T, P>>);
  }

  /**
   * Calls `listener` for each change that the selector matches before or after it, in commit order. Answers a function
   * that stops it.
   */
  subscribe(listener: (change: Change<T, K>) => void, selector?: SelectorFor<T>): () => void {
    const context = this.#context;
    return subscribe(
      context,
      selector && copyArgument(selector as Selector),
      listener as (event: ChangeEvent) => void,
      (error) => {
        // The end of the store is told by status$. A wrong selector is told as an uncaught error: there is no promise.
        if (context.link.lost === undefined) {
          queueMicrotask(() => {
            throw error;
          });
        }
      },
    );
  }

  /** Builds an index while the collection stays usable. */
  createIndex(index: IndexInput<T>, options?: LongOptions): IndexBuild {
    const progress$ = new BehaviorSubject<Progress>({ done: 0, total: 0 });
    const onProgress = (progress: Progress): void => {
      callBack(options?.onProgress, progress);
      progress$.next(progress);
    };
    const build = async (): Promise<void> => {
      const call: Call = ['createIndex', 0, this.#context.name, copyArgument(index)];
      await this.#ask(call, { ...options, onProgress }, LONG_TIMEOUT_MS);
      progress$.complete();
    };
    const promise = build();
    promise.catch((error) => progress$.error(error));
    return Object.assign(promise, { progress$: progress$.asObservable() });
  }

  /**
   * Resolves when all documents are of the defined version, at once when they are. Any other call on the collection waits
   * for that too, with its own deadline; this one has none, unless one is given.
   */
  async migrate(options?: CallOptions): Promise<void> {
    await this.#ask(['indexes', 0, this.#context.name], options, NO_TIMEOUT);
  }

  async dropIndex(name: string, options?: CallOptions): Promise<void> {
    await this.#ask(['dropIndex', 0, this.#context.name, name], options);
  }

  indexes(options?: CallOptions): Promise<readonly IndexInfo[]> {
    return this.#ask(['indexes', 0, this.#context.name], options) as Promise<readonly IndexInfo[]>;
  }

  /** What a getter of the document throws, or the schema, rejects. */
  async #save(type: 'create' | 'put', input: In, options: WriteOptions | undefined): Promise<T> {
    const context = this.#context;
    const prepared = prepareRow(context, copyRow(input));
    const row = prepared instanceof Promise ? await prepared : prepared;
    if (row instanceof Refusal) throw row.error;
    const call: Call = ['write', 0, context.name, type, 1, options?.durability, options?.signal !== undefined];
    return context.link.request(call, { owner: context, options, rows: [row], answer: row }) as Promise<T>;
  }

  #write(request: PlainWrite, options: WriteOptions | undefined, timeoutMs?: number): Promise<unknown> {
    const context = this.#context;
    const isChecked = context.schema !== undefined && 'changes' in request;
    const call: Call = [
      'plain',
      0,
      context.name,
      request,
      options?.durability,
      options?.signal !== undefined,
      isChecked,
    ];
    const pending = context.link.open(call, { owner: context, options, timeoutMs });
    if (isChecked) checkRows(context, pending, request.type === 'update');
    return pending.promise;
  }

  #ask(call: Call, options: RequestOptions | undefined, timeoutMs?: number): Promise<unknown> {
    return this.#context.link.request(call, { owner: this.#context, options, timeoutMs });
  }

  #copyChanges(changes: ChangesFor<T>): Changes {
    try {
      assertRow(changes, 0);
    } catch (cause) {
      const { name } = this.#context;
      const { path, found } = (cause as StoreError).details;
      throw new StoreError('collection/invalid-changes', `${name}: changes hold what a document cannot.`, {
        details: { collection: name, path, found },
        cause,
      });
    }
    return copyArgument(changes as Changes);
  }
}

const copySelector = (selector: object = {}): Selector => copyArgument(selector as Selector);

type DistinctValue<V> = NonNullable<V> extends readonly (infer E)[] ? E : Exclude<V, undefined>;

const notAnArray = ({ name }: CollectionContext, call: string): StoreError =>
  new StoreError('call/invalid-argument', `${name}: ${call} takes an array.`, { details: { collection: name, call } });
