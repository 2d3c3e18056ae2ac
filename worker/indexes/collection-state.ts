/**
 * The trees of one collection, kept in step: the primary tree holds rows, each index tree holds keys (IDX-1). A change
 * may throw PAGE_MISS part way; repeated with the same arguments it completes, since each step is idempotent.
 */
import { estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { BlobRow, LeafScan, type PageKind, type Tree } from '../pages/index.ts';
import { entryList, type IndexEntries, type IndexState } from './index-state.ts';
import { decodePrimaryKey, encodePrimaryKey, INDEX_KEY_LENGTH_MAX, upperBound } from './key-encoding.ts';

/** Weight of a row that lives in the blob store. */
const BLOB_ROW_BYTES = 64;

export const weighRow = (value: unknown): number =>
  value instanceof BlobRow ? BLOB_ROW_BYTES : estimateRowBytes(value as Row);

/** A present row: as the primary tree stores it, and whole. */
export type StoredRow = { readonly stored: Row | BlobRow; readonly row: Row };

/** How far an unfinished migration has come. Permanent: it stands in the log and in the catalogue. */
export type MigrationMark = {
  /** The version of all rows up to `upTo`. The others have the version of the collection's spec. */
  readonly to: number;
  /** An encoded primary key. */
  readonly upTo: string;
  /** Rows up to it. */
  readonly done: number;
};

export class CollectionState {
  readonly id: number;
  spec: CollectionSpec;
  migration: MigrationMark | undefined;
  readonly primary: Tree;
  indexes: IndexState[];

  constructor(id: number, spec: CollectionSpec, primary: Tree, indexes: IndexState[]) {
    this.id = id;
    this.spec = spec;
    this.primary = primary;
    this.indexes = indexes;
  }

  get trees(): readonly Tree[] {
    return [this.primary, ...this.indexes.map(({ tree }) => tree)];
  }

  keyOf(row: Row): Key {
    return row[this.spec.key] as Key;
  }

  /** Stores a row in place of `before`, or as a new one, in all trees. */
  put(key: string, next: StoredRow, before: Row | undefined): void {
    for (const index of this.indexes) changeEntries(index, key, before, next.row);
    this.primary.insert(key, next.stored);
  }

  /** Removes a present row from all trees. */
  remove(key: string, before: Row): void {
    for (const index of this.indexes) changeEntries(index, key, before, undefined);
    this.primary.remove(key);
  }

  /**
   * Refuses a row whose entry in a unique index belongs to another row: `collection/duplicate-value`. With `together`,
   * rows that the same call replaces do not count as they are now, but as the call leaves them.
   */
  checkUnique(
    key: string,
    row: Row,
    together?: { readonly ignored: Pick<ReadonlySet<string>, 'has'>; readonly seen: Map<string, string> },
  ): void {
    for (const index of this.indexes) {
      if (!index.spec.unique) continue;
      for (const entry of entryList(index.entriesOf(row))) {
        const isIgnored = (owner: string): boolean => owner === key || together?.ignored.has(owner) === true;
        const other = ownerOf(index, entry, isIgnored) ?? together?.seen.get(`${index.spec.name}\n${entry}`);
        if (other !== undefined) throw duplicateValue(this.spec.name, index, this.keyOf(row), decodePrimaryKey(other));
        together?.seen.set(`${index.spec.name}\n${entry}`, key);
      }
    }
  }

  /** Refuses a row with an index key that is too long to be stored. Rows below `rowBytesMin` cannot have one. */
  checkKeyLengths(key: string, row: Row, rowBytesMin: number): void {
    if (this.indexes.length === 0 || estimateRowBytes(row) < rowBytesMin) return;
    for (const index of this.indexes) {
      const { name } = index.spec;
      for (const entry of entryList(index.entriesOf(row))) {
        if (entry.length + key.length <= INDEX_KEY_LENGTH_MAX) continue;
        throw new StoreError(
          'index/key-too-long',
          `The key of index ${name} is longer than ${INDEX_KEY_LENGTH_MAX} characters.`,
          {
            details: { collection: this.spec.name, index: name, key: this.keyOf(row), limit: INDEX_KEY_LENGTH_MAX },
            hint: 'Index a shorter field, or a digest of this one.',
          },
        );
      }
    }
  }
}

export function primaryKind(keyField: string): PageKind {
  return { type: 'rows', keyOf: (row) => encodePrimaryKey(row[keyField] as Key), weigh: weighRow };
}

export function duplicateValue(collection: string, index: IndexState, key: Key, other: Key): StoreError {
  const { name, on } = index.spec;
  return new StoreError(
    'collection/duplicate-value',
    `Unique index ${name} of ${collection}: row ${JSON.stringify(key)} has the value of row ${JSON.stringify(other)}.`,
    {
      details: { collection, index: name, fields: on, key, present: other },
      hint: 'Change the value, or update the present row.',
    },
  );
}

/** The first row that has this entry in the head of an index and is not to be ignored. */
export function ownerOf(index: IndexState, entry: string, isIgnored: (key: string) => boolean): string | undefined {
  const { tree } = index;
  if (tree.count === 0) return undefined;
  const scan = new LeafScan(tree.space, tree.head, { from: entry, to: upperBound(entry) }, { reverse: false });
  for (let run = scan.next(); run !== undefined; run = scan.next()) {
    for (let i = run.start; i !== run.end; i += run.step) {
      const owner = run.keys[i]!.slice(entry.length);
      if (!isIgnored(owner)) return owner;
    }
  }
  return undefined;
}

function changeEntries(index: IndexState, key: string, before: Row | undefined, after: Row | undefined): void {
  const old = before === undefined ? undefined : index.entriesOf(before);
  const next = after === undefined ? undefined : index.entriesOf(after);
  if (typeof old !== 'object' && typeof next !== 'object') {
    if (old === next) return;
    if (old !== undefined) index.tree.remove(old + key);
    if (next !== undefined) index.tree.insert(flat(next, key));
    return;
  }
  const kept = new Set(entryList(next));
  for (const entry of entryList(old)) if (!kept.has(entry)) index.tree.remove(entry + key);
  for (const entry of kept) index.tree.insert(flat(entry, key));
}

/** Joined, not added: a sum of strings stays a tree of pieces, which every later comparison would have to walk. */
const flat = (entry: string, key: string): string => [entry, key].join('');

/**
 * The index keys of rows: their entries with their primary keys, sorted when `keys` ascend. Rows with equal values come in
 * the order of their keys, so only the distinct values are sorted: an index of few values costs no sort at all.
 *
 * The keys come out of one JSON text: strings that were put together from pieces stay trees of pieces, which every later
 * comparison in the index would have to walk.
 */
export function sortEntries(entries: readonly IndexEntries[], keys: readonly string[]): readonly string[] {
  const sample = entries.slice(0, SAMPLE_ROWS);
  const isRepetitive = new Set(sample.flatMap(entryList)).size <= sample.length / 4;
  return isRepetitive ? sortByValue(entries, keys) : sortAll(entries, keys);
}

/** Rows whose values tell whether an index repeats its values. */
const SAMPLE_ROWS = 256;

function sortAll(entries: readonly IndexEntries[], keys: readonly string[]): readonly string[] {
  const all: string[] = [];
  for (let i = 0; i < entries.length; i += 1) {
    const found = entries[i];
    if (typeof found === 'string') all.push(found + keys[i]!);
    else if (found !== undefined) for (const entry of found) all.push(entry + keys[i]!);
  }
  return (JSON.parse(JSON.stringify(all)) as string[]).sort();
}

function sortByValue(entries: readonly IndexEntries[], keys: readonly string[]): readonly string[] {
  const keysByEntry = new Map<string, string[]>();
  for (let i = 0; i < entries.length; i += 1) {
    for (const entry of entryList(entries[i])) append(keysByEntry, entry, keys[i]!);
  }
  const sorted: string[] = [];
  for (const entry of [...keysByEntry.keys()].sort()) {
    const prefix = JSON.stringify(entry).slice(1, -1);
    const text = JSON.stringify(keysByEntry.get(entry)).slice(2, -2);
    const own = JSON.parse(`["${prefix}${text.split('","').join(`","${prefix}`)}"]`) as string[];
    for (const key of own) sorted.push(key);
  }
  return sorted;
}

function append(keysByEntry: Map<string, string[]>, entry: string, key: string): void {
  const keys = keysByEntry.get(entry);
  if (keys === undefined) keysByEntry.set(entry, [key]);
  else keys.push(key);
}
