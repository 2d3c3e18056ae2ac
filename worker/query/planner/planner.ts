/**
 * Chooses how to answer: by keys, through an index, through several, or by reading all rows. All ways that can answer are
 * priced with what the trees count, and the cheapest is taken. Whichever it is, the rows and their order are the same:
 * what a source does not answer is asked of its rows, and an order that it does not have is made in memory (QRY-2).
 */
import { StoreError } from '../../../src/base/store-error.ts';
import type { FindSpec, SortOrder } from '../../../src/protocol/definition.ts';
import type { CollectionState, IndexState } from '../../indexes/index.ts';
import { parsePath } from '../paths.ts';
import { type Position, toPosition } from '../position.ts';
import { compileProjection } from '../projection.ts';
import { conjunctsOf, parseSelector, type SelectorNode } from '../selector/index.ts';
import { type Condition, conditionsOf } from './conditions.ts';
import { entriesCost, keysCost, lookupCost, scanCost, sortCost } from './cost.ts';
import { rangesBehind } from './key-ranges.ts';
import type { FindPlan, KeySource, Plan, Source } from './plan.ts';
import { mergedOrderOf, orderOf, positionInGroup, positionKey, toFullSort } from './sort-by-index.ts';
import { Statistics } from './statistics.ts';
import { indexUses, primaryUse, type TreeUse } from './tree-use.ts';

/** Uses that are combined in pairs to an intersection. */
const INTERSECTED_MAX = 4;
/** Choices within choices that are looked into for indexes. */
const UNION_DEPTH_MAX = 3;

type Question = Pick<FindSpec, 'selector' | 'sort'> &
  Partial<FindSpec> & {
    /** `count`: only how many rows there are, in no order. Default: `rows`. */
    readonly purpose?: 'rows' | 'count';
    /** Takes another way than the cheapest: how tests prove that all ways give the same answer. */
    readonly choose?: (plans: readonly Plan[]) => Plan;
  };
/** Keys that hold all rows that are wanted, and what that answers. */
type KeyWay = {
  readonly source: KeySource;
  readonly entries: number;
  readonly cost: number;
  readonly answered: readonly SelectorNode[];
  readonly used: readonly SelectorNode[];
};

export function planFind(collection: CollectionState, find: Question): FindPlan {
  const planner = new Planner(collection, find);
  return planner.best();
}

class Planner {
  readonly #collection: CollectionState;
  readonly #keyField: string;
  readonly #find: Question;
  readonly #parts: readonly SelectorNode[];
  readonly #conditions: readonly Condition[];
  readonly #sort: SortOrder;
  readonly #statistics: Statistics;
  readonly #after: Position | undefined;
  readonly #projection: ReturnType<typeof compileProjection>;
  /** Rows that are wanted, with those to be skipped. */
  readonly #wanted: number;

  constructor(collection: CollectionState, find: Question) {
    const { name, key } = collection.spec;
    this.#collection = collection;
    this.#keyField = key;
    this.#find = find;
    this.#parts = conjunctsOf(parseSelector(find.selector));
    this.#conditions = this.#parts.flatMap(conditionsOf);
    checkSort(find.sort);
    this.#sort = toFullSort(find.sort, key);
    this.#projection = compileProjection(find.project, key);
    this.#after =
      find.after === undefined
        ? undefined
        : toPosition(find.after, { collection: name, keyField: key, sort: this.#sort, projection: this.#projection });
    this.#statistics = new Statistics(collection);
    this.#wanted = (find.skip ?? 0) + (find.limit ?? Number.POSITIVE_INFINITY);
  }

  best(): FindPlan {
    const considered = this.#plans();
    const { choose = cheapest } = this.#find;
    const best = choose(considered);
    const { limit = Number.POSITIVE_INFINITY, skip = 0 } = this.#find;
    return {
      ...best,
      collection: this.#collection.spec.name,
      keyField: this.#keyField,
      sort: this.#sort,
      isSortGiven: this.#find.sort.length > 0,
      skip,
      limit,
      projection: this.#projection,
      after: best.isSorted ? undefined : this.#after,
      isCovered: this.#isCovered(best),
      considered,
      parts: this.#parts,
      rows: this.#statistics.rows,
    };
  }

  #plans(): readonly Plan[] {
    const primary = primaryUse(this.#keyField, this.#conditions);
    const uses = this.#collection.indexes.flatMap((index) => indexUses(index, this.#parts, this.#conditions));
    for (const use of uses) this.#statistics.note(use, this.#statistics.entriesIn(use.index, use.ranges));
    const ways = uses.filter(({ used }) => used.length > 0).map((use) => this.#wayOf(use));
    const unions = this.#parts.flatMap((part) => this.#union(part, 0) ?? []);
    const combined = [...ways, ...unions, ...this.#intersections([...ways, ...unions])];
    return [
      this.#rowsPlan(primary),
      ...uses.flatMap((use) => (this.#isCount ? this.#countPlan(use) : this.#orderedPlan(use)) ?? []),
      ...uses.flatMap((use) => (this.#isCount ? [] : (this.#mergedPlan(use) ?? []))),
      ...combined.map((way) => this.#keysPlan(way)),
    ];
  }

  get #isCount(): boolean {
    return this.#find.purpose === 'count';
  }

  /** Reads the primary tree. */
  #rowsPlan(use: TreeUse): Plan {
    const [first] = this.#sort;
    const isSorted = first![0] === this.#keyField;
    const reverse = isSorted && first![1] === -1;
    const ranges = isSorted ? this.#clip(use.ranges, this.#after?.key, reverse) : use.ranges;
    const residual = this.#without(use.answered);
    const rows = this.#statistics.entriesIn(undefined, ranges);
    const isCounted = this.#isCount && residual.length === 0;
    const cost = isCounted
      ? scanCost(ranges.length, 0)
      : isSorted
        ? scanCost(ranges.length, Math.min(rows, this.#wanted / this.#share(residual)))
        : scanCost(ranges.length, rows) + this.#sortCost(rows * this.#share(residual));
    const access = use.used.length > 0 ? 'key' : 'scan';
    return { access, source: { type: 'rows', ranges, reverse }, isSorted, residual, cost };
  }

  /** Reads an index in the order of the sort, when it has that order. */
  #orderedPlan(use: TreeUse): Plan | undefined {
    const index = use.index as IndexState;
    const direction = orderOf(use, this.#sort, this.#keyField);
    if (direction === undefined) return undefined;
    const reverse = direction === -1;
    const place = this.#after && positionKey(use, this.#sort, this.#after);
    const ranges = this.#clip(use.ranges, place, reverse);
    const residual = this.#without(use.answered);
    const entries = this.#statistics.entriesIn(index, ranges);
    const cost = entriesCost(ranges.length, Math.min(entries, this.#wanted / this.#share(residual)));
    return { access: 'index', source: { type: 'entries', index, ranges, reverse }, isSorted: true, residual, cost };
  }

  /** Merges ranges of an index that have the order of the sort each. */
  #mergedPlan(use: TreeUse): Plan | undefined {
    const index = use.index as IndexState;
    const direction = mergedOrderOf(use, this.#sort, this.#keyField);
    if (direction === undefined) return undefined;
    const reverse = direction === -1;
    const groups = use.groups.flatMap(({ prefix, range }) => {
      const place = this.#after && positionInGroup(use, prefix, this.#after);
      return this.#clip([range], place, reverse).map((clipped) => ({ prefix, range: clipped }));
    });
    const residual = this.#without(use.answered);
    const ranges = groups.map(({ range }) => range);
    const entries = this.#statistics.entriesIn(index, ranges);
    const rows = Math.min(entries, this.#wanted / this.#share(residual));
    const cost = entriesCost(groups.length, rows) + rows * Math.log2(Math.max(2, groups.length));
    return { access: 'index', source: { type: 'merge', index, groups, reverse }, isSorted: true, residual, cost };
  }

  /** Counts entries, or the rows that pass behind them. */
  #countPlan(use: TreeUse): Plan | undefined {
    const { ranges, hasRepeats, answered } = use;
    const index = use.index as IndexState;
    // Of an index without conditions only the existence may answer something.
    if (hasRepeats || (use.used.length === 0 && answered.length === 0)) return undefined;
    const residual = this.#without(answered);
    const rows = residual.length === 0 ? 0 : this.#statistics.entriesIn(index, ranges);
    const cost = entriesCost(ranges.length, rows);
    return {
      access: 'index',
      source: { type: 'entries', index, ranges, reverse: false },
      isSorted: true,
      residual,
      cost,
    };
  }

  /** Collects keys, then reads their rows: in the order of keys, or to be sorted in memory. */
  #keysPlan({ source, entries, cost, answered }: KeyWay): Plan {
    const [first] = this.#sort;
    const isSorted = first![0] === this.#keyField;
    const residual = this.#without(answered);
    const isCounted = this.#isCount && residual.length === 0;
    const rows = isCounted ? 0 : isSorted ? Math.min(entries, this.#wanted / this.#share(residual)) : entries;
    const reverse = isSorted && first![1] === -1;
    const from: Source = { type: 'keys', keys: source, reverse, behind: isSorted ? this.#after?.key : undefined };
    const lookedUp = this.#isCovered({ isSorted, residual, source: from }) ? 0 : rows;
    return {
      access: source.type === 'ranges' ? 'index' : source.type,
      source: from,
      isSorted,
      residual,
      cost: cost + lookupCost(lookedUp) + (isSorted ? 0 : this.#sortCost(entries * this.#share(residual))),
    };
  }

  #wayOf(use: TreeUse): KeyWay {
    const { index, ranges, answered, used } = use;
    const entries = this.#statistics.entriesIn(index, ranges);
    const isAscending = index === undefined || (ranges.length <= 1 && use.fixed === index.spec.on.length);
    const cost = keysCost(ranges.length, entries, { isAscending });
    return { source: { type: 'ranges', index, ranges }, entries, cost, answered, used };
  }

  /** A choice, when each of its branches has a way of its own. */
  #union(part: SelectorNode, depth: number): KeyWay | undefined {
    if (part.type !== 'or' || depth > UNION_DEPTH_MAX) return undefined;
    const of: KeyWay[] = [];
    let isExact = true;
    for (const branch of part.of) {
      const parts = conjunctsOf(branch);
      const conditions = parts.flatMap(conditionsOf);
      const primary = primaryUse(this.#keyField, conditions);
      const uses = this.#collection.indexes.flatMap((index) => indexUses(index, parts, conditions));
      const ways = [primary, ...uses].filter(({ used }) => used.length > 0).map((use) => this.#wayOf(use));
      ways.push(...parts.flatMap((each) => this.#union(each, depth + 1) ?? []));
      if (ways.length === 0) return undefined;
      const best = ways.reduce((a, b) => (b.entries < a.entries ? b : a));
      if (parts.some((each) => !best.answered.includes(each))) isExact = false;
      of.push(best);
    }
    const entries = Math.min(this.#statistics.rows, sum(of, 'entries'));
    return {
      source: { type: 'union', of: of.map(({ source }) => source) },
      entries,
      cost: sum(of, 'cost') + keysCost(0, entries, { isAscending: false }),
      answered: isExact ? [part] : [],
      used: [part],
    };
  }

  #intersections(ways: readonly KeyWay[]): readonly KeyWay[] {
    const few = ways.toSorted((a, b) => a.entries - b.entries).slice(0, INTERSECTED_MAX);
    return few.flatMap((a, at) =>
      few.slice(at + 1).flatMap((b): readonly KeyWay[] => {
        if (b.used.every((part) => a.used.includes(part)) || a.used.every((part) => b.used.includes(part))) return [];
        return [
          {
            source: { type: 'intersection', of: [a.source, b.source] },
            entries: Math.ceil((a.entries * b.entries) / Math.max(1, this.#statistics.rows)),
            cost: a.cost + b.cost,
            answered: [...a.answered, ...b.answered],
            used: [...a.used, ...b.used],
          },
        ];
      }),
    );
  }

  /** In the order of keys, so that a cursor needs no more than the key either. */
  #isCovered({ isSorted, residual, source }: Pick<Plan, 'isSorted' | 'residual' | 'source'>): boolean {
    const isByKey = isSorted && this.#sort[0]![0] === this.#keyField;
    return isByKey && residual.length === 0 && source.type !== 'rows' && this.#projection?.isKeyOnly === true;
  }

  #clip(ranges: TreeUse['ranges'], place: string | undefined, reverse: boolean): TreeUse['ranges'] {
    return place === undefined ? ranges : rangesBehind(ranges, place, { reverse });
  }

  #without(answered: readonly SelectorNode[]): readonly SelectorNode[] {
    return this.#parts.filter((part) => !answered.includes(part));
  }

  #share(residual: readonly SelectorNode[]): number {
    return Math.max(this.#statistics.shareOf(residual), 1e-6);
  }

  #sortCost(rows: number): number {
    return sortCost(rows, this.#wanted);
  }
}

const cheapest = (plans: readonly Plan[]): Plan => plans.reduce((a, b) => (b.cost < a.cost ? b : a));

const sum = (ways: readonly KeyWay[], of: 'entries' | 'cost'): number => ways.reduce((all, way) => all + way[of], 0);

function checkSort(sort: SortOrder): void {
  for (const [path, direction] of sort) {
    parsePath(path);
    if (direction === 1 || direction === -1) continue;
    throw new StoreError('query/wrong-operand', `The sort direction at ${path} must be 1 or -1.`, {
      details: { path },
    });
  }
}
