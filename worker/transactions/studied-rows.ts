/**
 * Rows of a bulk insert, studied while the rest of it is still arriving: their keys, their weights and their entries in
 * the indexes are there when the write's turn comes, and only have to be put together. Nothing is read from trees or
 * decided here, so what was studied for a write that never comes leaves no trace.
 */
import { estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowsAhead } from '../../src/protocol/engine-api.ts';
import { type CollectionState, encodePrimaryKey, type IndexState, sortedEntries } from '../indexes/index.ts';

export class StudiedRows implements RowsAhead {
  readonly rows: readonly Row[];
  readonly keyField: string;
  /** Encoded primary keys of the rows. */
  readonly keys: readonly string[];
  readonly isAscending: boolean;
  /** Estimated bytes of the rows. */
  readonly weights: readonly number[];
  readonly weightMax: number;
  /** Keys of the rows in the indexes that there were, in any order. */
  readonly entries: ReadonlyMap<IndexState, readonly string[]>;

  /** Throws for rows that have no place in the collection. Which and why, their write will say. */
  constructor({ spec, indexes }: CollectionState, rows: readonly Row[]) {
    this.rows = rows;
    this.keyField = spec.key;
    const keys: string[] = [];
    const weights: number[] = [];
    let isAscending = true;
    let weightMax = 0;
    for (let i = 0; i < rows.length; i += 1) {
      const row = rows[i]!;
      const key = encodePrimaryKey(row[spec.key] as string);
      if (i > 0 && keys[i - 1]! >= key) isAscending = false;
      keys.push(key);
      const weight = estimateRowBytes(row);
      if (weight > weightMax) weightMax = weight;
      weights.push(weight);
    }
    this.keys = keys;
    this.isAscending = isAscending;
    this.weights = weights;
    this.weightMax = weightMax;
    this.entries = new Map(indexes.map((index) => [index, sortedEntries(index, keys, rows)]));
  }
}

/** Parts of one write, put together. */
export type JoinedRows = {
  readonly keys: string[];
  readonly isAscending: boolean;
  readonly weights: readonly number[];
  readonly weightMax: number;
};

/** Undefined when a part was not studied, or for another key. */
export function joinStudied(keyField: string, parts: readonly RowsAhead[] | undefined): JoinedRows | undefined {
  if (parts === undefined) return undefined;
  const keys: string[] = [];
  const weights: number[] = [];
  let isAscending = true;
  let weightMax = 0;
  for (const part of parts) {
    if (!(part instanceof StudiedRows) || part.keyField !== keyField) return undefined;
    if (!part.isAscending || (keys.length > 0 && keys.at(-1)! >= part.keys[0]!)) isAscending = false;
    if (part.weightMax > weightMax) weightMax = part.weightMax;
    for (const key of part.keys) keys.push(key);
    for (const weight of part.weights) weights.push(weight);
  }
  return { keys, isAscending, weights, weightMax };
}

/** The sorted keys of all parts in an index; undefined when a part was studied before there was this index. */
export function joinEntries(index: IndexState, parts: readonly RowsAhead[]): readonly string[] | undefined {
  const runs: (readonly string[])[] = [];
  for (const part of parts) {
    const run = part instanceof StudiedRows ? part.entries.get(index) : undefined;
    if (run === undefined) return undefined;
    runs.push(run);
  }
  // The engine's sort finds sorted runs and merges them.
  return ([] as string[]).concat(...runs).sort();
}

/** Studies rows of a collection. Rows that cannot be studied are left for their write to refuse. */
export function studyRows(collection: CollectionState | undefined, rows: readonly Row[]): RowsAhead {
  if (collection === undefined) return { rows };
  try {
    return new StudiedRows(collection, rows);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { rows };
  }
}
