/**
 * The engine behind one port: it routes calls to the layers below and owns their life. Reads are answered from what is
 * visible, at once when the pages are in memory; writes go to the committer.
 */

import type { Lsn } from '../../src/base/ids.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, IndexSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type {
  ChangeEvent,
  Durability,
  DurabilityGiven,
  EngineApi,
  EngineOptions,
  EngineState,
  Explanation,
  Health,
  IndexInfo,
  LongOptions,
  MaybePromise,
  MigrateRows,
  Migration,
  Page,
  RecoveryReport,
  RowCursor,
  RowsAhead,
  VerifyReport,
  WriteOptions,
  WriteOutcome,
  WriteRequest,
} from '../../src/protocol/engine-api.ts';
import type { LiveListener, LiveRequest, LiveSubscription } from '../../src/protocol/live.ts';
import { CollectionState, encodeComponent, encodePrimaryKey, type IndexState, valuesAt } from '../indexes/index.ts';
import { LiveQueries } from '../live/index.ts';
import { pagesBelow, readKey, type TreeState, wantKey } from '../pages/index.ts';
import {
  AggregateCursor,
  checkScan,
  collectionsOf,
  compilePipeline,
  compileProjection,
  countPlan,
  createRest,
  FindCursor,
  type FindPlan,
  IncludeCursor,
  Includer,
  type JoinSource,
  PlanScan,
  parseIncludes,
  parsePath,
  planFind,
  type ReadView,
} from '../query/index.ts';
import type { Storage } from '../storage/index.ts';
import {
  type CatalogueChange,
  Checkpointer,
  Committer,
  type PrepareContext,
  prepareCreates,
  prepareDeleteMany,
  prepareWrite,
  previewUpdate,
  type Recovered,
  type RowValidator,
  type StoreState,
  studyRows,
} from '../transactions/index.ts';
import { createWalWriter } from '../wal/index.ts';
import { planCatalogue } from './catalogue-plan.ts';
import { compactStore } from './compact.ts';
import { buildIndex } from './index-builder.ts';
import { createValidator } from './json-schema.ts';
import { Migrations } from './migrations.ts';
import type { EnginePlatform } from './platform.ts';
import { verifyStore } from './verify.ts';

export type EngineParts = {
  readonly storage: Storage;
  readonly recovered: Recovered;
  readonly options: EngineOptions;
  readonly platform: EnginePlatform;
  readonly nextLsn: Lsn;
  /** Frees the store's lock. */
  readonly release: () => void;
};

type Listener = (events: readonly ChangeEvent[]) => void;

/** Keys that `getMany` looks up before it lets other calls in. */
const GET_BATCH = 1_000;
/** Distinct values that one call may answer with. */
const DISTINCT_VALUES_MAX = 100_000;

export class Engine implements EngineApi {
  readonly #storage: Storage;
  readonly #options: EngineOptions;
  readonly #platform: EnginePlatform;
  readonly #state: StoreState;
  readonly #committer: Committer;
  readonly #checkpointer: Checkpointer;
  readonly #recovery: RecoveryReport;
  readonly #release: () => void;
  readonly #validators: ReadonlyMap<string, RowValidator>;
  readonly #listeners: Map<string, Set<Listener>> = new Map();
  readonly #context: PrepareContext;
  readonly #live: LiveQueries;
  readonly #migrations: Migrations;
  #life: EngineState = 'opening';
  #poison: StoreError | undefined;

  constructor({ storage, recovered, options, platform, nextLsn, release }: EngineParts) {
    this.#storage = storage;
    this.#options = options;
    this.#platform = platform;
    this.#state = recovered.state;
    this.#recovery = recovered.report;
    this.#release = release;
    this.#validators = validatorsOf(options);
    const epoch = recovered.epoch + 1;
    this.#checkpointer = new Checkpointer({
      state: this.#state,
      storage,
      generation: recovered.generation,
      epoch,
      storedLsn: recovered.lastLsn,
      logBytes: recovered.logBytes,
      logFrames: recovered.report.framesKept,
      mode: options.unstable?.checkpoint ?? 'automatic',
      now: platform.now,
      setTimer: platform.setTimer,
      yieldTask: platform.yieldTask,
      hold: () => this.#committer.hold(),
      release: () => this.#committer.release(),
      onFailure: (error) => this.#onCheckpointFailure(error),
    });
    this.#committer = new Committer({
      state: this.#state,
      // Compressing a group was measured to take longer than storing it raw (worker/wal/FORMAT.md).
      wal: createWalWriter({ log: storage.log, epoch, nextLsn, compression: undefined }),
      given: (durability) => this.#given(durability),
      prepareCreates: (collection, rows) => prepareCreates(this.#context, collection, rows),
      setTimer: platform.setTimer,
      yieldTask: platform.yieldTask,
      onStored: (appended) => this.#checkpointer.noteStored(appended),
      onChanges: (collection, events) => {
        for (const listener of this.#listeners.get(collection) ?? []) listener(events);
      },
      hasListeners: (collection) => (this.#listeners.get(collection)?.size ?? 0) > 0,
      onPoisoned: (error) => {
        if (this.#life !== 'closing') this.#life = 'poisoned';
        this.#poison = error;
        this.#live.fail(error);
        // Whoever has the store now must find it as it was.
        void this.#checkpointer.close();
      },
    });
    this.#migrations = new Migrations({
      state: this.#state,
      committer: this.#committer,
      durability: options.durability === 'strict' ? 'strict' : 'relaxed',
      validatorOf: (name) => this.#validators.get(name),
      assertOpen: () => this.#assertOpen(),
      changeCatalogue: (changes) => this.#changeCatalogue(changes),
      onDone: (collection) => this.#buildUnready(collection),
    });
    this.#context = {
      state: this.#state,
      validatorOf: ({ spec }) => this.#validators.get(spec.name),
      findKeys: (collection, selector) => this.#findKeys(collection, selector),
    };
    this.#live = new LiveQueries({
      subscribe: (collection, listener) => this.subscribe(collection, listener),
      find: (collection, find) => this.find(collection, find),
      count: (collection, selector) => this.count(collection, selector),
      aggregate: (collection, pipeline) => this.aggregate(collection, pipeline),
      keyField: (collection) => this.#must(collection).spec.key,
    });
  }

  get life(): EngineState {
    return this.#life;
  }

  /** Brings the catalogue up to the application's definitions and goes on with unfinished indexes. */
  async start(): Promise<void> {
    const { collections } = this.#options;
    await this.#changeCatalogue(planCatalogue(this.#state, collections));
    this.#migrations.prepare(collections);
    this.#life = 'open';
    for (const collection of this.#state.collections.values()) {
      if (this.#migrations.isDone(collection.spec.name)) this.#buildUnready(collection);
    }
  }

  /** Queries do without an index until it is ready; an index that cannot be built stays out of use. */
  #buildUnready(collection: CollectionState): void {
    for (const index of collection.indexes) {
      if (index.state === 'building') this.#build(collection, index, NO_OPTIONS).catch(() => undefined);
    }
  }

  whenMigrated(name: string): Promise<void> | undefined {
    this.#assertOpen();
    return this.#migrations.whenDone(name);
  }

  migrate(name: string, run: MigrateRows): Promise<void> {
    this.#assertOpen();
    return this.#migrations.offer(name, run);
  }

  watchMigrations(listener: (migrations: readonly Migration[]) => void): () => void {
    return this.#migrations.watch(listener);
  }

  get(name: string, key: Key): MaybePromise<Row | undefined> {
    const { primary } = this.#must(name);
    const encoded = encodePrimaryKey(key);
    const { space } = this.#state;
    return this.#read(() => this.#state.wholeRow(readKey(space, primary.visible, encoded)) as Row | undefined);
  }

  getMany(name: string, keys: readonly Key[]): MaybePromise<readonly (Row | undefined)[]> {
    const { primary } = this.#must(name);
    const encoded = keys.map(encodePrimaryKey);
    if (encoded.length <= GET_BATCH) return this.#read(() => this.#getAll(primary.visible, encoded));
    return this.#getBatches(primary.visible, encoded);
  }

  async #getBatches(state: TreeState, keys: readonly string[]): Promise<readonly (Row | undefined)[]> {
    const close = this.#state.snapshots.open();
    try {
      const rows: (Row | undefined)[] = [];
      for (let from = 0; from < keys.length; from += GET_BATCH) {
        rows.push(...(await this.#read(() => this.#getAll(state, keys.slice(from, from + GET_BATCH)))));
      }
      return rows;
    } finally {
      close();
    }
  }

  #getAll(state: TreeState, keys: readonly string[]): readonly (Row | undefined)[] {
    const { space } = this.#state;
    // All that is missing is asked for at once; reading then throws, and is repeated after one load for each level.
    for (const key of keys) wantKey(space, state.root, key);
    return keys.map((key) => this.#state.wholeRow(readKey(space, state, key)) as Row | undefined);
  }

  find(name: string, find: FindSpec): RowCursor {
    return this.#open(name, find);
  }

  aggregate(name: string, spec: PipelineSpec): AggregateCursor {
    this.#assertOpen();
    const pipeline = compilePipeline(spec, name, (collection) => this.#must(collection).spec.key);
    // All collections are taken at once, so that what is joined belongs together.
    const sources = new Map([name, ...pipeline.collections].map((each) => [each, this.#source(each)]));
    const close = this.#state.snapshots.open();
    return new AggregateCursor({
      pipeline,
      source: sources.get(name)!,
      sourceOf: (collection) => sources.get(collection)!,
      now: this.#platform.now,
      yieldTask: this.#platform.yieldTask,
      release: () => {
        close();
        this.#state.space.trim();
      },
    });
  }

  page(name: string, find: FindSpec): Promise<Page> {
    return this.#open(name, { ...find, limit: (find.limit ?? 0) + 1 }).page();
  }

  count(name: string, selector: Selector): MaybePromise<number> {
    const collection = this.#must(name);
    const plan = planFind(collection, { selector, sort: [], purpose: 'count' });
    if (plan.residual.length > 0) this.#checkScan(plan, undefined);
    const close = this.#state.snapshots.open();
    const release = (): void => {
      close();
      this.#state.space.trim();
    };
    const count = countPlan(this.#view(collection), plan);
    if (count instanceof Promise) return count.finally(release);
    release();
    return count;
  }

  async distinct(name: string, path: string, selector: Selector): Promise<readonly unknown[]> {
    const collection = this.#must(name);
    const segments = parsePath(path);
    const scan = new PlanScan(this.#view(collection), planFind(collection, { selector, sort: [] }));
    const close = this.#state.snapshots.open();
    const values = new Map<string, unknown>();
    try {
      while (!scan.isDone) {
        await scan.pull(GET_BATCH, (_key, row) => {
          for (const value of valuesAt(row, segments)) {
            for (const element of Array.isArray(value) ? value : [value]) values.set(encodeComponent(element), element);
          }
        });
        if (values.size > DISTINCT_VALUES_MAX) throw tooManyValues(name, path);
      }
    } finally {
      close();
    }
    return [...values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  }

  async explain(name: string, find: FindSpec): Promise<Explanation> {
    const start = this.#platform.now();
    const cursor = this.#open(name, { ...find, scanRowsMax: Number.POSITIVE_INFINITY });
    try {
      for (;;) if ((await cursor.next(GET_BATCH)).done) return cursor.explain(this.#platform.now() - start);
    } finally {
      cursor.close();
    }
  }

  write(request: WriteRequest, { durability, signal }: WriteOptions): Promise<WriteOutcome> {
    this.#must(request.collection);
    return this.#committer.write(this.#preparation(request), {
      durability: durability ?? this.#options.durability,
      signal,
      creates: singleCreate(request),
    });
  }

  study(collection: string, rows: readonly Row[]): RowsAhead {
    return studyRows(this.#state.collections.get(collection), rows);
  }

  preview(
    request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
  ): MaybePromise<readonly { before: Row; after: Row }[]> {
    this.#must(request.collection);
    return this.#read(() => previewUpdate(this.#context, request));
  }

  async createIndex(name: string, spec: IndexSpec, options: LongOptions): Promise<void> {
    await this.#createIndex(this.#must(name), spec, options);
  }

  async #createIndex(collection: CollectionState, spec: IndexSpec, options: LongOptions): Promise<void> {
    const { name } = collection.spec;
    if (collection.indexes.some((index) => index.spec.name === spec.name)) throw indexExists(name, spec.name);
    const tree = this.#state.nextTree++;
    await this.#committer.changeCatalogue([{ type: 'create-index', collection: collection.id, tree, index: spec }]);
    const index = mustIndex(collection, spec.name);
    // Another call was first; its index may even be another one under this name.
    if (index.tree.id !== tree) throw indexExists(name, spec.name);
    if (index.state === 'ready') return;
    try {
      await this.#build(collection, index, options);
    } catch (error) {
      if (this.#life === 'open' && collection.indexes.includes(index)) await this.#drop(collection, spec.name);
      throw error;
    }
  }

  async dropIndex(name: string, index: string): Promise<void> {
    const collection = this.#must(name);
    mustIndex(collection, index);
    await this.#drop(collection, index);
  }

  indexes(name: string): readonly IndexInfo[] {
    return this.#must(name).indexes.map(({ spec, state, tree }) => ({ ...spec, state, entries: tree.visible.count }));
  }

  subscribe(name: string, listener: Listener): () => void {
    this.#must(name);
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  live(request: LiveRequest, listener: LiveListener): LiveSubscription {
    this.#assertOpen();
    return this.#live.open(request, listener);
  }

  async verify(options: LongOptions & { readonly repair: boolean }): Promise<VerifyReport> {
    this.#assertOpen();
    const rebuild = async (collection: CollectionState, index: IndexState): Promise<void> => {
      await this.#drop(collection, index.spec.name);
      await this.#createIndex(collection, index.spec, NO_OPTIONS);
    };
    return verifyStore(
      {
        state: this.#state,
        storage: this.#storage,
        yieldTask: this.#platform.yieldTask,
        now: this.#platform.now,
        rebuild,
      },
      options,
    );
  }

  async compact(options: LongOptions): Promise<{ readonly pagesFreed: number; readonly bytesFreed: number }> {
    this.#assertOpen();
    return compactStore(
      {
        state: this.#state,
        committer: this.#committer,
        storage: this.#storage,
        yieldTask: this.#platform.yieldTask,
        checkpoint: () => this.checkpoint(),
      },
      options,
    );
  }

  async health(): Promise<Health> {
    const { space, snapshots, collections } = this.#state;
    const figures = await this.#platform.estimate?.();
    return {
      storage: this.#storage.kind,
      log: this.#storage.tail?.() === 'used' ? 'opfs' : this.#storage.kind,
      durability: this.#given(this.#options.durability),
      persisted: figures?.persisted,
      usageBytes: figures?.usageBytes,
      quotaBytes: figures?.quotaBytes,
      logRecordsSinceCheckpoint: this.#checkpointer.logFrames,
      logBytesSinceCheckpoint: this.#checkpointer.logBytes,
      cacheBytes: Math.round(space.cacheBytes),
      dirtyBytes: Math.round(space.dirtyBytes),
      openSnapshots: snapshots.openCount,
      recovery: this.#recovery,
      collections: [...collections.values()].map(({ spec, primary }) => ({
        collection: spec.name,
        rows: primary.visible.count,
      })),
      migrations: this.#migrations.info,
    };
  }

  async checkpoint(): Promise<void> {
    this.#assertOpen();
    await this.#runCheckpoint();
  }

  async #runCheckpoint(): Promise<void> {
    try {
      await this.#checkpointer.run();
    } catch (error) {
      if (error instanceof StoreError) this.#onCheckpointFailure(error);
      throw this.#poison ?? error;
    }
  }

  async close(): Promise<void> {
    if (this.#life === 'closed' || this.#life === 'closing') return;
    const wasPoisoned = this.#life === 'poisoned';
    this.#life = 'closing';
    try {
      if (!wasPoisoned) {
        await this.#committer.flush();
        await this.#checkpointer.close();
        const isManual = this.#options.unstable?.checkpoint === 'manual';
        // Without it the next opening replays; a failure costs time there, and nothing else.
        if (!isManual && this.#poison === undefined && this.#checkpointer.logBytes > 0)
          await this.#checkpointer.run().catch(() => undefined);
      }
    } finally {
      this.#live.fail(storeIs('closed'));
      await this.#checkpointer.close();
      await this.#storage.close();
      this.#life = 'closed';
      this.#release();
    }
  }

  async destroy(): Promise<void> {
    const wasOpen = this.#life === 'open';
    this.#life = 'closing';
    this.#live.fail(storeIs('closed'));
    if (wasOpen) await this.#committer.flush().catch(() => undefined);
    await this.#checkpointer.close();
    await this.#storage.destroy();
    this.#life = 'closed';
    this.#release();
  }

  #assertOpen(): void {
    if (this.#life === 'open') return;
    if (this.#poison !== undefined && this.#life === 'poisoned') throw this.#poison;
    throw storeIs(this.#life);
  }

  #must(name: string): CollectionState {
    this.#assertOpen();
    this.#migrations.assertDone(name);
    return this.#state.must(name);
  }

  #read<T>(read: () => T): MaybePromise<T> {
    const result = this.#state.space.whenResident(read);
    if (!(result instanceof Promise)) return result;
    return result.finally(() => this.#state.trim());
  }

  #given(durability: Durability): DurabilityGiven {
    return this.#storage.kind === 'memory' ? 'none' : durability;
  }

  #view(collection: CollectionState): ReadView {
    const { space } = this.#state;
    const primary = collection.primary.visible;
    return {
      space,
      stateOf: (index) => (index === undefined ? primary : index.tree.visible),
      readBlob: (row) => this.#state.readBlob(row),
      yieldTask: this.#platform.yieldTask,
    };
  }

  /** A collection as it is now, for as long as its snapshot is open: whatever is built or dropped meanwhile. */
  #source(name: string): JoinSource {
    const { id, spec, primary, indexes } = this.#must(name);
    const ready = indexes.filter(({ state }) => state === 'ready');
    const collection = new CollectionState(id, spec, primary, ready);
    const states = new Map(ready.map((index) => [index, index.tree.visible]));
    const view = this.#view(collection);
    return { collection, view: { ...view, stateOf: (index) => (index && states.get(index)) ?? view.stateOf(index) } };
  }

  #open(name: string, { include, ...find }: FindSpec): FindCursor | IncludeCursor {
    if (include === undefined) return this.#cursor(name, find);
    const includes = parseIncludes(include);
    const projection = compileProjection(find.project, this.#must(name).spec.key);
    const sources = new Map([...collectionsOf(includes)].map((each) => [each, this.#source(each)]));
    const cursor = this.#cursor(name, { ...find, project: undefined });
    const includer = new Includer(includes, {
      source: (from) => sources.get(from)!,
      rest: createRest(this.#platform.now, this.#platform.yieldTask),
    });
    return new IncludeCursor({ find: cursor, includer, projection, release: this.#state.snapshots.open() });
  }

  #cursor(name: string, find: FindSpec): FindCursor {
    const collection = this.#must(name);
    const plan = planFind(collection, find);
    this.#checkScan(plan, find.scanRowsMax);
    const close = this.#state.snapshots.open();
    const release = (): void => {
      close();
      this.#state.space.trim();
    };
    return new FindCursor({ view: this.#view(collection), plan, release });
  }

  /** Refuses a plan that would read more rows without an index than the query, or the store, allows. */
  #checkScan(plan: FindPlan, rowsMax: number | undefined): void {
    checkScan(plan, rowsMax ?? this.#options.scanRowsMax ?? Number.POSITIVE_INFINITY);
  }

  /** The scan is kept while pages are missing, so that a repeated preparation goes on where it was. */
  #preparation(request: WriteRequest): () => MaybePromise<ReturnType<typeof prepareWrite>> {
    if (request.type === 'deleteMany') return () => this.#prepareDeleteMany(request);
    if (request.type !== 'updateMany') return () => prepareWrite(this.#context, request);
    let kept: { readonly version: number; readonly scan: PlanScan; readonly found: string[] } | undefined;
    const findKeys: PrepareContext['findKeys'] = (collection, selector) => {
      const { version } = this.#state.space;
      if (kept === undefined || kept.version !== version) {
        kept = { version, scan: this.#headScan(collection, selector), found: [] };
      }
      const { found, scan } = kept;
      scan.pullNow(
        (key) => found.push(key),
        (stored) => this.#state.wholeRow(stored),
      );
      return found;
    };
    return () => prepareWrite({ ...this.#context, findKeys }, request);
  }

  /** Only keys are kept, and pages are let go of as the scan goes on: the rows may be more than fit into memory. */
  #prepareDeleteMany({ collection: name, selector }: Extract<WriteRequest, { type: 'deleteMany' }>) {
    const collection = this.#state.must(name);
    const { key } = collection.spec;
    const scan = this.#headScan(collection, selector, { sort: [[key, 1]], project: { [key]: 1 } });
    const keys: string[] = [];
    const prepare = () => this.#state.space.whenResident(() => prepareDeleteMany(this.#context, collection, keys));
    const scanning = scan.pull(Number.POSITIVE_INFINITY, (found) => keys.push(found));
    return scanning instanceof Promise ? scanning.then(prepare) : prepare();
  }

  #headScan(collection: CollectionState, selector: Selector, more: Partial<FindSpec> = {}): PlanScan {
    const view: ReadView = {
      space: this.#state.space,
      stateOf: (index) => (index === undefined ? collection.primary : index.tree).head,
      readBlob: (row) => this.#state.readBlob(row),
      yieldTask: this.#platform.yieldTask,
    };
    return new PlanScan(view, planFind(collection, { selector, sort: [], ...more }));
  }

  #findKeys(collection: CollectionState, selector: Selector): readonly string[] {
    const found: string[] = [];
    this.#headScan(collection, selector).pullNow(
      (key) => found.push(key),
      (stored) => this.#state.wholeRow(stored),
    );
    return found;
  }

  /** A checkpoint keeps what the builder added: it is not in the log. */
  async #build(collection: CollectionState, index: IndexState, options: LongOptions): Promise<void> {
    const { yieldTask } = this.#platform;
    await buildIndex({ state: this.#state, committer: this.#committer, yieldTask }, collection, index, options);
    await this.#runCheckpoint();
  }

  async #drop(collection: CollectionState, name: string): Promise<void> {
    await this.#changeCatalogue([{ type: 'drop-index', collection: collection.id, name }]);
  }

  async #changeCatalogue(changes: readonly CatalogueChange[]): Promise<void> {
    if (changes.length > 0) await this.#committer.changeCatalogue(changes);
    await this.#freeDropped();
  }

  /** Pages of dropped indexes are freed by the next checkpoint. */
  async #freeDropped(): Promise<void> {
    const { dropped, space } = this.#state;
    this.#state.dropped = [];
    for (const tree of dropped) {
      const [collection] = this.#state.collections.values();
      if (collection === undefined) return;
      await this.#committer
        .upkeep(collection, () => void space.freed.push(...pagesBelow(space, tree.root)))
        .catch((error) => {
          // Below a damaged page none can be found. They stay as waste, which must not hinder the repair or the opening.
          if (!(error instanceof StoreError && /^(page|storage\/damaged)/.test(error.code))) throw error;
        });
    }
  }

  /** A checkpoint that fails is tried again later: the log has everything. Unless somebody else has made one. */
  #onCheckpointFailure(error: StoreError): void {
    if (error.code === 'storage/generation-mismatch') this.#committer.supersede(error);
  }
}

function singleCreate(request: WriteRequest): { readonly collection: string; readonly row: Row } | undefined {
  const [row] = request.type === 'create' && request.rows.length === 1 ? request.rows : [];
  return row && { collection: request.collection, row };
}

const storeIs = (state: EngineState): StoreError =>
  new StoreError('store/closed', `The store is ${state}.`, { details: { state }, hint: 'Open it again.' });

const NO_OPTIONS: LongOptions = { signal: undefined, onProgress: undefined };

function validatorsOf({ collections }: EngineOptions): ReadonlyMap<string, RowValidator> {
  const validators = new Map<string, RowValidator>();
  for (const { name, jsonSchema } of collections)
    if (jsonSchema !== undefined) validators.set(name, createValidator(jsonSchema));
  return validators;
}

function mustIndex(collection: CollectionState, name: string): IndexState {
  const index = collection.indexes.find(({ spec }) => spec.name === name);
  if (index !== undefined) return index;
  throw new StoreError('index/unknown', `Collection ${collection.spec.name} has no index ${name}.`, {
    details: { collection: collection.spec.name, index: name, known: collection.indexes.map(({ spec }) => spec.name) },
  });
}

const indexExists = (collection: string, index: string): StoreError =>
  new StoreError('index/exists', `Collection ${collection} has an index ${index} already.`, {
    details: { collection, index },
    hint: 'Drop it first, or give the new one another name.',
  });

const tooManyValues = (collection: string, path: string): StoreError =>
  new StoreError(
    'query/too-many-values',
    `${path} of ${collection} has more than ${DISTINCT_VALUES_MAX} distinct values.`,
    {
      details: { collection, path, limit: DISTINCT_VALUES_MAX },
      hint: 'Select fewer rows, or stream them.',
    },
  );
