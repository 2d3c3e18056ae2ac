/**
 * Stored rows of a source, in runs. Rows that are not in memory are fetched in batches: a walk of an index over cold pages
 * costs a transaction for each batch, not one for each row.
 */
import { StoreError } from '../../src/base/store-error.ts';
import { COMPONENT_END, decodePrimaryKey, type IndexState, primaryKeyOfIndexKey } from '../indexes/index.ts';
import { KeyReader, type LeafRun, NOT_RESIDENT, PAGE_MISS, type TreeState } from '../pages/index.ts';
import { createKeyCollector, type KeyCollector } from './key-collector.ts';
import type { RangeGroup, Source } from './planner/index.ts';
import { RangeScan } from './range-scan.ts';
import type { ReadView } from './read-view.ts';

/** Rows that are looked up together. */
export const LOOKUP_BATCH = 128;

export interface RowFeed {
  /** Throws PAGE_MISS when a page is not in memory, and goes on when called again. `limit` is a wish. */
  next(limit: number): LeafRun | undefined;
  /** Leaves out the first rows, without reading them. Before the first `next`. */
  skip(rows: number): void;
  readonly entriesRead: number;
}

/** With `keyOnly`, the field of the key, rows have nothing but their key, and are not looked up. */
export function createRowFeed(view: ReadView, source: Source, keyOnly: string | undefined): RowFeed {
  if (keyOnly !== undefined && source.type !== 'rows') return new KeyRuns(createKeyFeed(view, source), keyOnly);
  switch (source.type) {
    case 'rows':
      return new RowRuns(view, source);
    case 'keys':
      return new LookupRuns(view, createKeyFeed(view, source), undefined);
    default:
      return new LookupRuns(view, createKeyFeed(view, source), source.index);
  }
}

function createKeyFeed(view: ReadView, source: Exclude<Source, { type: 'rows' }>): KeyFeed {
  switch (source.type) {
    case 'entries':
      return new EntryKeys(view, source);
    case 'merge':
      return new MergedKeys(view, source);
    case 'keys':
      return new CollectedKeys(view, source);
  }
}

class RowRuns implements RowFeed {
  readonly #scan: RangeScan;
  #skip = 0;
  entriesRead = 0;

  constructor(view: ReadView, { ranges, reverse }: Extract<Source, { type: 'rows' }>) {
    this.#scan = new RangeScan(view.space, view.stateOf(undefined), ranges, { reverse });
  }

  skip(rows: number): void {
    this.#skip = rows;
  }

  next(): LeafRun | undefined {
    for (;;) {
      const run = this.#scan.next();
      if (run === undefined) return undefined;
      const rows = (run.end - run.start) * run.step;
      const skipped = Math.min(this.#skip, rows);
      this.#skip -= skipped;
      this.entriesRead += rows;
      if (skipped < rows) return skipped === 0 ? run : { ...run, start: run.start + skipped * run.step };
    }
  }
}

/** Primary keys in the order of the rows that are wanted. */
interface KeyFeed {
  /** Adds up to `limit` keys, or none at the end. May throw PAGE_MISS after it has added some. */
  fill(keys: string[], limit: number): void;
  skip(keys: number): void;
  readonly entriesRead: number;
}

class EntryKeys implements KeyFeed {
  readonly #scan: RangeScan;
  readonly #components: number;
  #run: LeafRun | undefined;
  #at = 0;
  #skip = 0;
  entriesRead = 0;

  constructor(view: ReadView, { index, ranges, reverse }: Extract<Source, { type: 'entries' }>) {
    this.#scan = new RangeScan(view.space, view.stateOf(index), ranges, { reverse });
    this.#components = index.spec.on.length;
  }

  skip(keys: number): void {
    this.#skip = keys;
  }

  fill(keys: string[], limit: number): void {
    while (keys.length < limit) {
      if (this.#run === undefined) {
        const run = this.#scan.next();
        if (run === undefined) return;
        const skipped = Math.min(this.#skip, (run.end - run.start) * run.step);
        this.#skip -= skipped;
        this.#run = run;
        this.#at = run.start + skipped * run.step;
        this.entriesRead += skipped;
      }
      const { keys: entries, end, step } = this.#run;
      for (; this.#at !== end && keys.length < limit; this.#at += step) {
        this.entriesRead += 1;
        keys.push(primaryKeyOfIndexKey(entries[this.#at]!, this.#components));
      }
      if (this.#at === end) this.#run = undefined;
    }
  }
}

/** One of the ranges that are merged: the entry that it has next. */
class MergedRange {
  readonly #scan: RangeScan;
  readonly #prefixLength: number;
  #run: LeafRun | undefined;
  #at = 0;
  #rest: string | undefined;
  #isDone = false;

  constructor(view: ReadView, index: IndexState, { prefix, range }: RangeGroup, reverse: boolean) {
    this.#scan = new RangeScan(view.space, view.stateOf(index), [range], { reverse });
    this.#prefixLength = prefix.length;
  }

  /** What follows the prefix in its next entry; undefined at the end. May throw PAGE_MISS. */
  peek(): string | undefined {
    if (this.#rest !== undefined || this.#isDone) return this.#rest;
    if (this.#run === undefined) {
      this.#run = this.#scan.next();
      if (this.#run === undefined) {
        this.#isDone = true;
        return undefined;
      }
      this.#at = this.#run.start;
    }
    this.#rest = this.#run.keys[this.#at]!.slice(this.#prefixLength);
    return this.#rest;
  }

  /** Asks for the page that has its next entry with the next load, when it is not in memory. */
  ask(): void {
    try {
      this.peek();
    } catch (error) {
      if (error !== PAGE_MISS) throw error;
    }
  }

  advance(): void {
    this.#rest = undefined;
    this.#at += this.#run!.step;
    if (this.#at === this.#run!.end) this.#run = undefined;
  }
}

class MergedKeys implements KeyFeed {
  readonly #ranges: readonly MergedRange[];
  readonly #reverse: boolean;
  /** Components between the prefix and the primary key. */
  readonly #components: number;
  #skip = 0;
  entriesRead = 0;

  constructor(view: ReadView, { index, groups, reverse }: Extract<Source, { type: 'merge' }>) {
    this.#ranges = groups.map((group) => new MergedRange(view, index, group, reverse));
    this.#reverse = reverse;
    const fixed = (groups[0]?.prefix ?? '').split(COMPONENT_END).length - 1;
    this.#components = index.spec.on.length - fixed;
  }

  skip(keys: number): void {
    this.#skip = keys;
  }

  fill(keys: string[], limit: number): void {
    try {
      this.#merge(keys, limit);
    } catch (error) {
      if (error === PAGE_MISS) for (const range of this.#ranges) range.ask();
      throw error;
    }
  }

  #merge(keys: string[], limit: number): void {
    while (keys.length < limit) {
      let first: MergedRange | undefined;
      let rest = '';
      for (const range of this.#ranges) {
        const own = range.peek();
        if (own === undefined || (first !== undefined && own < rest === this.#reverse)) continue;
        first = range;
        rest = own;
      }
      if (first === undefined) return;
      first.advance();
      this.entriesRead += 1;
      if (this.#skip > 0) this.#skip -= 1;
      else keys.push(primaryKeyOfIndexKey(rest, this.#components));
    }
  }
}

class CollectedKeys implements KeyFeed {
  readonly #collector: KeyCollector;
  readonly #reverse: boolean;
  readonly #behind: string | undefined;
  /** What is left of them, in the order of the rows. */
  #keys: readonly string[] | undefined;
  #at = 0;

  constructor(view: ReadView, { keys, reverse, behind }: Extract<Source, { type: 'keys' }>) {
    this.#collector = createKeyCollector(view, keys);
    this.#reverse = reverse;
    this.#behind = behind;
  }

  get entriesRead(): number {
    return this.#collector.entriesRead;
  }

  skip(keys: number): void {
    this.#at = keys;
  }

  fill(keys: string[], limit: number): void {
    this.#keys ??= this.#inOrder(this.#collector.collect());
    const until = Math.min(this.#keys.length, this.#at + limit - keys.length);
    for (; this.#at < until; this.#at += 1) keys.push(this.#keys[this.#at]!);
  }

  #inOrder(ascending: readonly string[]): readonly string[] {
    const behind = this.#behind;
    const keys =
      behind === undefined ? ascending : ascending.filter((key) => (this.#reverse ? key < behind : key > behind));
    return this.#reverse ? keys.toReversed() : keys;
  }
}

/** Rows that are made of their keys alone. */
class KeyRuns implements RowFeed {
  readonly #feed: KeyFeed;
  readonly #keyField: string;
  #keys: string[] = [];

  constructor(feed: KeyFeed, keyField: string) {
    this.#feed = feed;
    this.#keyField = keyField;
  }

  get entriesRead(): number {
    return this.#feed.entriesRead;
  }

  skip(rows: number): void {
    this.#feed.skip(rows);
  }

  next(limit: number): LeafRun | undefined {
    this.#feed.fill(this.#keys, Math.max(1, Math.min(limit, LOOKUP_BATCH)));
    const keys = this.#keys;
    if (keys.length === 0) return undefined;
    this.#keys = [];
    const values = keys.map((key) => ({ [this.#keyField]: decodePrimaryKey(key) }));
    return { keys, values, start: 0, end: keys.length, step: 1 };
  }
}

class LookupRuns implements RowFeed {
  readonly #view: ReadView;
  readonly #primary: TreeState;
  readonly #feed: KeyFeed;
  readonly #index: IndexState | undefined;
  /** Keys of the next run, kept while pages are missing. */
  #keys: string[] = [];

  constructor(view: ReadView, feed: KeyFeed, index: IndexState | undefined) {
    this.#view = view;
    this.#primary = view.stateOf(undefined);
    this.#feed = feed;
    this.#index = index;
  }

  get entriesRead(): number {
    return this.#feed.entriesRead;
  }

  skip(rows: number): void {
    this.#feed.skip(rows);
  }

  next(limit: number): LeafRun | undefined {
    const keys = this.#keys;
    this.#feed.fill(keys, Math.max(1, Math.min(limit, LOOKUP_BATCH)));
    if (keys.length === 0) return undefined;
    const reader = new KeyReader(this.#view.space, this.#primary);
    const values = keys.map((key) => reader.read(key));
    // Pages that are missing have all been asked for: one load brings a level of them.
    if (values.includes(NOT_RESIDENT)) throw PAGE_MISS;
    if (values.includes(undefined)) throw this.#danglingEntry();
    this.#keys = [];
    return { keys, values, start: 0, end: keys.length, step: 1 };
  }

  #danglingEntry(): StoreError {
    const name = this.#index?.spec.name;
    const which = name === undefined ? 'An index' : `Index ${name}`;
    return new StoreError('index/damaged', `${which} has an entry of a row that does not exist.`, {
      details: { index: name },
      hint: 'Run store.verify({ repair: true }): it builds the index anew.',
    });
  }
}
