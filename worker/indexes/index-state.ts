/** One index of a collection: its definition, its tree, and the entries that a row has in it. */
import type { Row } from '../../src/base/row.ts';
import type { IndexSpec } from '../../src/protocol/definition.ts';
import type { Tree } from '../pages/index.ts';
import { type FieldReader, fieldReader, meetsArray, valuesAt } from './field-path.ts';
import { COMPONENT_END, encodeComponent, foldCase } from './key-encoding.ts';

/** Entries of a row, as index keys without the primary key at their end: none, one, or several. */
export type IndexEntries = undefined | string | readonly string[];

export class IndexState {
  readonly spec: IndexSpec;
  readonly tree: Tree;
  /** A building index is kept up by writes, but not read yet. */
  state: 'ready' | 'building';
  /** Whether some row had an array on a path: then the index cannot answer selectors, which look into arrays. */
  meetsArrays: boolean;
  readonly #readers: readonly FieldReader[];
  readonly #segments: readonly (readonly string[])[];
  readonly #accepts: ((row: Row) => boolean) | undefined;
  /** The whole work for the plain case: one path, every row. */
  readonly #single: FieldReader | undefined;

  constructor(options: {
    readonly spec: IndexSpec;
    readonly tree: Tree;
    readonly state: 'ready' | 'building';
    readonly meetsArrays: boolean;
    /** The compiled `where`. */
    readonly accepts: ((row: Row) => boolean) | undefined;
  }) {
    this.spec = options.spec;
    this.tree = options.tree;
    this.state = options.state;
    this.meetsArrays = options.meetsArrays;
    this.#accepts = options.accepts;
    this.#readers = options.spec.on.map(fieldReader);
    this.#segments = options.spec.on.map((path) => path.split('.'));
    const { multi, sparse } = options.spec;
    this.#single = this.#readers.length === 1 && !multi && !sparse && !options.accepts ? this.#readers[0] : undefined;
  }

  /** The same index over another tree. */
  withTree(tree: Tree): IndexState {
    const { spec, state, meetsArrays } = this;
    return new IndexState({ spec, tree, state, meetsArrays, accepts: this.#accepts });
  }

  entriesOf(row: Row): IndexEntries {
    const single = this.#single;
    if (single !== undefined) {
      const value = single(row);
      if (mayMeetArray(value)) this.#noteArrays(row);
      return this.#component(value) + COMPONENT_END;
    }
    if (this.#accepts !== undefined && !this.#accepts(row)) return undefined;
    if (this.spec.multi) return this.#elements(row);
    let entry = '';
    let isPresent = !this.spec.sparse;
    let isPlain = true;
    for (const read of this.#readers) {
      const value = read(row);
      if (value !== undefined) isPresent = true;
      if (mayMeetArray(value)) isPlain = false;
      entry += this.#component(value) + COMPONENT_END;
    }
    if (!isPlain) this.#noteArrays(row);
    return isPresent ? entry : undefined;
  }

  /** Whether all that counts are the values at its paths, each row being in it once, or not at all when it is sparse. */
  get isPlain(): boolean {
    return !this.spec.multi && this.#accepts === undefined;
  }

  #component(value: unknown): string {
    if (this.spec.caseInsensitive && typeof value === 'string') return encodeComponent(foldCase(value));
    return encodeComponent(value);
  }

  /** An encoded string operand as a case-insensitive index holds it. */
  foldEncoded(encoded: string): string {
    return encoded[0]! + foldCase(encoded.slice(1));
  }

  #noteArrays(row: Row): void {
    if (!this.meetsArrays && this.#segments.some((segments) => meetsArray(row, segments))) this.meetsArrays = true;
  }

  /** One entry for each distinct element; a missing path and an empty array have none. */
  #elements(row: Row): IndexEntries {
    const entries = new Set<string>();
    for (const value of valuesAt(row, this.#segments[0]!)) {
      for (const element of Array.isArray(value) ? value : [value])
        entries.add(this.#component(element) + COMPONENT_END);
    }
    return [...entries];
  }
}

/** Whether an array may stand on the path to a value: at its end, or on the way to what then seems to be missing. */
const mayMeetArray = (value: unknown): boolean => value === undefined || (typeof value === 'object' && value !== null);

export const entryList = (entries: IndexEntries): readonly string[] =>
  entries === undefined ? [] : typeof entries === 'string' ? [entries] : entries;
