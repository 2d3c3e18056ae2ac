/** New rows of a collection without large values: the plain bulk insert, which needs no object for each row. */
import { estimateRowBytes } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { type CollectionState, type IndexState, sortEntries } from '../indexes/index.ts';
import { KeyReader, type Tree, type ValueRun } from '../pages/index.ts';

/** Where the rows are, and what is known of them. */
export interface InsertSource {
  /** Encoded primary keys, ascending. */
  readonly keys: readonly string[];
  /** In the order of the keys. They may be decoded when they are asked for. */
  readonly rows: readonly Row[];
  /** Estimated bytes of the rows. */
  readonly weights: readonly number[];
  /** Rows from one position to another. */
  runs(from: number, to: number): readonly ValueRun[];
  /** Sorted keys of the rows in an index, when they are there already. */
  entriesIn(index: IndexState): readonly string[] | undefined;
}

export class RowInserts {
  readonly #source: InsertSource;
  /** How far each tree has come. */
  readonly #done: Map<Tree, { readonly keys: readonly string[]; at: number }> = new Map();

  constructor(source: InsertSource) {
    this.#source = source;
  }

  get keys(): readonly string[] {
    return this.#source.keys;
  }

  get rows(): readonly Row[] {
    return this.#source.rows;
  }

  /** Tree by tree, each in the order of its own keys. What is done is kept for the case of a page miss. */
  apply(collection: CollectionState): void {
    const source = this.#source;
    for (const index of collection.indexes) {
      const step = this.#step(index.tree, () => source.entriesIn(index) ?? entriesOf(index, source));
      index.tree.insertSorted(step.keys, step);
    }
    const step = this.#step(collection.primary, () => source.keys);
    const values = { runs: (from: number, to: number) => source.runs(from, to) };
    collection.primary.insertSorted(step.keys, step, { values, weights: source.weights });
  }

  /** Asks for all pages that are still needed, after a page miss. */
  want(collection: CollectionState): void {
    for (const tree of collection.trees) {
      const step = this.#done.get(tree);
      const keys = step?.keys ?? (tree === collection.primary ? this.keys : []);
      const reader = new KeyReader(tree.space, tree.head);
      for (let at = step?.at ?? 0; at < keys.length; at += 1) reader.isResident(keys[at]!);
    }
  }

  #step(tree: Tree, keysOf: () => readonly string[]): { readonly keys: readonly string[]; at: number } {
    let step = this.#done.get(tree);
    if (step === undefined) {
      step = { keys: keysOf(), at: 0 };
      this.#done.set(tree, step);
    }
    return step;
  }
}

const entriesOf = (index: IndexState, { keys, rows }: InsertSource): readonly string[] =>
  sortEntries(
    rows.map((row) => index.entriesOf(row)),
    keys,
  );

/** Rows that are at hand. */
export function sourceOf(keys: readonly string[], rows: readonly Row[], weights?: readonly number[]): InsertSource {
  return {
    keys,
    rows,
    weights: weights ?? rows.map(estimateRowBytes),
    runs: (from, to) => [{ batch: { rows }, from, to }],
    entriesIn: () => undefined,
  };
}
