/**
 * Rows of a bulk insert, studied while the rest of it is still arriving: their keys, their weights and their entries in
 * the indexes are there when the write's turn comes, and only have to be put together. Nothing is read from trees or
 * decided here, so what was studied for a write that never comes leaves no trace.
 *
 * Rows of one shape without arrays and objects are studied by column. The rows themselves are made when somebody asks for
 * them: a reader, a checkpoint, or a write that has to look at each of them.
 */
import { type Columns, decodeRows, estimateRowBytes, readColumns } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowsAhead } from '../../src/protocol/engine-api.ts';
import {
  type CollectionState,
  columnEntries,
  encodePrimaryKey,
  type IndexState,
  sortEntries,
} from '../indexes/index.ts';
import type { ValueRun } from '../pages/index.ts';
import type { InsertSource } from './row-inserts.ts';

/** Rows that are decoded once, when somebody asks for them. Leaves hold on to it until then, and to nothing else of a part. */
class LateRows {
  #encoded: Uint8Array | undefined;
  #rows: readonly Row[] | undefined;

  constructor(encoded: Uint8Array) {
    this.#encoded = encoded;
  }

  get rows(): readonly Row[] {
    if (this.#rows === undefined) {
      this.#rows = decodeRows(this.#encoded!);
      this.#encoded = undefined;
    }
    return this.#rows;
  }
}

export class StudiedRows implements RowsAhead {
  readonly keyField: string;
  readonly count: number;
  /** Encoded primary keys of the rows. */
  readonly keys: readonly string[];
  readonly isAscending: boolean;
  /** Estimated bytes of the rows. */
  readonly weights: readonly number[];
  /** Keys of the rows in the indexes that there were, in any order. */
  readonly entries: ReadonlyMap<IndexState, readonly string[]>;
  readonly batch: LateRows;

  /** Throws for rows that have no place in the collection. Which and why, their write will say. */
  constructor({ spec, indexes }: CollectionState, encoded: Uint8Array) {
    this.batch = new LateRows(encoded);
    this.keyField = spec.key;
    const fields = [...new Set([spec.key, ...indexes.flatMap(({ spec: { on } }) => on)])];
    const columns = readColumns(encoded, fields);
    const keys =
      columns === undefined ? this.rows.map((row) => encodePrimaryKey(row[spec.key] as Key)) : keysOf(columns);
    this.count = keys.length;
    this.keys = keys;
    this.isAscending = isAscending(keys);
    this.weights = columns?.weights ?? this.rows.map(estimateRowBytes);
    this.entries = new Map(indexes.map((index) => [index, this.#entriesIn(index, fields, columns)]));
  }

  get rows(): readonly Row[] {
    return this.batch.rows;
  }

  #entriesIn(index: IndexState, fields: readonly string[], columns: Columns | undefined): readonly string[] {
    const { keys, isAscending } = this;
    if (columns === undefined || !index.isPlain) {
      return sortEntries(
        this.rows.map((row) => index.entriesOf(row)),
        keys,
      );
    }
    // A path that leads into an object finds none. A field whose name has a dot is out of an index's reach.
    const own = index.spec.on.map((path) => (path.includes('.') ? undefined : columns.columns[fields.indexOf(path)]));
    return columnEntries(index.spec, { columns: own, keys, isAscending, isPlainText: columns.isPlainText });
  }
}

/** Encoded keys; they stand in the first column. */
function keysOf({ columns: [column], count }: Columns): readonly string[] {
  const keys: string[] = [];
  for (let i = 0; i < count; i += 1) keys.push(encodePrimaryKey(column?.distinct[column.codes?.[i] ?? i] as Key));
  return keys;
}

function isAscending(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i += 1) if (keys[i - 1]! >= keys[i]!) return false;
  return true;
}

/** Parts of one write, put together. */
export class JoinedRows implements InsertSource {
  readonly parts: readonly StudiedRows[];
  readonly keys: readonly string[];
  readonly weights: readonly number[];
  readonly isAscending: boolean;
  /** Where each part begins. */
  readonly #starts: number[] = [];
  #rows: readonly Row[] | undefined;

  constructor(parts: readonly StudiedRows[]) {
    this.parts = parts;
    this.keys = joined(parts.map(({ keys }) => keys));
    this.weights = joined(parts.map(({ weights }) => weights));
    let areAscending = true;
    let start = 0;
    for (const part of parts) {
      this.#starts.push(start);
      if (!part.isAscending || (start > 0 && this.keys[start - 1]! >= part.keys[0]!)) areAscending = false;
      start += part.count;
    }
    this.isAscending = areAscending;
  }

  get rows(): readonly Row[] {
    this.#rows ??= this.parts.flatMap(({ rows }) => rows);
    return this.#rows;
  }

  runs(from: number, to: number): readonly ValueRun[] {
    const starts = this.#starts;
    const runs: ValueRun[] = [];
    for (let part = 0; part < starts.length; part += 1) {
      const start = starts[part]!;
      const { batch, count } = this.parts[part]!;
      if (start < to && start + count > from) {
        runs.push({ batch, from: Math.max(from - start, 0), to: Math.min(to - start, count) });
      }
    }
    return runs;
  }

  /** The sorted keys of all rows in an index; undefined when a part was studied before there was this index. */
  entriesIn(index: IndexState): readonly string[] | undefined {
    const sorted: (readonly string[])[] = [];
    for (const { entries } of this.parts) {
      const own = entries.get(index);
      if (own === undefined) return undefined;
      sorted.push(own);
    }
    // The sort finds what is sorted already and merges it.
    return joined(sorted).sort();
  }
}

const joined = <T>(lists: readonly (readonly T[])[]): T[] => ([] as T[]).concat(...lists);

/** Undefined when there are no parts, or one was not studied, or for another key. */
export function joinStudied(keyField: string, parts: readonly RowsAhead[] | undefined): JoinedRows | undefined {
  const studied: StudiedRows[] = [];
  for (const part of parts ?? []) {
    if (!(part instanceof StudiedRows) || part.count === 0 || part.keyField !== keyField) return undefined;
    studied.push(part);
  }
  return studied.length > 0 ? new JoinedRows(studied) : undefined;
}

/** Studies rows of a collection. Rows that cannot be studied are left for their write to refuse. */
export function studyRows(collection: CollectionState | undefined, encoded: Uint8Array): RowsAhead {
  try {
    if (collection !== undefined) return new StudiedRows(collection, encoded);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
  const rows = decodeRows(encoded);
  return { rows, count: rows.length };
}
