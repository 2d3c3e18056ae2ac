/**
 * Answers of reads over collections as somebody sees them: the engine's, which are what is visible, and those of a
 * transaction, which are its snapshot with its own changes. At once when the pages are in memory.
 */
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type { Explanation, MaybePromise, Page } from '../../src/protocol/engine-api.ts';
import { isHidden } from '../../src/protocol/sync-worker.ts';
import { CollectionState, encodeComponent, encodePrimaryKey, valuesAt } from '../indexes/index.ts';
import { readKey, type TreeState, wantKey } from '../pages/index.ts';
import {
  AggregateCursor,
  checkScan,
  collectionsOf,
  compilePipeline,
  compileProjection,
  countPlan,
  createRest,
  FindCursor,
  IncludeCursor,
  Includer,
  type JoinSource,
  PlanScan,
  parseIncludes,
  parsePath,
  planFind,
  type ReadView,
} from '../query/index.ts';
import type { StoreState } from '../transactions/index.ts';
import type { EnginePlatform } from './platform.ts';
import { isNoCollection } from './port-errors.ts';

/** Keys that `getMany` looks up before it lets other calls in. */
export const GET_BATCH = 1_000;
/** Distinct values that one call may answer with. */
const DISTINCT_VALUES_MAX = 100_000;

export type ReaderOptions = {
  readonly state: StoreState;
  /** The collection as it is seen: its trees' visible states are what is read. Throws when it cannot be used. */
  readonly must: (name: string) => CollectionState;
  /** Most rows that a query may read without an index, unless it says otherwise. */
  readonly scanRowsMax: number | undefined;
  readonly platform: Pick<EnginePlatform, 'now' | 'yieldTask'>;
};

export class Reader {
  readonly #options: ReaderOptions;
  readonly #state: StoreState;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get(name: string, key: Key): MaybePromise<Row | undefined> {
    const { visible } = this.#options.must(name).primary;
    const encoded = encodePrimaryKey(key);
    const { space } = this.#state;
    return this.read(() => this.#state.wholeRow(readKey(space, visible, encoded)) as Row | undefined);
  }

  getMany(name: string, keys: readonly Key[]): MaybePromise<readonly (Row | undefined)[]> {
    const { visible } = this.#options.must(name).primary;
    const encoded = keys.map(encodePrimaryKey);
    if (encoded.length <= GET_BATCH) return this.read(() => this.#getAll(visible, encoded));
    return this.#getBatches(visible, encoded);
  }

  async #getBatches(state: TreeState, keys: readonly string[]): Promise<readonly (Row | undefined)[]> {
    const close = this.#state.snapshots.open();
    try {
      const rows: (Row | undefined)[] = [];
      for (let from = 0; from < keys.length; from += GET_BATCH) {
        rows.push(...(await this.read(() => this.#getAll(state, keys.slice(from, from + GET_BATCH)))));
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

  find(name: string, { include, ...find }: FindSpec): FindCursor | IncludeCursor {
    if (include === undefined) return this.#cursor(name, find);
    const includes = parseIncludes(include);
    const projection = compileProjection(find.project, this.#options.must(name).spec.key);
    const sources = new Map([...collectionsOf(includes)].map((each) => [each, this.#joined(each, find.scanRowsMax)]));
    const cursor = this.#cursor(name, { ...find, project: undefined });
    const includer = new Includer(includes, {
      source: (from) => sources.get(from)!,
      rest: createRest(this.#options.platform.now, this.#options.platform.yieldTask),
    });
    return new IncludeCursor({ find: cursor, includer, projection, release: this.#state.snapshots.open() });
  }

  aggregate(name: string, spec: PipelineSpec): AggregateCursor {
    const { must, platform } = this.#options;
    const pipeline = compilePipeline(spec, name, (collection) => must(collection).spec.key);
    // All collections are taken at once, so that what is joined belongs together.
    const sources = new Map([[name, this.#source(name)]]);
    for (const each of pipeline.collections) if (each !== name) sources.set(each, this.#joined(each));
    return new AggregateCursor({
      pipeline,
      source: sources.get(name)!,
      sourceOf: (collection) => sources.get(collection)!,
      now: platform.now,
      yieldTask: platform.yieldTask,
      release: this.#openSnapshot(),
    });
  }

  page(name: string, find: FindSpec): Promise<Page> {
    return this.find(name, { ...find, limit: (find.limit ?? 0) + 1 }).page();
  }

  count(name: string, selector: Selector): MaybePromise<number> {
    const collection = this.#options.must(name);
    const plan = planFind(collection, { selector, sort: [], purpose: 'count' });
    if (plan.residual.length > 0) checkScan(plan, this.#scanRowsMax(name, undefined));
    const release = this.#openSnapshot();
    const count = countPlan(this.#view(collection), plan);
    if (count instanceof Promise) return count.finally(release);
    release();
    return count;
  }

  async distinct(name: string, path: string, selector: Selector): Promise<readonly unknown[]> {
    const collection = this.#options.must(name);
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

  /** What is wrong with the question is thrown at once, as by `find`. */
  explain(name: string, find: FindSpec): Promise<Explanation> {
    const start = this.#options.platform.now();
    return this.#explainAll(this.find(name, { ...find, scanRowsMax: Number.POSITIVE_INFINITY }), start);
  }

  async #explainAll(cursor: FindCursor | IncludeCursor, start: number): Promise<Explanation> {
    try {
      for (;;) {
        if ((await cursor.next(GET_BATCH)).done) return cursor.explain(this.#options.platform.now() - start);
      }
    } finally {
      cursor.close();
    }
  }

  /** Runs a synchronous reader until all pages it needs are in memory, and trims the cache after that. */
  read<T>(read: () => T): MaybePromise<T> {
    const result = this.#state.space.whenResident(read);
    if (!(result instanceof Promise)) return result;
    return result.finally(() => this.#state.trim());
  }

  #openSnapshot(): () => void {
    const close = this.#state.snapshots.open();
    return () => {
      close();
      this.#state.space.trim();
    };
  }

  #view(collection: CollectionState): ReadView {
    const { space } = this.#state;
    const primary = collection.primary.visible;
    return {
      space,
      stateOf: (index) => (index === undefined ? primary : index.tree.visible),
      readBlob: (row) => this.#state.readBlob(row),
      yieldTask: this.#options.platform.yieldTask,
    };
  }

  /** A collection as it is now, for as long as its snapshot is open: whatever is built or dropped meanwhile. */
  #source(name: string, rowsMax?: number): JoinSource {
    const { id, spec, primary, indexes } = this.#options.must(name);
    const ready = indexes.filter(({ state }) => state === 'ready');
    const collection = new CollectionState(id, spec, primary, ready);
    const states = new Map(ready.map((index) => [index, index.tree.visible]));
    const view = this.#view(collection);
    const stateOf: ReadView['stateOf'] = (index) => (index && states.get(index)) ?? view.stateOf(index);
    return { collection, view: { ...view, stateOf }, scanRowsMax: this.#scanRowsMax(name, rowsMax) };
  }

  /** A join names a collection inside of a query, where no port has looked at it. */
  #joined(name: string, rowsMax?: number): JoinSource {
    if (isHidden(name)) throw isNoCollection(name);
    return this.#source(name, rowsMax);
  }

  #cursor(name: string, find: FindSpec): FindCursor {
    const collection = this.#options.must(name);
    const plan = planFind(collection, find);
    checkScan(plan, this.#scanRowsMax(name, find.scanRowsMax));
    return new FindCursor({ view: this.#view(collection), plan, release: this.#openSnapshot() });
  }

  /** How many rows may be read without an index: what the query says, or the store. That is about the application's own. */
  #scanRowsMax(name: string, rowsMax: number | undefined): number {
    const ofStore = isHidden(name) ? undefined : this.#options.scanRowsMax;
    return rowsMax ?? ofStore ?? Number.POSITIVE_INFINITY;
  }
}

const tooManyValues = (collection: string, path: string): StoreError =>
  new StoreError(
    'query/too-many-values',
    `${path} of ${collection} has more than ${DISTINCT_VALUES_MAX} distinct values.`,
    {
      details: { collection, path, limit: DISTINCT_VALUES_MAX },
      hint: 'Select fewer rows, or stream them.',
    },
  );
