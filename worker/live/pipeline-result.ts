/**
 * A live aggregation. Groups right behind a find are kept up row by row, and what follows them is run over the groups; any
 * other pipeline is run again when a change may matter (LIVE-11).
 */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { PipelineSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent, RowCursor } from '../../src/protocol/engine-api.ts';
import type { LiveKind, LiveUpdate, RowsUpdate } from '../../src/protocol/live.ts';
import {
  compilePipeline,
  compilePredicate,
  interestOf,
  type KeptGroups,
  keptGroups,
  type Pipeline,
  type Predicate,
  parseSelector,
} from '../query/index.ts';
import { narrowestOf } from './interest.ts';
import type { LiveResult, Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';
import { outputDifference } from './output-difference.ts';

/** Rows that a live aggregation may answer with: they are compared after each change. */
export const LIVE_OUTPUT_ROWS_MAX: number = 100_000;
/** Rows asked of the engine at a time. */
const LOAD_ROWS = 1_000;

const NO_ROWS: readonly Row[] = [];

export class PipelineResult implements LiveResult {
  readonly tellsEachLoad: boolean = true;
  readonly watches: readonly Watch[];
  readonly #source: LiveSource;
  readonly #collection: string;
  readonly #kind: LiveKind;
  readonly #spec: PipelineSpec;
  readonly #pipeline: Pipeline;
  readonly #accepts: Predicate;
  readonly #openGroups: (() => KeptGroups) | undefined;
  /** Undefined until they are read, and after they have met a change that cannot be taken back. */
  #groups: KeptGroups | undefined;
  #needsLoad = true;
  #loaded: readonly Row[] = NO_ROWS;
  #state: readonly Row[] | undefined;
  #step: { readonly from: unknown; readonly to: unknown; readonly update: RowsUpdate | undefined } | undefined;

  constructor(
    source: LiveSource,
    request: { readonly collection: string; readonly pipeline: PipelineSpec; readonly kind: LiveKind },
  ) {
    const { collection, pipeline } = request;
    this.#source = source;
    this.#collection = collection;
    this.#kind = request.kind;
    this.#spec = pipeline;
    this.#pipeline = compilePipeline(pipeline, collection, (name) => source.keyField(name));
    this.#openGroups = keptGroups(this.#pipeline);
    const selector = parseSelector(this.#pipeline.find.selector);
    this.#accepts = compilePredicate(selector);
    const others = [...this.#pipeline.collections].filter((name) => name !== collection);
    // Rows of the collection that it also joins may matter without passing its own find.
    const isJoined = others.length < this.#pipeline.collections.size;
    this.watches = [
      { collection, interest: isJoined ? undefined : narrowestOf(interestOf(selector)) },
      ...others.map((name) => ({ collection: name, interest: undefined })),
    ];
  }

  get needsLoad(): boolean {
    return this.#needsLoad;
  }

  get state(): unknown {
    return this.#state;
  }

  async load(isWanted: () => boolean): Promise<void> {
    this.#needsLoad = false;
    if (this.#openGroups === undefined) {
      const rows: Row[] = [];
      await this.#read(this.#source.aggregate(this.#collection, this.#spec), isWanted, (more) => {
        for (const row of more) rows.push(row);
      });
      this.#loaded = rows;
      return;
    }
    if (this.#groups === undefined) {
      const groups = this.#openGroups();
      const find = { selector: this.#pipeline.find.selector, sort: [], limit: undefined, skip: 0 };
      await this.#read(this.#source.find(this.#collection, find), isWanted, (rows) => groups.add(rows));
      this.#groups = groups;
    }
    this.#loaded = await this.#groups.rows();
    this.#assertSize(this.#loaded.length);
  }

  async #read(cursor: RowCursor, isWanted: () => boolean, take: (rows: readonly Row[]) => void): Promise<void> {
    let read = 0;
    try {
      for (;;) {
        const { rows, done } = await cursor.next(LOAD_ROWS);
        take(rows);
        read += rows.length;
        if (this.#openGroups === undefined) this.#assertSize(read);
        if (done || !isWanted()) return;
      }
    } finally {
      cursor.close();
    }
  }

  #assertSize(rows: number): void {
    if (rows <= LIVE_OUTPUT_ROWS_MAX) return;
    const collection = this.#collection;
    throw new StoreError(
      'query/live-too-large',
      `A live aggregation of ${collection} has more than ${LIVE_OUTPUT_ROWS_MAX} rows.`,
      {
        details: { collection, limit: LIVE_OUTPUT_ROWS_MAX },
        hint: 'End it with a $limit, or group more coarsely.',
      },
    );
  }

  apply({ before, row }: ChangeEvent, collection: string): void {
    if (collection !== this.#collection || this.#pipeline.collections.size > 0) {
      this.#needsLoad = true;
      return;
    }
    const old = before !== undefined && this.#accepts(before) ? before : undefined;
    const now = row !== undefined && this.#accepts(row) ? row : undefined;
    if (old === undefined && now === undefined) return;
    this.#needsLoad = true;
    if (old !== undefined && this.#groups?.remove(old) === false) this.#groups = undefined;
    if (now !== undefined) this.#groups?.add([now]);
  }

  forget(): void {
    this.#groups = undefined;
    this.#needsLoad = true;
  }

  publish(): void {
    const former = this.#state ?? NO_ROWS;
    // Rows that came out as they were keep their identity, and a result that differs in nothing is no news.
    const update = outputDifference(former, this.#loaded);
    if (this.#state === undefined || update !== undefined) {
      this.#step = { from: this.#state, to: this.#loaded, update };
      this.#state = this.#loaded;
    }
  }

  updateFrom(former: unknown): LiveUpdate | undefined {
    const to = this.#state;
    if (to === undefined) return undefined;
    if (this.#kind === 'count') {
      const count = to.length;
      return former !== undefined && (former as readonly Row[]).length === count ? undefined : { count };
    }
    if (former === undefined) return outputDifference(NO_ROWS, to) ?? { script: [], rows: [] };
    if (this.#step?.from !== former || this.#step.to !== to) {
      this.#step = { from: former, to, update: outputDifference(former as readonly Row[], to) };
    }
    return this.#step.update;
  }

  rowsOf(state: unknown): readonly Row[] | undefined {
    return this.#kind === 'count' ? undefined : (state as readonly Row[]);
  }
}
