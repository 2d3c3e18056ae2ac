/** Reads that a call asks for with a selector or with a pipeline, of the engine or of a transaction. */
import type { FindSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type { EngineApi, Explanation, MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';
import { type RawFind, toFindSpec, toPipeline } from '../../src/protocol/find-spec.ts';
import { CHUNK_ROWS_MAX } from '../../src/protocol/messages.ts';

type Target = Pick<EngineApi, 'find' | 'aggregate' | 'count' | 'explain'>;

export function open(target: Target, collection: string, query: Selector | PipelineSpec, options: RawFind): RowCursor {
  return isPipeline(query)
    ? target.aggregate(collection, toPipeline(collection, query, options))
    : target.find(collection, toFindSpec(collection, query, options));
}

/** A collection that is still migrating is told at once, so that the call waits for it. */
export function explain(
  target: Target,
  collection: string,
  query: Selector | PipelineSpec,
  options: RawFind,
): MaybePromise<Explanation> {
  if (!isPipeline(query)) return target.explain(collection, toFindSpec(collection, query, options));
  const cursor = target.aggregate(collection, toPipeline(collection, query, options));
  return rowsIn(cursor).then(() => cursor.explain());
}

/** How many rows a query gives: those that match, within its skip and limit. */
export function countOf(
  target: Target,
  collection: string,
  query: Selector | PipelineSpec,
  options: RawFind,
): MaybePromise<number> {
  if (isPipeline(query)) return rowsIn(open(target, collection, query, options));
  const find: FindSpec = toFindSpec(collection, query, options);
  const { selector, skip, limit = Number.POSITIVE_INFINITY } = find;
  // Where a place is cannot be told without the rows before it.
  if (find.after !== undefined) return rowsIn(target.find(collection, find));
  const within = (all: number): number => Math.min(Math.max(0, all - skip), limit);
  return then(target.count(collection, selector), within);
}

function then<T, U>(value: MaybePromise<T>, map: (value: T) => U): MaybePromise<U> {
  return value instanceof Promise ? value.then(map) : map(value);
}

export const isPipeline = (query: Selector | PipelineSpec): query is PipelineSpec => Array.isArray(query);

/** Reads a cursor to its end, and counts. */
async function rowsIn(cursor: RowCursor): Promise<number> {
  let count = 0;
  try {
    for (;;) {
      const { rows, done } = await cursor.next(CHUNK_ROWS_MAX);
      count += rows.length;
      if (done) return count;
    }
  } finally {
    cursor.close();
  }
}
