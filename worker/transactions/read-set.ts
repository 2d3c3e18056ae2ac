/**
 * What a transaction has read, in a form that a later commit can be held against: keys, and conditions that rows would
 * have to meet to belong to an answer. A commit that changes a row from or to one that meets a condition has changed
 * that answer, also when the row was not there before: so there are no phantoms (TXN-3).
 */

import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { decodePrimaryKey } from '../indexes/index.ts';
import type { Applied } from './commit-history.ts';
import { deleteEvents } from './delete-rows.ts';
import type { PreparedWrite } from './write-task.ts';

/** Keys and conditions of one collection. Above that, all of it counts as read: the check is coarser, and never wrong. */
const KEYS_MAX = 100_000;
const CONDITIONS_MAX = 1_000;

/** Whether a row belongs to an answer, or would change it. */
export type Condition = (row: Row) => boolean;

type CollectionReads = { readonly keys: Set<string>; readonly conditions: Condition[]; isWhole: boolean };

export type Clash = { readonly commit: number; readonly collection: string; readonly key: Key };

export class ReadSet {
  readonly #byCollection: Map<string, CollectionReads> = new Map();

  get isEmpty(): boolean {
    return this.#byCollection.size === 0;
  }

  addKey(collection: string, key: string): void {
    const reads = this.#of(collection);
    reads.keys.add(key);
    if (reads.keys.size > KEYS_MAX) this.addAll(collection);
  }

  addCondition(collection: string, condition: Condition): void {
    const reads = this.#of(collection);
    reads.conditions.push(condition);
    if (reads.conditions.length > CONDITIONS_MAX) this.addAll(collection);
  }

  /** The whole collection. */
  addAll(collection: string): void {
    const reads = this.#of(collection);
    reads.isWhole = true;
    reads.keys.clear();
    reads.conditions.length = 0;
  }

  /** Encoded keys that were read one by one, as [collection, key]. */
  *keys(): Iterable<readonly [collection: string, key: string]> {
    for (const [collection, { keys }] of this.#byCollection) for (const key of keys) yield [collection, key];
  }

  /** The first commit of several that has changed what was read; undefined when all of it is still true. */
  firstClash(commits: readonly Applied[]): Clash | undefined {
    for (const { number, writes } of commits) {
      for (const write of writes) {
        const { name } = write.collection.spec;
        const reads = this.#byCollection.get(name);
        const key = reads && clashIn(reads, write);
        if (key !== undefined) return { commit: number, collection: name, key };
      }
    }
    return undefined;
  }

  #of(collection: string): CollectionReads {
    let reads = this.#byCollection.get(collection);
    if (reads === undefined) {
      reads = { keys: new Set(), conditions: [], isWhole: false };
      this.#byCollection.set(collection, reads);
    }
    return reads;
  }
}

/** The key of a row that was read and is changed by a write. */
function clashIn(reads: CollectionReads, { collection, changes, inserts, deletes }: PreparedWrite): Key | undefined {
  for (const { key, before, after } of changes) {
    if (meets(reads, key, before) || meets(reads, key, after?.row)) return decodePrimaryKey(key);
  }
  // Rows of a bulk insert are decoded when somebody looks at them.
  const rows = reads.conditions.length === 0 ? undefined : inserts?.rows;
  for (let at = 0; at < (inserts?.keys.length ?? 0); at += 1) {
    const key = inserts!.keys[at]!;
    if (meets(reads, key, rows?.[at])) return decodePrimaryKey(key);
  }
  if (deletes === undefined) return undefined;
  for (const key of deletes.keys) if (meets(reads, key, undefined)) return decodePrimaryKey(key);
  if (reads.conditions.length === 0) return undefined;
  // What has gone is kept encoded.
  for (const { key, before } of deleteEvents(collection, deletes))
    if (reads.conditions.some((condition) => condition(before!))) return key;
  return undefined;
}

function meets({ keys, conditions, isWhole }: CollectionReads, key: string, row: Row | undefined): boolean {
  if (isWhole || keys.has(key)) return true;
  return row !== undefined && conditions.some((condition) => condition(row));
}

/** Told to the page, which begins anew. `locks`: what the next attempt had better hold from its beginning. */
export function conflict(
  why: string,
  details: Readonly<Record<string, unknown>>,
  locks: readonly (readonly [collection: string, key: Key])[],
): StoreError {
  return new StoreError('transaction/conflict', `The transaction lost a race: ${why} Nothing of it was stored.`, {
    details: { ...details, locks },
    hint: 'Run it again, with more retries, or let it read less. Locks (tx.lock) make others wait.',
  });
}
