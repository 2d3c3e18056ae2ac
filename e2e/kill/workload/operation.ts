/** One call of the workload, as data: the page performs it, the model applies it. */
import type { Durability } from '../../../src/index.ts';
import type { CollectionName, KillRow } from './row.ts';

export type Selector = { readonly batch: string } | { readonly group: string; readonly kind: string };
/** Operators that the model knows. */
export type Changes = {
  readonly $inc?: { readonly rank: number };
  readonly $set?: { readonly group?: string; readonly body?: string };
  readonly $push?: { readonly tags: string };
};

/** A createMany of more rows travels in parts, and takes effect with the last one: after calls that were made later. */
export const ROWS_IN_ONE_MESSAGE_MAX = 100;

export type Operation = { readonly collection: CollectionName; readonly durability: Durability } & (
  | { readonly type: 'create' | 'put'; readonly row: KillRow }
  | {
      readonly type: 'createMany';
      readonly rows: readonly KillRow[];
      /**
       * Above 0 for a large one: calls that are made after it and before its answer, all about the other collection. It
       * takes effect before, between or after them.
       */
      readonly besides: number;
    }
  | { readonly type: 'update'; readonly key: string; readonly changes: Changes }
  | { readonly type: 'updateMany'; readonly selector: Selector; readonly changes: Changes }
  | { readonly type: 'delete'; readonly key: string }
  | { readonly type: 'deleteMany'; readonly selector: Selector }
  | { readonly type: 'compact' }
);

/** Written into a message when something is wrong with it. */
export function describeOperation(operation: Operation): string {
  const { type, collection, durability } = operation;
  const what =
    operation.type === 'createMany'
      ? `${operation.rows.length} rows`
      : 'row' in operation
        ? `${operation.row.id}, body of ${operation.row.body.length}`
        : 'key' in operation
          ? operation.key
          : 'selector' in operation
            ? JSON.stringify(operation.selector)
            : '';
  return `${type} ${collection} ${what} (${durability})`;
}
