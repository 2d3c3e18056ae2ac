/** Notes what the reads of a transaction depend on, as narrowly as their specs tell. */
import type { Key, Row } from '../../src/base/row.ts';
import type { FindSpec, PipelineSpec } from '../../src/protocol/definition.ts';
import type { Explanation, MaybePromise, RowCursor, WriteRequest } from '../../src/protocol/engine-api.ts';
import { type CollectionState, encodePrimaryKey } from '../indexes/index.ts';
import {
  collectionsOf,
  compareRows,
  compilePipeline,
  compilePredicate,
  type FoundRow,
  parseIncludes,
  parseSelector,
} from '../query/index.ts';
import { type Condition, ReadSet } from '../transactions/index.ts';

type Chunk = { readonly rows: readonly Row[]; readonly done: boolean };

export class TrackedReads {
  readonly set: ReadSet = new ReadSet();
  readonly #must: (collection: string) => CollectionState;
  readonly #isTracking: boolean;

  constructor(options: { readonly must: (collection: string) => CollectionState; readonly isTracking: boolean }) {
    this.#must = options.must;
    this.#isTracking = options.isTracking;
  }

  key(collection: string, key: Key): void {
    if (this.#isTracking) this.set.addKey(collection, encodePrimaryKey(key));
  }

  all(collection: string): void {
    if (this.#isTracking) this.set.addAll(collection);
  }

  condition(collection: string, { selector, include }: Pick<FindSpec, 'selector'> & Partial<FindSpec>): void {
    if (!this.#isTracking) return;
    this.set.addCondition(collection, compilePredicate(parseSelector(selector)));
    if (include !== undefined) for (const each of collectionsOf(parseIncludes(include))) this.all(each);
  }

  pipeline(collection: string, spec: PipelineSpec): void {
    if (!this.#isTracking) return;
    const { find, collections } = compilePipeline(spec, collection, (name) => this.#must(name).spec.key);
    this.condition(collection, find);
    for (const each of collections) this.all(each);
  }

  /** What a write tells of the rows that it finds. What a put replaces, nobody hears. */
  write(request: WriteRequest): void {
    const { collection } = request;
    switch (request.type) {
      case 'create':
        for (const row of request.rows) this.#keyOf(collection, row);
        return;
      case 'replace':
        for (const { before } of request.rows) this.#keyOf(collection, before);
        return;
      case 'update':
      case 'delete':
        return this.key(collection, request.key);
      case 'updateMany':
      case 'deleteMany':
        return this.condition(collection, request);
      case 'put':
    }
  }

  /** A find with a limit depends on nothing behind its last row. */
  find<C extends RowCursor>(collection: string, spec: FindSpec, cursor: C): C | LimitedReads {
    if (!this.#isTracking) return cursor;
    const { limit, sort, project, include, selector } = spec;
    if (limit === undefined || limit === 0 || project !== undefined || include !== undefined) {
      this.condition(collection, spec);
      return cursor;
    }
    const { key: keyField } = this.#must(collection).spec;
    const order = sort.length > 0 ? sort : ([[keyField, 1]] as const);
    const toFound = (row: Row): FoundRow => ({ key: encodePrimaryKey(row[keyField] as Key), row });
    const compare = compareRows(order);
    const matches = compilePredicate(parseSelector(selector));
    const reads = new LimitedReads(cursor, limit, toFound);
    const condition: Condition = (row) =>
      matches(row) && (reads.last === undefined || compare(toFound(row), reads.last) <= 0);
    this.set.addCondition(collection, condition);
    return reads;
  }

  #keyOf(collection: string, row: Row): void {
    if (!this.#isTracking) return;
    const key = row[this.#must(collection).spec.key];
    // What cannot be a key is refused when the write is prepared.
    if (typeof key === 'string' || typeof key === 'number') this.key(collection, key);
  }
}

/** Remembers the last row of a find that has given as many as were asked for. */
class LimitedReads implements RowCursor {
  readonly #cursor: RowCursor;
  readonly #toFound: (row: Row) => FoundRow;
  #left: number;
  last: FoundRow | undefined;

  constructor(cursor: RowCursor, limit: number, toFound: (row: Row) => FoundRow) {
    this.#cursor = cursor;
    this.#left = limit;
    this.#toFound = toFound;
  }

  next(limit: number): MaybePromise<Chunk> {
    const take = (chunk: Chunk): Chunk => {
      this.#left -= chunk.rows.length;
      const row = chunk.rows.at(-1);
      if (this.#left === 0 && row !== undefined) this.last = this.#toFound(row);
      return chunk;
    };
    const chunk = this.#cursor.next(limit);
    return chunk instanceof Promise ? chunk.then(take) : take(chunk);
  }

  close(): void {
    this.#cursor.close();
  }
}

/** A cursor that is opened when the calls before it are through. */
export class LateCursor<C extends RowCursor> implements RowCursor {
  readonly #opening: Promise<C>;
  #cursor: C | undefined;

  constructor(opening: Promise<C>) {
    this.#opening = opening;
    opening.catch(() => undefined);
  }

  async next(limit: number): Promise<Chunk> {
    this.#cursor = await this.#opening;
    return this.#cursor.next(limit);
  }

  close(): void {
    this.#opening.then(
      (cursor) => cursor.close(),
      () => undefined,
    );
  }

  /** After all rows were read. */
  explain(): Explanation {
    return (this.#cursor as unknown as { explain(): Explanation }).explain();
  }
}
