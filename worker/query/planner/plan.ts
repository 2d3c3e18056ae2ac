/** What a plan is: where rows come from, in which order, and what is left to be asked of them. */
import type { SortOrder } from '../../../src/protocol/definition.ts';
import type { IndexState } from '../../indexes/index.ts';
import type { KeyRange } from '../../pages/index.ts';
import type { Position } from '../position.ts';
import type { Projection } from '../projection.ts';
import type { SelectorNode } from '../selector/index.ts';

/** Ranges of one tree, not overlapping, ascending. An `index` that is undefined is the primary tree. */
export type RangeSource = {
  readonly type: 'ranges';
  readonly index: IndexState | undefined;
  readonly ranges: readonly KeyRange[];
};

/** Primary keys, each once, however often the trees have them. */
export type KeySource = RangeSource | { readonly type: 'union' | 'intersection'; readonly of: readonly KeySource[] };

export type Source =
  /** Rows of the primary tree, in the order of their keys. */
  | { readonly type: 'rows'; readonly ranges: readonly KeyRange[]; readonly reverse: boolean }
  /** Rows in the order of the entries of an index, which has one entry at most for each. */
  | {
      readonly type: 'entries';
      readonly index: IndexState;
      readonly ranges: readonly KeyRange[];
      readonly reverse: boolean;
    }
  /** Rows of several ranges of an index, merged: in each range, what follows the prefix is in the wanted order. */
  | {
      readonly type: 'merge';
      readonly index: IndexState;
      readonly groups: readonly RangeGroup[];
      readonly reverse: boolean;
    }
  /** Keys are collected first; then their rows, in the order of the keys, beginning behind the key `behind`. */
  | {
      readonly type: 'keys';
      readonly keys: KeySource;
      readonly reverse: boolean;
      readonly behind: string | undefined;
    };

/** A range whose entries all begin with the prefix. */
export type RangeGroup = { readonly prefix: string; readonly range: KeyRange };

export type AccessKind = 'key' | 'index' | 'scan' | 'union' | 'intersection';

export type Plan = {
  readonly access: AccessKind;
  readonly source: Source;
  /** Whether rows come in the order of `sort`; if not, they are sorted in memory. */
  readonly isSorted: boolean;
  /** Parts of the selector that the source does not answer. All of them must hold. */
  readonly residual: readonly SelectorNode[];
  /** Estimated cost, in units of one row read in the order of keys. */
  readonly cost: number;
};

/** A plan with all that a find asks for besides. */
export type FindPlan = Plan & {
  readonly collection: string;
  readonly keyField: string;
  /** The sort that fixes every place: never empty, and nothing after the key. */
  readonly sort: SortOrder;
  readonly isSortGiven: boolean;
  readonly skip: number;
  readonly limit: number;
  readonly projection: Projection | undefined;
  /** Whether entries and keys are all that is needed: rows have nothing but their key. */
  readonly isCovered: boolean;
  /** Where the answer begins, behind this place. Sources that are in order begin there by themselves. */
  readonly after: Position | undefined;
  /** All plans that were priced, for `explain()`. */
  readonly considered: readonly Plan[];
  /** The parts of the selector. */
  readonly parts: readonly SelectorNode[];
  /** Rows in the collection. */
  readonly rows: number;
};
