/**
 * The engine behind one port: it routes calls to the layers below and owns their life. Reads are answered from what is
 * visible, at once when the pages are in memory; writes go to the committer.
 */

import type { Lsn } from '../../src/base/ids.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, IndexSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type {
  BeginOptions,
  CallOrigin,
  ChangeEvent,
  Durability,
  DurabilityGiven,
  EngineApi,
  EngineOptions,
  EngineState,
  EngineTransaction,
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
import { isHidden, type PendingNews } from '../../src/protocol/sync-worker.ts';
import { type CollectionState, decodePrimaryKey, type IndexState } from '../indexes/index.ts';
import { LiveQueries } from '../live/index.ts';
import { pagesBelow } from '../pages/index.ts';
import type { AggregateCursor } from '../query/index.ts';
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
  type StoreState,
  SyncMarks,
  studyRows,
} from '../transactions/index.ts';
import { createWalWriter } from '../wal/index.ts';
import { planCatalogue } from './catalogue-plan.ts';
import { compactStore } from './compact.ts';
import { Enrolments } from './enrolment.ts';
import { buildIndex } from './index-builder.ts';
import { createKeyFinder, type FindKeys, scanHead } from './key-finder.ts';
import { Migrations } from './migrations.ts';
import { PendingChanges } from './pending-changes.ts';
import type { EnginePlatform } from './platform.ts';
import { Reader } from './reader.ts';
import { createRowValidators, type RowValidators } from './row-validators.ts';
import { Transactions } from './transactions.ts';
import { verifyStore } from './verify.ts';

export type EngineParts = {
  readonly storage: Storage;
  readonly recovered: Recovered;
  readonly epoch: number;
  readonly options: EngineOptions;
  readonly platform: EnginePlatform;
  readonly nextLsn: Lsn;
  /** An older writer may live, and wake. */
  readonly isStolen: boolean;
  /** Frees the store's lock. */
  readonly release: () => void;
  /** Nothing more is written. Before anybody else is told. */
  readonly onPoisoned: ((error: StoreError) => void) | undefined;
};

type Listener = (events: readonly ChangeEvent[]) => void;

export class Engine implements EngineApi {
  readonly epoch: number;
  readonly #storage: Storage;
  readonly #options: EngineOptions;
  readonly #platform: EnginePlatform;
  readonly #state: StoreState;
  readonly #committer: Committer;
  readonly #marks: SyncMarks;
  readonly #checkpointer: Checkpointer;
  readonly #recovery: RecoveryReport;
  readonly #release: () => void;
  readonly #validators: RowValidators;
  readonly #listeners: Map<string, Set<Listener>> = new Map();
  readonly #context: PrepareContext;
  readonly #reader: Reader;
  readonly #live: LiveQueries;
  readonly #migrations: Migrations;
  readonly #enrolments: Enrolments;
  readonly #pending: PendingChanges;
  readonly #transactions: Transactions;
  #life: EngineState = 'opening';
  #poison: StoreError | undefined;

  constructor({ storage, recovered, epoch, options, platform, nextLsn, isStolen, release, onPoisoned }: EngineParts) {
    this.#storage = storage;
    this.#options = options;
    this.#platform = platform;
    this.#state = recovered.state;
    this.#recovery = recovered.report;
    this.#release = release;
    this.#validators = createRowValidators(options.collections);
    this.epoch = epoch;
    this.#marks = new SyncMarks(this.#state, epoch);
    this.#checkpointer = new Checkpointer({
      state: this.#state,
      storage,
      generation: recovered.generation,
      epoch,
      storedLsn: recovered.lastLsn,
      fencedLsn: isStolen ? nextLsn : undefined,
      logBytes: recovered.logBytes,
      logFrames: recovered.report.framesKept,
      mode: options.unstable?.checkpoint ?? 'automatic',
      now: platform.now,
      setTimer: platform.setTimer,
      yieldTask: platform.yieldTask,
      note: (operations) => this.#committer.note(operations),
      hold: () => this.#committer.hold(),
      release: () => this.#committer.release(),
      onFailure: (error) => this.#onCheckpointFailure(error),
    });
    this.#committer = new Committer({
      state: this.#state,
      // Compressing a group was measured to take longer than storing it raw (worker/wal/FORMAT.md).
      wal: createWalWriter({ log: storage.log, epoch, nextLsn, compression: undefined }),
      given: (durability) => this.#given(durability),
      marks: this.#marks,
      prepareCreates: (collection, rows) => prepareCreates(this.#context, collection, rows),
      setTimer: platform.setTimer,
      yieldTask: platform.yieldTask,
      onStored: (appended) => this.#checkpointer.noteStored(appended),
      onChanges: (collection, events) => {
        for (const listener of this.#listeners.get(collection) ?? []) listener(events);
      },
      onTold: () => this.#pending.told(),
      hasListeners: (collection) => (this.#listeners.get(collection)?.size ?? 0) > 0,
      onPoisoned: (error) => {
        if (this.#life !== 'closing') this.#life = 'poisoned';
        this.#poison = error;
        onPoisoned?.(error);
        // Who is closing the store is told that it is closed.
        this.#live.fail(this.#life === 'closing' ? storeIs('closed') : error);
        this.#transactions.endAll(error);
        // Whoever has the store now must find it as it was.
        this.#checkpointer.stop(error);
      },
    });
    this.#enrolments = new Enrolments({
      state: this.#state,
      committer: this.#committer,
      marks: this.#marks,
      yieldTask: platform.yieldTask,
      isOpen: () => this.#life === 'open',
    });
    this.#pending = new PendingChanges(this, () => this.#state.changes !== undefined);
    this.#migrations = new Migrations({
      state: this.#state,
      committer: this.#committer,
      durability: options.durability === 'strict' ? 'strict' : 'relaxed',
      validatorOf: (name) => this.#validators.local.get(name),
      assertOpen: () => this.#assertOpen(),
      changeCatalogue: (changes) => this.#changeCatalogue(changes),
      onDone: (collection) => {
        this.#buildUnready(collection);
        this.#enrolments.begin(collection);
      },
    });
    this.#context = {
      state: this.#state,
      validatorOf: ({ spec }) => this.#validators.local.get(spec.name),
      findKeys: (collection, selector) => this.#keyFinder()(collection, selector),
    };
    this.#reader = new Reader({
      state: this.#state,
      must: (name) => this.#must(name),
      scanRowsMax: options.scanRowsMax,
      platform,
    });
    this.#transactions = new Transactions({
      state: this.#state,
      committer: this.#committer,
      platform,
      scanRowsMax: options.scanRowsMax,
      durability: options.durability,
      given: (durability) => this.#given(durability),
      validators: this.#validators,
      must: (name) => this.#must(name),
      isUsable: (name) => this.#migrations.isDone(name),
    });
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
      if (!this.#migrations.isDone(collection.spec.name)) continue;
      this.#buildUnready(collection);
      this.#enrolments.begin(collection);
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

  watchPending(listener: (news: PendingNews) => void): () => void {
    this.#assertOpen();
    return this.#pending.watch(listener);
  }

  async whenSaved(signal: AbortSignal | undefined): Promise<void> {
    this.#assertOpen();
    await this.#pending.whenSaved(signal);
  }

  get(name: string, key: Key): MaybePromise<Row | undefined> {
    return this.#reader.get(name, key);
  }

  getMany(name: string, keys: readonly Key[]): MaybePromise<readonly (Row | undefined)[]> {
    return this.#reader.getMany(name, keys);
  }

  find(name: string, find: FindSpec): RowCursor {
    return this.#reader.find(name, find);
  }

  aggregate(name: string, spec: PipelineSpec): AggregateCursor {
    this.#assertOpen();
    return this.#reader.aggregate(name, spec);
  }

  page(name: string, find: FindSpec): Promise<Page> {
    return this.#reader.page(name, find);
  }

  count(name: string, selector: Selector): MaybePromise<number> {
    return this.#reader.count(name, selector);
  }

  distinct(name: string, path: string, selector: Selector): Promise<readonly unknown[]> {
    return this.#reader.distinct(name, path, selector);
  }

  explain(name: string, find: FindSpec): Promise<Explanation> {
    return this.#reader.explain(name, find);
  }

  write(request: WriteRequest, { durability, signal, origin, isRemote }: WriteOptions): Promise<WriteOutcome> {
    this.#must(request.collection);
    return this.#committer.write(this.#preparation(request), {
      durability: durability ?? this.#options.durability,
      signal,
      origin,
      isRemote,
      creates: isRemote ? undefined : singleCreate(request),
    });
  }

  answered(origin: CallOrigin): MaybePromise<WriteOutcome> | undefined {
    const answer = this.#state.answered.find(origin);
    if (answer === undefined) return undefined;
    const durability = this.#given('relaxed');
    if (answer.type === 'value') return { durability, value: answer.value };
    const collection = this.#state.byId(answer.collection);
    const row = this.get(collection.spec.name, decodePrimaryKey(answer.key));
    return row instanceof Promise ? row.then((value) => ({ durability, value })) : { durability, value: row };
  }

  flush(): Promise<void> {
    return this.#committer.flush();
  }

  fence(): Promise<void> {
    return this.#committer.fence();
  }

  supersede(cause: StoreError): void {
    this.#committer.supersede(cause);
  }

  forgetAnswered(client: string, below: number): void {
    this.#state.answered.forget(client, below);
  }

  get answeredClients(): readonly string[] {
    return this.#state.answered.clients;
  }

  study(collection: string, encoded: Uint8Array): RowsAhead {
    return studyRows(this.#state.collections.get(collection), encoded);
  }

  preview(
    request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
  ): MaybePromise<readonly { before: Row; after: Row }[]> {
    this.#must(request.collection);
    return this.#reader.read(() => previewUpdate(this.#context, request));
  }

  begin(options: BeginOptions): EngineTransaction {
    this.#assertOpen();
    return this.#transactions.begin(options);
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

  get home(): Pick<Health, 'storage' | 'durability'> {
    return { storage: this.#storage.kind, durability: this.#given(this.#options.durability) };
  }

  async health(): Promise<Health> {
    const { space, snapshots, collections } = this.#state;
    const figures = await this.#platform.estimate?.();
    return {
      ...this.home,
      log: this.#storage.tail?.() === 'used' ? 'opfs' : this.#storage.kind,
      persisted: figures?.persisted,
      usageBytes: figures?.usageBytes,
      quotaBytes: figures?.quotaBytes,
      logRecordsSinceCheckpoint: this.#checkpointer.logFrames,
      logBytesSinceCheckpoint: this.#checkpointer.logBytes,
      cacheBytes: Math.round(space.cacheBytes),
      dirtyBytes: Math.round(space.dirtyBytes),
      openSnapshots: snapshots.openCount,
      openTransactions: this.#transactions.openCount,
      recovery: this.#recovery,
      collections: [...collections.values()]
        .filter(({ spec }) => !isHidden(spec.name))
        .map(({ spec, primary }) => ({ collection: spec.name, rows: primary.visible.count })),
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
    this.#transactions.endAll(storeIs('closed'));
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
    this.#transactions.endAll(storeIs('closed'));
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

  #given(durability: Durability): DurabilityGiven {
    return this.#storage.kind === 'memory' ? 'none' : durability;
  }

  #preparation(request: WriteRequest): () => MaybePromise<ReturnType<typeof prepareWrite>> {
    if (request.type === 'deleteMany') return () => this.#prepareDeleteMany(request);
    if (request.type !== 'updateMany') return () => prepareWrite(this.#context, request);
    const findKeys = this.#keyFinder();
    return () => prepareWrite({ ...this.#context, findKeys }, request);
  }

  /** Only keys are kept, and pages are let go of as the scan goes on: the rows may be more than fit into memory. */
  #prepareDeleteMany({ collection: name, selector }: Extract<WriteRequest, { type: 'deleteMany' }>) {
    const collection = this.#state.must(name);
    const { key } = collection.spec;
    const { yieldTask } = this.#platform;
    const find = { selector, sort: [[key, 1]], project: { [key]: 1 } } as const;
    const scan = scanHead({ state: this.#state, yieldTask }, collection, find);
    const keys: string[] = [];
    const prepare = () => this.#state.space.whenResident(() => prepareDeleteMany(this.#context, collection, keys));
    const scanning = scan.pull(Number.POSITIVE_INFINITY, (found) => keys.push(found));
    return scanning instanceof Promise ? scanning.then(prepare) : prepare();
  }

  #keyFinder(): FindKeys {
    const { yieldTask } = this.#platform;
    return createKeyFinder({ state: this.#state, yieldTask, version: () => this.#state.space.version });
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
    const hidden = changes.filter((change) => change.type === 'create-collection' && isHidden(change.spec.name));
    const others = changes.filter((change) => !hidden.includes(change));
    if (hidden.length > 0) await this.#committer.changeCatalogue(hidden);
    for (const change of others) {
      if (change.type !== 'alter-collection' || change.spec.sync !== true) continue;
      const collection = this.#state.byId(change.id);
      if (collection.spec.sync !== true) await this.#enrolments.prepare(collection);
    }
    if (others.length > 0) await this.#committer.changeCatalogue(others);
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
  const [row] = request.type === 'create' && !request.parts && request.rows.length === 1 ? request.rows : [];
  return row && { collection: request.collection, row };
}

const storeIs = (state: EngineState): StoreError =>
  new StoreError('store/closed', `The store is ${state}.`, { details: { state }, hint: 'Open it again.' });

const NO_OPTIONS: LongOptions = { signal: undefined, onProgress: undefined };

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
