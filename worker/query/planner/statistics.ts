/**
 * What is known of the data before it is read. The trees count what is below their branches, so an index is its own
 * histogram: how many entries a range has costs two descents, is exact while the borders are in memory, and is never out
 * of date. Nothing has to be gathered or stored.
 */
import type { CollectionState, IndexState } from '../../indexes/index.ts';
import { estimateRange, type KeyRange } from '../../pages/index.ts';
import type { SelectorNode } from '../selector/index.ts';
import type { TreeUse } from './tree-use.ts';

/** Ranges that are counted one by one; of more, so many samples stand for all. */
const RANGES_COUNTED_MAX = 16;

export class Statistics {
  readonly #collection: CollectionState;
  /** Shares of rows, by the part of a selector that lets them through. */
  readonly #shares: Map<SelectorNode, number> = new Map();
  readonly rows: number;

  constructor(collection: CollectionState) {
    this.#collection = collection;
    this.rows = collection.primary.visible.count;
  }

  entriesIn(index: IndexState | undefined, ranges: readonly KeyRange[]): number {
    const tree = index?.tree ?? this.#collection.primary;
    const step = Math.max(1, Math.ceil(ranges.length / RANGES_COUNTED_MAX));
    let entries = 0;
    let counted = 0;
    for (let at = 0; at < ranges.length; at += step) {
      entries += estimateRange(tree.space, tree.visible, ranges[at]!);
      counted += 1;
    }
    return counted === 0 ? 0 : Math.ceil((entries / counted) * ranges.length);
  }

  /** Learns from a use that is about one part only. */
  note({ used }: TreeUse, entries: number): void {
    const [part, ...more] = new Set(used);
    if (part === undefined || more.length > 0 || this.rows === 0) return;
    const share = Math.min(1, entries / this.rows);
    this.#shares.set(part, Math.min(share, this.#shares.get(part) ?? 1));
  }

  /** The share of rows that parts let through, as if they were independent. */
  shareOf(parts: readonly SelectorNode[]): number {
    return parts.reduce((share, part) => share * (this.#shares.get(part) ?? guessShare(part)), 1);
  }
}

/** What is assumed of a part that no index knows of. */
function guessShare(part: SelectorNode): number {
  switch (part.type) {
    case 'and':
      return part.of.reduce((share, each) => share * guessShare(each), 1);
    case 'or':
      return Math.min(
        1,
        part.of.reduce((share, each) => share + guessShare(each), 0),
      );
    case 'not':
      return Math.max(0.1, 1 - guessShare(part.of));
    case 'field':
      if (part.test.type === 'equal') return 0.1;
      if (part.test.type === 'in') return Math.min(0.5, 0.1 * part.test.operands.length);
      return part.test.type === 'exists' ? 0.9 : 0.3;
  }
}
