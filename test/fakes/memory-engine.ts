/**
 * An engine on plain maps, for tests of what stands before it: client, port, control. A real one in its answers and
 * their order; without storage, plans or speed. Writes can be held back, to catch calls half-way.
 */
import { Aggregator } from 'mingo';
import { decodeRows } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, IndexSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type {
  ChangeEvent,
  EngineApi,
  EngineOptions,
  Explanation,
  Health,
  LongOptions,
  RowCursor,
  RowsAhead,
  VerifyReport,
  WriteOptions,
  WriteOutcome,
  WriteRequest,
} from '../../src/protocol/engine-api.ts';
import type { LiveListener, LiveRequest, LiveSubscription } from '../../src/protocol/live.ts';
import type { PendingNews } from '../../src/protocol/sync-worker.ts';
import { LiveQueries } from '../../worker/live/index.ts';
import { applyChanges, compilePredicate, parseSelector } from '../../worker/query/index.ts';

type Collection = { readonly key: string; readonly rows: Map<Key, Row>; readonly indexes: IndexSpec[] };
type Listener = (events: readonly ChangeEvent[]) => void;

export class MemoryEngine implements EngineApi {
  /** Rows asked of cursors, and cursors that are open: what back-pressure is about. */
  rowsRead = 0;
  openCursors = 0;
  listeners = 0;
  isDestroyed = false;
  /** Requests as they came. */
  readonly requests: WriteRequest[] = [];
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #live = new LiveQueries({
    subscribe: (collection, listener) => this.subscribe(collection, listener),
    find: (collection, find) => this.find(collection, find),
    count: (collection, selector) => this.count(collection, selector),
    aggregate: (collection, pipeline) => this.aggregate(collection, pipeline),
    keyField: (collection) => this.#must(collection).key,
  });
  #held: Promise<void> | undefined;
  #letGo: (() => void) | undefined;

  constructor({ collections }: EngineOptions) {
    this.#collections = new Map(
      collections.map(({ name, key, indexes }) => [name, { key, rows: new Map(), indexes: [...indexes] }]),
    );
  }

  /** Writes and index builds wait from now on. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#letGo = resolve;
    });
  }

  release(): void {
    this.#held = undefined;
    this.#letGo?.();
  }

  get(collection: string, key: Key): Row | undefined {
    return this.#must(collection).rows.get(key);
  }

  getMany(collection: string, keys: readonly Key[]): readonly (Row | undefined)[] {
    return keys.map((key) => this.get(collection, key));
  }

  find(collection: string, find: FindSpec): RowCursor {
    const rows = this.#select(collection, find.selector);
    for (const [path, direction] of find.sort.toReversed()) rows.sort((a, b) => compare(a[path], b[path]) * direction);
    return this.#cursor(rows.slice(find.skip, find.limit === undefined ? undefined : find.skip + find.limit));
  }

  aggregate(collection: string, pipeline: PipelineSpec): ReturnType<EngineApi['aggregate']> {
    const aggregator = new Aggregator(pipeline as never, { collectionResolver: (name) => this.#select(name, {}) });
    const rows = aggregator.run(structuredClone(this.#select(collection, {}))) as Row[];
    return { ...this.#cursor(rows), explain: () => explanationOf(rows.length) };
  }

  #cursor(given: readonly Row[]): RowCursor {
    let at = 0;
    let isOpen = true;
    this.openCursors++;
    const close = (): void => {
      if (isOpen) this.openCursors--;
      isOpen = false;
    };
    return {
      next: (limit) => {
        const chunk = given.slice(at, at + limit);
        at += chunk.length;
        this.rowsRead += chunk.length;
        const done = at === given.length;
        if (done) close();
        return { rows: chunk, done };
      },
      close,
    };
  }

  /** Cursors are numbers of rows: nothing is inserted between two pages of a test. */
  page(collection: string, { after, limit = 0, ...find }: FindSpec): ReturnType<EngineApi['page']> {
    const skip = find.skip + Number(after ?? 0);
    const cursor = this.find(collection, { ...find, skip, limit: limit + 1 });
    const chunk = cursor.next(limit + 1) as { readonly rows: readonly Row[] };
    cursor.close();
    return { rows: chunk.rows.slice(0, limit), next: chunk.rows.length > limit ? String(skip + limit) : undefined };
  }

  count(collection: string, selector: Selector): number {
    return this.#select(collection, selector).length;
  }

  distinct(collection: string, path: string, selector: Selector): readonly unknown[] {
    return [...new Set(this.#select(collection, selector).flatMap((row) => row[path] ?? []))].sort(compare);
  }

  explain(collection: string, { selector }: FindSpec): ReturnType<EngineApi['explain']> {
    const rowsGiven = this.#select(collection, selector).length;
    return explanationOf(rowsGiven);
  }

  write(request: WriteRequest, { durability = 'relaxed', signal }: WriteOptions): Promise<WriteOutcome> | WriteOutcome {
    this.requests.push(request);
    if (this.#held === undefined) return { value: this.#apply(request), durability };
    return this.#held.then(() => {
      if (signal?.aborted) throw new StoreError('call/aborted', 'The write was aborted.');
      return { value: this.#apply(request), durability };
    });
  }

  study(_collection: string, encoded: Uint8Array): RowsAhead {
    const rows = decodeRows(encoded);
    return { rows, count: rows.length };
  }

  preview(request: Extract<WriteRequest, { type: 'update' | 'updateMany' }>): readonly { before: Row; after: Row }[] {
    const { key, rows } = this.#must(request.collection);
    const befores =
      request.type === 'update'
        ? [rows.get(request.key)].filter((row) => row !== undefined)
        : this.#select(request.collection, request.selector);
    return befores.map((before) => ({ before, after: applyChanges(before, request.changes, key) }));
  }

  async createIndex(collection: string, index: IndexSpec, { signal, onProgress }: LongOptions): Promise<void> {
    const { indexes, rows } = this.#must(collection);
    onProgress?.({ done: 0, total: rows.size });
    await this.#held;
    if (signal?.aborted) throw new StoreError('call/aborted', 'The index build was aborted.');
    onProgress?.({ done: rows.size, total: rows.size });
    indexes.push(index);
  }

  async dropIndex(collection: string, name: string): Promise<void> {
    const { indexes } = this.#must(collection);
    const at = indexes.findIndex((index) => index.name === name);
    if (at < 0) throw new StoreError('index/unknown', `No index ${name}.`, { details: { index: name } });
    indexes.splice(at, 1);
  }

  indexes(collection: string): ReturnType<EngineApi['indexes']> {
    const { indexes, rows } = this.#must(collection);
    return indexes.map((index) => ({ ...index, state: 'ready', entries: rows.size }));
  }

  readonly epoch = 1;
  readonly answeredClients: readonly string[] = [];

  answered(): undefined {
    return undefined;
  }

  async flush(): Promise<void> {}

  async fence(): Promise<void> {}

  supersede(): void {}

  forgetAnswered(): void {}

  whenMigrated(): undefined {
    return undefined;
  }

  async migrate(): Promise<void> {}

  watchMigrations(listener: (migrations: readonly []) => void): () => void {
    listener([]);
    return () => undefined;
  }

  watchPending(listener: (news: PendingNews) => void): () => void {
    listener({ pending: 0, unsynced: [] });
    return () => undefined;
  }

  async whenSaved(): Promise<void> {}

  begin(): never {
    throw new StoreError('store/unsupported', 'This engine has no transactions.');
  }

  subscribe(collection: string, listener: Listener): () => void {
    this.#must(collection);
    const all = this.#listeners.get(collection) ?? new Set();
    this.#listeners.set(collection, all.add(listener));
    this.listeners++;
    return () => {
      if (all.delete(listener)) this.listeners--;
    };
  }

  /** Live queries that are kept up. */
  get liveQueries(): number {
    return this.#live.size;
  }

  live(request: LiveRequest, listener: LiveListener): LiveSubscription {
    return this.#live.open(request, listener);
  }

  async verify(): Promise<VerifyReport> {
    return { pagesChecked: 0, damaged: [], collections: [], sound: true };
  }

  async compact(): Promise<{ readonly pagesFreed: number; readonly bytesFreed: number }> {
    return { pagesFreed: 0, bytesFreed: 0 };
  }

  readonly home = { storage: 'memory', durability: 'none' } as const;

  async health(): Promise<Health> {
    return {
      ...this.home,
      persisted: undefined,
      usageBytes: undefined,
      quotaBytes: undefined,
      logRecordsSinceCheckpoint: 0,
      log: 'memory',
      logBytesSinceCheckpoint: 0,
      cacheBytes: 0,
      dirtyBytes: 0,
      openSnapshots: 0,
      openTransactions: 0,
      recovery: { framesKept: 0, commitsKept: 0, framesDropped: 0, bytesDropped: 0, reason: undefined },
      collections: [...this.#collections].map(([collection, { rows }]) => ({ collection, rows: rows.size })),
      migrations: [],
    };
  }

  async checkpoint(): Promise<void> {}

  async close(): Promise<void> {
    await this.#held;
  }

  async destroy(): Promise<void> {
    this.isDestroyed = true;
  }

  #apply(request: WriteRequest): unknown {
    const { key: field, rows } = this.#must(request.collection);
    const events: ChangeEvent[] = [];
    const set = (after: Row): void => {
      const key = after[field] as Key;
      const before = rows.get(key);
      rows.set(key, after);
      events.push({ type: before === undefined ? 'create' : 'update', key, row: after, before, origin: 'local' });
    };
    const remove = (key: Key): boolean => {
      const before = rows.get(key);
      if (before !== undefined) events.push({ type: 'delete', key, row: undefined, before, origin: 'local' });
      return rows.delete(key);
    };
    const run = (): unknown => {
      switch (request.type) {
        case 'create': {
          const present = request.rows.filter((row) => rows.has(row[field] as Key));
          if (present.length > 0) {
            throw new StoreError('collection/duplicate-key', 'Some keys are present.', {
              details: { keys: present.slice(0, 20).map((row) => row[field]) },
            });
          }
          return request.rows.forEach(set);
        }
        case 'put':
          return request.rows.forEach(set);
        case 'update': {
          const [pair] = this.preview(request);
          if (pair !== undefined) set(pair.after);
          return pair?.after;
        }
        case 'updateMany': {
          const pairs = this.preview(request);
          for (const { after } of pairs) set(after);
          return pairs.length;
        }
        case 'delete':
          return remove(request.key);
        case 'deleteMany': {
          const found = this.#select(request.collection, request.selector);
          for (const row of found) remove(row[field] as Key);
          return found.length;
        }
        case 'replace':
          for (const { before } of request.rows) {
            if (JSON.stringify(rows.get(before[field] as Key)) !== JSON.stringify(before)) return false;
          }
          for (const { after } of request.rows) set(after);
          return true;
      }
    };
    const value = run();
    if (events.length > 0) for (const listener of this.#listeners.get(request.collection) ?? []) listener(events);
    return value;
  }

  #select(collection: string, selector: Selector): Row[] {
    const matches = compilePredicate(parseSelector(selector));
    return [...this.#must(collection).rows.values()].filter(matches);
  }

  #must(collection: string): Collection {
    const found = this.#collections.get(collection);
    if (found === undefined) throw new StoreError('collection/unknown', `No collection ${collection}.`);
    return found;
  }
}

const compare = (a: unknown, b: unknown): number => ((a as number) < (b as number) ? -1 : a === b ? 0 : 1);

const explanationOf = (rowsGiven: number): Explanation => ({
  access: 'scan',
  index: undefined,
  indexes: [],
  plan: 'all rows',
  sortedByIndex: false,
  estimatedCost: 0,
  candidates: [],
  hint: undefined,
  live: 'patched',
  entriesRead: 0,
  rowsRead: 0,
  rowsGiven,
  pagesRead: 0,
  timeMs: 0,
});
