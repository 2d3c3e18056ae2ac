/**
 * Rows with what they include, kept up as rows of other collections change. Each include keeps the rows that somebody
 * shown refers to, by the value that they are joined by; each value knows who was joined by it. So a change of an
 * included row reaches those rows alone that include it, and asks the engine for nothing (LIVE-13).
 *
 * A row with its includes is a `Whole`. Wholes use the wholes of rows that include something themselves; when one becomes
 * out of date, so do its users, and all of them are put together again when they are told.
 */
import type { Key, Row } from '../../src/base/row.ts';
import type { ChangeEvent, MaybePromise } from '../../src/protocol/engine-api.ts';
import { encodePrimaryKey } from '../indexes/index.ts';
import {
  chosenRows,
  collectionsOf,
  type Include,
  interestOf,
  joinValues,
  type Projection,
  parseSelector,
} from '../query/index.ts';
import { IncludedValues, type ValueRows } from './included-values.ts';
import { narrowestOf } from './interest.ts';
import type { Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';
import type { Entry } from './row-order.ts';
import type { RowShape } from './row-shape.ts';

/** The includes of one level. */
type Level = {
  readonly parts: readonly {
    readonly include: Include;
    readonly values: IncludedValues<Whole>;
    readonly inner: Level;
  }[];
  readonly wholes: Map<Row, Whole>;
  readonly base: (row: Row) => Row;
};

type Whole = {
  readonly row: Row;
  readonly level: Level;
  readonly users: Set<Whole>;
  /** What it was joined by, and the wholes that it is made of. */
  joined: ReadonlySet<ValueRows<Whole>>;
  uses: ReadonlySet<Whole>;
  /** Undefined when it has to be put together again. Then its users are, too. */
  told: Row | undefined;
};

type Shown = { readonly entry: Entry; readonly whole: Whole; told: Entry | undefined };

export class IncludedRows implements RowShape {
  readonly watches: readonly Watch[];
  readonly #root: Level;
  readonly #values: IncludedValues<Whole>[] = [];
  readonly #keyFields = new Map<string, string>();
  #shown: readonly Entry[] = [];
  #kept: Map<Entry, Shown> = new Map();
  hasChanged = true;

  /** Throws when a collection is unknown. */
  constructor(
    source: LiveSource,
    includes: readonly Include[],
    {
      projection,
      scanRowsMax,
    }: { readonly projection: Projection | undefined; readonly scanRowsMax: number | undefined },
  ) {
    for (const name of collectionsOf(includes)) this.#keyFields.set(name, source.keyField(name));
    const options = { held: { rows: 0 }, scanRowsMax };
    const levelOf = (of: readonly Include[], base: Level['base']): Level => ({
      parts: of.map((include) => {
        const values = new IncludedValues<Whole>(source, include, options);
        this.#values.push(values);
        return { include, values, inner: levelOf(include.include, (row) => row) };
      }),
      wholes: new Map(),
      base,
    });
    this.#root = levelOf(includes, projection?.apply ?? ((row) => row));
    this.watches = this.#values.map(({ include: { from, where } }) => ({
      collection: from,
      interest: where === undefined ? undefined : narrowestOf(interestOf(parseSelector(where))),
    }));
  }

  tell(shown: readonly Entry[]): readonly Entry[] | undefined {
    if (shown !== this.#shown) this.#keep(shown);
    let isWhole = true;
    const told: Entry[] = [];
    for (const each of this.#kept.values()) {
      const row = this.#complete(each.whole);
      if (row === undefined) isWhole = false;
      else if (each.told?.row !== row) each.told = { ...each.entry, row };
      if (isWhole) told.push(each.told!);
    }
    this.hasChanged = !isWhole;
    return isWhole ? told : undefined;
  }

  /** Those that are shown no longer let go of what they include, after the others have taken hold of it. */
  #keep(shown: readonly Entry[]): void {
    const kept = new Map<Entry, Shown>();
    const old = this.#kept;
    for (const entry of shown) {
      kept.set(entry, old.get(entry) ?? { entry, whole: wholeOf(this.#root, entry.row), told: undefined });
    }
    this.#kept = kept;
    this.#shown = shown;
    for (const { entry, whole } of kept.values()) if (!old.has(entry)) this.#complete(whole);
    for (const { entry, whole } of old.values()) if (!kept.has(entry)) drop(whole);
  }

  /** What is told of a row with its includes; undefined when some of them are not known yet. */
  #complete(whole: Whole): Row | undefined {
    if (whole.told !== undefined) return whole.told;
    const { row, level } = whole;
    const { joined, uses } = whole;
    const nextJoined = new Set<ValueRows<Whole>>();
    const nextUses = new Set<Whole>();
    const fields: Record<string, unknown> = {};
    let isWhole = true;
    for (const { include, values, inner } of level.parts) {
      const lists: ValueRows<Whole>[] = [];
      for (const value of joinValues(row, include.local)) {
        // Nothing refers to nothing.
        if (value === null || value === undefined) continue;
        const list = values.of(value);
        list.users.add(whole);
        nextJoined.add(list);
        lists.push(list);
      }
      const found = values.rowsOf(lists);
      if (found === undefined) {
        isWhole = false;
        continue;
      }
      const rows: Row[] = [];
      for (const each of chosenRows(found, include)) {
        if (inner.parts.length === 0) {
          rows.push(each);
          continue;
        }
        const part = wholeOf(inner, each);
        part.users.add(whole);
        nextUses.add(part);
        const told = this.#complete(part);
        if (told === undefined) isWhole = false;
        else rows.push(told);
      }
      fields[include.field] = include.isOne ? (rows[0] ?? null) : rows;
    }
    whole.joined = nextJoined;
    whole.uses = nextUses;
    // What it still needs must not be let go of for a moment: it would have to be loaded again.
    release(whole, joined, uses);
    if (isWhole) whole.told = { ...level.base(row), ...fields };
    return whole.told;
  }

  load(isWanted: () => boolean): MaybePromise<void> {
    for (const values of this.#values) {
      const loading = values.load(isWanted);
      if (loading instanceof Promise) return loading.then(() => (isWanted() ? this.load(isWanted) : undefined));
    }
  }

  apply({ before, row }: ChangeEvent, collection: string): void {
    const keyField = this.#keyFields.get(collection);
    if (keyField === undefined) return;
    const key = encodePrimaryKey((row ?? before)![keyField] as Key);
    for (const values of this.#values) {
      if (values.include.from === collection) values.apply(key, before, row, (whole) => this.#outdate(whole));
    }
  }

  #outdate(whole: Whole): void {
    if (whole.told === undefined) return;
    whole.told = undefined;
    if (whole.level === this.#root) this.hasChanged = true;
    for (const user of whole.users) this.#outdate(user);
  }

  forget(): void {
    for (const { whole } of this.#kept.values()) drop(whole);
    this.#kept = new Map();
    this.#shown = [];
    this.hasChanged = true;
  }
}

function wholeOf(level: Level, row: Row): Whole {
  let whole = level.wholes.get(row);
  if (whole === undefined) {
    whole = { row, level, users: new Set(), joined: NONE, uses: NONE, told: undefined };
    level.wholes.set(row, whole);
  }
  return whole;
}

const NONE: ReadonlySet<never> = new Set();

function drop(whole: Whole): void {
  whole.level.wholes.delete(whole.row);
  const { joined, uses } = whole;
  whole.joined = NONE;
  whole.uses = NONE;
  release(whole, joined, uses);
}

/** Lets go of what a whole had and has no longer. */
function release(whole: Whole, joined: ReadonlySet<ValueRows<Whole>>, uses: ReadonlySet<Whole>): void {
  for (const list of joined) {
    if (whole.joined.has(list)) continue;
    list.users.delete(whole);
    if (list.users.size === 0) list.end();
  }
  for (const part of uses) {
    if (whole.uses.has(part)) continue;
    part.users.delete(whole);
    if (part.users.size === 0) drop(part);
  }
}
