/** A collection as the engine sees it: plain data, sent when a store is opened and kept in its catalogue. */
import type { FieldTypes } from './field-types.ts';

export type IndexSpec = {
  /** Unique within its collection. Default: the paths joined by `+`. */
  readonly name: string;
  /** Dotted paths, one or more, ascending. */
  readonly on: readonly string[];
  readonly unique: boolean;
  /** One entry per array element of the (single) path. */
  readonly multi: boolean;
  /** Rows in which no path of the index is present have no entry. */
  readonly sparse: boolean;
  /** Strings compare without regard to case. */
  readonly caseInsensitive: boolean;
  /** Only rows that match are in the index. */
  readonly where: Selector | undefined;
};

export type CollectionSpec = {
  readonly name: string;
  /** Top-level field that holds the primary key. */
  readonly key: string;
  readonly indexes: readonly IndexSpec[];
  /** Checked by the engine at every write. */
  readonly jsonSchema: Readonly<Record<string, unknown>> | undefined;
  /** Version of the definition, 1 or more. A store written under a higher one is not opened. */
  readonly version: number;
  /** Whether it is synchronised. Undefined: as it was, so that a page opened without a relay does not lose changes. */
  readonly sync?: boolean | undefined;
  /** Types of its fields, for synchronisation. */
  readonly fields?: FieldTypes | undefined;
  /** Versions that the page can bring a row to from the one before. Told at every opening, and not kept. */
  readonly migrations?: readonly number[] | undefined;
};

/** Conditions by dotted path, and `$and`, `$or`, `$nor` of selectors; all must hold (worker/query/SELECTORS.md). */
export type Selector = { readonly [path: string]: unknown };

/** Types as `$type` names them: those of values that a document can hold. `int` and `long` are numbers without a fraction. */
export type TypeName =
  | 'double'
  | 'string'
  | 'object'
  | 'array'
  | 'binData'
  | 'bool'
  | 'date'
  | 'null'
  | 'int'
  | 'long'
  | 'number';

/** Stages of an aggregation, each an object with one `$name`. Checked by the engine. */
export type PipelineSpec = readonly unknown[];

export type SortOrder = readonly (readonly [path: string, direction: 1 | -1])[];

export type FindSpec = {
  readonly selector: Selector;
  readonly sort: SortOrder;
  readonly limit: number | undefined;
  readonly skip: number;
  /** Where the answer begins: behind a row, or behind what a cursor of a page tells. Checked by the engine. */
  readonly after?: unknown;
  /** Paths to include or to exclude. Checked by the engine. */
  readonly project?: unknown;
  /** Rows of other collections beside each row. Checked by the engine. */
  readonly include?: unknown;
  /** Most rows that may be read without an index. Default: the store's. */
  readonly scanRowsMax?: number | undefined;
};
