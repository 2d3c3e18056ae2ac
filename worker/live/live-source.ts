/** What live queries need of the engine below them. */
import type { FindSpec, PipelineSpec, Selector } from '../../src/protocol/definition.ts';
import type { ChangeEvent, MaybePromise, RowCursor } from '../../src/protocol/engine-api.ts';

/**
 * Reads and changes belong together: a read sees exactly the changes that were told before it was called, except within
 * the telling itself, when it may see more. Live queries therefore read in a later microtask than they are told in.
 */
export interface LiveSource {
  /** Tells changes of a collection in commit order, right after they became visible. Answers a function that ends it. */
  subscribe(collection: string, listener: (events: readonly ChangeEvent[]) => void): () => void;
  /** A snapshot of the moment of the call. */
  find(collection: string, find: FindSpec): RowCursor;
  /** A snapshot of the moment of the call. */
  count(collection: string, selector: Selector): MaybePromise<number>;
  /** A snapshot of the moment of the call. */
  aggregate(collection: string, pipeline: PipelineSpec): RowCursor;
  /** The field of a collection that holds the primary key. Throws when there is no such collection. */
  keyField(collection: string): string;
}
