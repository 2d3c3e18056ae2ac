/** Primary keys out of one or several trees: each once, ascending. */
import { primaryKeyOfIndexKey } from '../indexes/index.ts';
import type { KeySource, RangeSource } from './planner/index.ts';
import { RangeScan } from './range-scan.ts';
import type { ReadView } from './read-view.ts';

/** Throws PAGE_MISS when a page is not in memory; called again it goes on, until it has answered once. */
export interface KeyCollector {
  collect(): readonly string[];
  readonly entriesRead: number;
}

export function createKeyCollector(view: ReadView, source: KeySource): KeyCollector {
  return source.type === 'ranges' ? new RangeCollector(view, source) : new SetCollector(view, source);
}

class RangeCollector implements KeyCollector {
  readonly #scan: RangeScan;
  readonly #components: number;
  readonly #keys: string[] = [];
  #isAscending = true;
  entriesRead = 0;

  constructor(view: ReadView, { index, ranges }: RangeSource) {
    this.#scan = new RangeScan(view.space, view.stateOf(index), ranges, { reverse: false });
    this.#components = index?.spec.on.length ?? 0;
  }

  collect(): readonly string[] {
    const keys = this.#keys;
    for (let run = this.#scan.next(); run !== undefined; run = this.#scan.next()) {
      this.entriesRead += run.end - run.start;
      for (let at = run.start; at < run.end; at += 1) {
        const entry = run.keys[at]!;
        const key = this.#components === 0 ? entry : primaryKeyOfIndexKey(entry, this.#components);
        if (keys.length > 0 && keys[keys.length - 1]! >= key) this.#isAscending = false;
        keys.push(key);
      }
    }
    return this.#isAscending ? keys : unique(keys.sort());
  }
}

class SetCollector implements KeyCollector {
  readonly #type: 'union' | 'intersection';
  readonly #of: readonly KeyCollector[];
  readonly #found: (readonly string[])[] = [];

  constructor(view: ReadView, source: Exclude<KeySource, RangeSource>) {
    this.#type = source.type;
    this.#of = source.of.map((each) => createKeyCollector(view, each));
  }

  get entriesRead(): number {
    return this.#of.reduce((sum, { entriesRead }) => sum + entriesRead, 0);
  }

  collect(): readonly string[] {
    for (let at = this.#found.length; at < this.#of.length; at += 1) {
      const keys = this.#of[at]!.collect();
      this.#found.push(keys);
      if (this.#type === 'intersection' && keys.length === 0) return [];
    }
    return this.#type === 'union' ? unique(this.#found.flat().sort()) : this.#found.reduce(inBoth);
  }
}

function unique(ascending: readonly string[]): readonly string[] {
  return ascending.filter((key, at) => at === 0 || key !== ascending[at - 1]);
}

/** Both ascend. */
function inBoth(left: readonly string[], right: readonly string[]): readonly string[] {
  const both: string[] = [];
  let i = 0;
  let j = 0;
  while (i < left.length && j < right.length) {
    const a = left[i]!;
    const b = right[j]!;
    if (a === b) both.push(a);
    if (a <= b) i += 1;
    if (b <= a) j += 1;
  }
  return both;
}
