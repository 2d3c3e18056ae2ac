/**
 * One attempt of a transaction: a fork of what was visible at its beginning, what it has read, the locks it holds, and
 * its end. Commits are checked against all that were applied since its snapshot, then prepared against the head and
 * stored as one commit (worker/transactions/SPEC.md).
 */
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type {
  BeginOptions,
  CallOrigin,
  Durability,
  DurabilityGiven,
  EngineTransaction,
  Explanation,
  KeyName,
  MaybePromise,
  Page,
  RetryAdvice,
  RowCursor,
  WriteOptions,
  WriteOutcome,
  WriteRequest,
} from '../../src/protocol/engine-api.ts';
import { type CollectionState, decodePrimaryKey, encodePrimaryKey } from '../indexes/index.ts';
import {
  type Committer,
  conflict,
  type LockOwner,
  type LockTable,
  type NetChanges,
  type PrepareContext,
  type PreparedWrite,
  prepareCommit,
  prepareWrite,
  previewUpdate,
  StoreFork,
  type StoreState,
} from '../transactions/index.ts';
import { createKeyFinder } from './key-finder.ts';
import type { EnginePlatform } from './platform.ts';
import { Reader } from './reader.ts';
import type { RowValidators } from './row-validators.ts';
import { LateCursor, TrackedReads } from './tracked-reads.ts';

export type TransactionContext = {
  readonly state: StoreState;
  readonly committer: Committer;
  readonly locks: LockTable;
  readonly platform: EnginePlatform;
  readonly scanRowsMax: number | undefined;
  readonly durability: Durability;
  readonly given: (durability: Durability) => DurabilityGiven;
  readonly validators: RowValidators;
  /** Throws when the store is not open, or the collection cannot be used yet. */
  readonly must: (collection: string) => CollectionState;
  readonly isUsable: (collection: string) => boolean;
  readonly onEnd: (transaction: Transaction) => void;
};

/** Keys that a commit locks; of more, only those that somebody holds. */
const COMMIT_LOCKS_MAX = 1_000;
/** Locks that a next attempt is told to take. */
const ADVISED_LOCKS_MAX = 64;

export class Transaction implements EngineTransaction {
  readonly id: number;
  readonly #context: TransactionContext;
  readonly #options: BeginOptions;
  readonly #owner: LockOwner;
  readonly #reads: TrackedReads;
  readonly #reader: Reader;
  readonly #prepare: PrepareContext;
  readonly #controller = new AbortController();
  readonly #savepoints: Map<number, number> = new Map();
  readonly #stopTimer: () => void;
  #lastSavepoint = 0;
  #fork!: StoreFork;
  #since!: { readonly number: number; readonly end: () => void };
  #closeSnapshot: (() => void) | undefined;
  /** Calls that change something take their turns; reads wait for them. */
  #tail: Promise<unknown> | undefined;
  #life: 'open' | 'committing' | 'ended' = 'open';
  /** Why it has ended, when it was not asked to. */
  #failure: StoreError | undefined;

  constructor(id: number, context: TransactionContext, options: BeginOptions) {
    this.id = id;
    this.#context = context;
    this.#options = options;
    this.#owner = { id, held: new Set() };
    const { state, platform, scanRowsMax } = context;
    const validators = context.validators[options.isRemote === true ? 'remote' : 'local'];
    const must = (name: string): CollectionState => this.#must(name);
    this.#reads = new TrackedReads({ must, isTracking: !options.readOnly });
    this.#reader = new Reader({ state, must, scanRowsMax, platform });
    this.#prepare = {
      // Large rows stay in memory until the commit: these numbers are never used.
      state: { must, wholeRow: (stored) => state.wholeRow(stored), nextBlob: 1 },
      validatorOf: ({ spec }) => validators.get(spec.name),
      findKeys: (collection, selector) => this.#keyFinder()(collection, selector),
    };
    this.#stopTimer = platform.setTimer(() => this.#onTimeout(), options.timeoutMs);
    const locking = options.locks.length === 0 ? undefined : this.#lockAhead(options.locks);
    if (locking === undefined) this.#begin();
    else this.#inTurn(() => locking);
  }

  get(collection: string, key: Key): MaybePromise<Row | undefined> {
    return this.#read(() => {
      this.#reads.key(collection, key);
      return this.#reader.get(collection, key);
    });
  }

  getMany(collection: string, keys: readonly Key[]): MaybePromise<readonly (Row | undefined)[]> {
    return this.#read(() => {
      for (const key of keys) this.#reads.key(collection, key);
      return this.#reader.getMany(collection, keys);
    });
  }

  find(collection: string, find: FindSpec): RowCursor {
    return this.#cursor(() => this.#reads.find(collection, find, this.#reader.find(collection, find)));
  }

  aggregate(collection: string, pipeline: PipelineSpec): RowCursor & { explain(): Explanation } {
    return this.#cursor(() => {
      this.#reads.pipeline(collection, pipeline);
      return this.#reader.aggregate(collection, pipeline);
    });
  }

  page(collection: string, find: FindSpec): MaybePromise<Page> {
    return this.#read(() => {
      this.#reads.condition(collection, find);
      return this.#reader.page(collection, find);
    });
  }

  count(collection: string, selector: Selector): MaybePromise<number> {
    return this.#read(() => {
      this.#reads.condition(collection, { selector });
      return this.#reader.count(collection, selector);
    });
  }

  distinct(collection: string, path: string, selector: Selector): MaybePromise<readonly unknown[]> {
    return this.#read(() => {
      this.#reads.condition(collection, { selector });
      return this.#reader.distinct(collection, path, selector);
    });
  }

  explain(collection: string, find: FindSpec): MaybePromise<Explanation> {
    return this.#read(() => this.#reader.explain(collection, find));
  }

  write(request: WriteRequest, { durability }: WriteOptions): MaybePromise<WriteOutcome> {
    if (durability !== undefined) throw ownDurability(durability);
    return this.#inTurn(() => this.#write(request));
  }

  preview(
    request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>,
  ): MaybePromise<readonly { readonly before: Row; readonly after: Row }[]> {
    return this.#read(() => {
      this.#reads.write(request);
      const prepare = { ...this.#prepare, findKeys: this.#keyFinder() };
      return this.#context.state.space.whenResident(() => previewUpdate(prepare, request));
    });
  }

  lock(collection: string, key: Key): MaybePromise<void> {
    return this.#inTurn(() => {
      this.#check();
      if (this.#options.readOnly) throw isReadOnly('lock');
      this.#must(collection);
      const waiting = this.#acquire([collection, key], true);
      // Who held it may have changed what is behind it.
      return waiting === undefined ? this.#catchUp() : waiting.then(() => this.#catchUp());
    });
  }

  savepoint(): MaybePromise<number> {
    return this.#inTurn(() => {
      this.#check();
      this.#lastSavepoint += 1;
      this.#savepoints.set(this.#lastSavepoint, this.#fork.mark);
      return this.#lastSavepoint;
    });
  }

  rollbackTo(savepoint: number): MaybePromise<void> {
    return this.#inTurn(() => {
      this.#check();
      const mark = this.#savepoints.get(savepoint);
      if (mark === undefined) throw unknownSavepoint(savepoint, [...this.#savepoints.keys()]);
      for (const later of this.#savepoints.keys()) if (later > savepoint) this.#savepoints.delete(later);
      return this.#orFail(() => this.#fork.rollbackTo(mark));
    });
  }

  commit(origin?: CallOrigin): MaybePromise<WriteOutcome> {
    return this.#inTurn(() => this.#commit(origin));
  }

  rollback(): RetryAdvice {
    this.end(ended());
    const { code, details } = this.#failure!;
    return code === 'transaction/conflict' ? { locks: details['locks'] as readonly KeyName[] } : undefined;
  }

  /** Rolls back what is not on its way to storage. `why` is what later calls are told. */
  end(why: StoreError): void {
    if (this.#life === 'ended') return;
    this.#life = 'ended';
    this.#failure ??= why;
    this.#controller.abort();
    this.#stopTimer();
    this.#since?.end();
    this.#closeSnapshot?.();
    this.#context.locks.release(this.#owner, () => this.#failure);
    this.#context.onEnd(this);
  }

  #begin(): void {
    const { state, committer, isUsable } = this.#context;
    this.#since = committer.history.begin();
    this.#closeSnapshot = state.snapshots.open();
    this.#fork = new StoreFork(state, isUsable);
  }

  /** In one order, so that attempts do not block each other. Whoever would still be in a circle does without. */
  #lockAhead(names: readonly KeyName[]): Promise<void> | undefined {
    const ids = new Map(names.map((name) => [lockId(name), name]));
    const ordered = [...ids.keys()].sort().map((id) => ids.get(id)!);
    const run = async (): Promise<void> => {
      try {
        for (const name of ordered) {
          await this.#acquire(name, false);
          // It may have ended while it waited: what it took from then on nobody would give back.
          this.#check();
        }
      } catch (error) {
        if (this.#failure !== undefined || !isDeadlock(error)) throw error;
        this.#context.locks.release(this.#owner, () => error);
      }
      this.#check();
      this.#begin();
    };
    return run();
  }

  #acquire([collection, key]: KeyName, isExplicit: boolean): Promise<void> | undefined {
    const name = { collection, key, id: lockId([collection, key]) };
    try {
      const waiting = this.#context.locks.acquire(this.#owner, name, isExplicit);
      return waiting?.catch((error) => {
        throw isExplicit ? this.#fail(error) : error;
      });
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Moves the snapshot to what is visible now, provided that all that was read is still true. */
  #catchUp(): MaybePromise<void> {
    this.#check();
    const { committer, state, isUsable } = this.#context;
    if (committer.history.visible === this.#since.number) return undefined;
    return this.#orFail(() => {
      this.#validate();
      this.#since.end();
      this.#since = committer.history.begin();
      const close = this.#closeSnapshot;
      this.#closeSnapshot = state.snapshots.open();
      close?.();
      return this.#fork.rebase(isUsable);
    });
  }

  #write(request: WriteRequest): MaybePromise<WriteOutcome> {
    this.#check();
    if (this.#options.readOnly) throw isReadOnly(request.type);
    this.#must(request.collection);
    this.#reads.write(request);
    const context = { ...this.#prepare, findKeys: this.#keyFinder() };
    const { space } = this.#context.state;
    const apply = (prepared: PreparedWrite): MaybePromise<WriteOutcome> => {
      const outcome = { durability: undefined, value: prepared.value };
      const applying = this.#orFail(() => this.#fork.apply(prepared));
      return applying instanceof Promise ? applying.then(() => outcome) : outcome;
    };
    const refuse = (error: unknown): never => {
      // Whose value is taken was read from an index, by a name that nobody has noted.
      if (error instanceof StoreError && error.code === 'collection/duplicate-value')
        this.#reads.all(request.collection);
      throw error;
    };
    let prepared: MaybePromise<PreparedWrite>;
    try {
      prepared = space.whenResident(() => prepareWrite(context, request));
    } catch (error) {
      return refuse(error);
    }
    return prepared instanceof Promise ? prepared.then(apply, refuse) : apply(prepared);
  }

  async #commit(origin: CallOrigin | undefined): Promise<WriteOutcome> {
    this.#check();
    try {
      const outcome = await this.#store(origin);
      return outcome;
    } catch (error) {
      throw this.#fail(await this.#toFailure(error));
    } finally {
      this.end(ended());
    }
  }

  #store(origin: CallOrigin | undefined): MaybePromise<WriteOutcome> {
    if (!this.#fork.hasChanges) return { durability: this.#given(), value: undefined };
    const net = this.#fork.netChanges();
    for (const name of net.keys()) this.#context.must(name);
    // Once before anything is waited for: a race that is lost already need not be run.
    this.#validate();
    const locking = this.#lockWrites(net);
    return locking === undefined ? this.#hand(net, origin) : locking.then(() => this.#hand(net, origin));
  }

  #hand(net: NetChanges, origin: CallOrigin | undefined): Promise<WriteOutcome> {
    this.#check();
    this.#life = 'committing';
    const { state, committer, durability } = this.#context;
    let isValid = false;
    const prepare = (): PreparedWrite => {
      // It was ended while it waited for pages: what it is to be checked against may be gone.
      if (!isValid && this.#life === 'ended') throw this.#failure;
      // Prepared again after others were undone, it has fewer of them before it: what held still holds.
      if (!isValid) this.#validate();
      isValid = true;
      return prepareCommit(state, net) ?? nothingOf(state.must([...net.keys()][0]!));
    };
    return committer.write(prepare, {
      durability: this.#options.durability ?? durability,
      signal: this.#controller.signal,
      origin,
      isRemote: this.#options.isRemote,
      isOwn: this.#options.isOwn,
    });
  }

  #lockWrites(net: NetChanges): Promise<void> | undefined {
    const { locks } = this.#context;
    const names = [...net].flatMap(([collection, rows]) => [...rows.keys()].map((key) => [collection, key] as const));
    const ids = names.map(([collection, key]) => `${collection}\n${key}`);
    const wanted = names.length <= COMMIT_LOCKS_MAX ? ids : ids.filter((id) => locks.isHeldByAnother(this.#owner, id));
    wanted.sort();
    const take = (from: number): Promise<void> | undefined => {
      for (let at = from; at < wanted.length; at += 1) {
        const waiting = this.#acquire(nameOf(wanted[at]!), false);
        if (waiting === undefined) continue;
        return waiting.then(() => {
          // The same as in #lockAhead.
          this.#check();
          return take(at + 1);
        });
      }
      return undefined;
    };
    return take(0);
  }

  /** Throws `transaction/conflict` when a commit since the snapshot has changed what was read. */
  #validate(): void {
    const { history } = this.#context.committer;
    const commits = history.since(this.#since.number);
    if (commits === undefined) {
      throw conflict('it took so long that what others committed is no longer known.', {}, this.#footprint());
    }
    const clash = this.#reads.set.firstClash(commits);
    if (clash === undefined) return;
    const { collection, key, commit } = clash;
    const what = `${collection} ${JSON.stringify(key)} was changed after it was read.`;
    throw conflict(what, { collection, key, commit }, this.#footprint());
  }

  /** What another attempt had better lock: what this one has named by key. */
  #footprint(): readonly KeyName[] {
    const ids = new Set<string>();
    for (const [collection, key] of this.#reads.set.keys()) ids.add(`${collection}\n${key}`);
    for (const [collection, rows] of this.#fork.netChanges())
      for (const key of rows.keys()) ids.add(`${collection}\n${key}`);
    return ids.size > ADVISED_LOCKS_MAX ? [] : [...ids].map(nameOf);
  }

  /** What a failed commit is told as. An attempt that lost a race begins anew when it can see who won. */
  async #toFailure(error: unknown): Promise<unknown> {
    if (!(error instanceof StoreError)) return error;
    const { history } = this.#context.committer;
    const { code, details } = error;
    if (code === 'transaction/conflict' && typeof details['commit'] === 'number') {
      await history.whenVisible(details['commit']);
      return error;
    }
    if (code === 'call/aborted' && this.#failure !== undefined) return this.#failure;
    if (isDeadlock(error)) return conflict('it would have waited in a circle.', details, this.#footprint());
    if (code === 'collection/duplicate-value' || code === 'index/key-too-long') {
      await history.whenVisible(history.last);
      return conflict(error.message, details, this.#footprint());
    }
    return error;
  }

  #onTimeout(): void {
    const { timeoutMs } = this.#options;
    const why = timedOut(timeoutMs);
    // On its way to storage only the storage can tell.
    if (this.#life === 'committing') {
      this.#failure = why;
      this.#controller.abort();
    } else this.end(why);
  }

  /** Ends the transaction with an error, which is answered. */
  #fail(error: unknown): unknown {
    if (error instanceof StoreError) this.end(error);
    return this.#failure ?? error;
  }

  #orFail<T>(run: () => MaybePromise<T>): MaybePromise<T> {
    const fail = (error: unknown): never => {
      throw this.#fail(error);
    };
    try {
      const result = run();
      return result instanceof Promise ? result.catch(fail) : result;
    } catch (error) {
      return fail(error);
    }
  }

  #must(name: string): CollectionState {
    const collection = this.#fork.collection(name);
    if (collection !== undefined) return collection;
    this.#context.must(name);
    throw this.#fail(conflict(`${name} could not be used yet when it began.`, { collection: name }, []));
  }

  #check(): void {
    if (this.#life === 'open') return;
    throw this.#failure ?? ended();
  }

  #given(): DurabilityGiven {
    return this.#context.given(this.#options.durability ?? this.#context.durability);
  }

  #keyFinder(): PrepareContext['findKeys'] {
    const { state, platform } = this.#context;
    return createKeyFinder({ state, yieldTask: platform.yieldTask, version: () => this.#fork.version });
  }

  #read<T>(run: () => MaybePromise<T>): MaybePromise<T> {
    const checked = (): MaybePromise<T> => {
      this.#check();
      return run();
    };
    return this.#tail === undefined ? checked() : this.#tail.then(checked);
  }

  #cursor<C extends RowCursor>(open: () => C): C | LateCursor<C> {
    const checked = (): C => {
      this.#check();
      return open();
    };
    return this.#tail === undefined ? checked() : new LateCursor(this.#tail.then(checked));
  }

  /** One after the other, in the order of the calls. */
  #inTurn<T>(run: () => MaybePromise<T>): MaybePromise<T> {
    const result = this.#tail === undefined ? run() : this.#tail.then(run);
    if (!(result instanceof Promise)) return result;
    const done = (): void => {
      if (this.#tail === tail) this.#tail = undefined;
    };
    const tail: Promise<void> = result.then(done, done);
    this.#tail = tail;
    return result;
  }
}

const lockId = ([collection, key]: KeyName): string => `${collection}\n${encodePrimaryKey(key)}`;

function nameOf(id: string): KeyName {
  const at = id.indexOf('\n');
  return [id.slice(0, at), decodePrimaryKey(id.slice(at + 1))];
}

const isDeadlock = (error: unknown): boolean => error instanceof StoreError && error.code === 'transaction/deadlock';

const nothingOf = (collection: CollectionState): PreparedWrite => ({
  collection,
  changes: [],
  encoded: undefined,
  blobs: [],
  value: undefined,
});

export const ended = (): StoreError =>
  new StoreError('transaction/ended', 'The transaction has ended: it takes no more calls.', {
    hint: 'Await every call inside of the function that store.transaction() runs, and keep its tx there.',
  });

const timedOut = (timeoutMs: number): StoreError =>
  new StoreError(
    'transaction/timeout',
    `The transaction was not finished within ${timeoutMs} ms, and was rolled back.`,
    {
      details: { timeoutMs },
      hint: 'Await nothing slow inside of a transaction (no network, no user), or give it more timeoutMs.',
    },
  );

const isReadOnly = (call: string): StoreError =>
  new StoreError('transaction/read-only', `A transaction that is readOnly takes no ${call}.`, {
    details: { call },
    hint: 'Leave out readOnly.',
  });

const ownDurability = (durability: unknown): StoreError =>
  new StoreError('transaction/invalid-option', 'A call inside of a transaction has no durability of its own.', {
    details: { option: 'durability', value: String(durability) },
    hint: 'Give it to store.transaction(): all of a transaction is stored together.',
  });

const unknownSavepoint = (savepoint: unknown, known: readonly number[]): StoreError =>
  new StoreError('transaction/unknown-savepoint', 'There is no such savepoint in this transaction.', {
    details: { savepoint: typeof savepoint === 'number' ? savepoint : String(savepoint), known },
    hint: 'Going back to a savepoint ends those that were made after it. Another attempt makes its own.',
  });
