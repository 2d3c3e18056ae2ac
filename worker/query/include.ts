/**
 * `include` of a find: rows of other collections beside each row, as one row or as an array, nested as deep as asked.
 * Rows of a batch are joined together, by key or index of the other collection (aggregate/join.ts), so a page of rows
 * costs one look-up for each collection that is included.
 */
import { isForbiddenKey, isPlainObject } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { Selector, SortOrder } from '../../src/protocol/definition.ts';
import { Join, joinValues, type Run } from './aggregate/index.ts';
import { parsePath } from './paths.ts';
import { parseSelector } from './selector/index.ts';
import { sortReader } from './sort.ts';
import { compareValues } from './value-order.ts';

/** Levels of nested includes. */
export const INCLUDE_DEPTH_MAX = 5;
/** Includes of one find, on all levels together. */
export const INCLUDES_MAX = 20;

export type Include = {
  /** The field that gets the rows. */
  readonly field: string;
  readonly from: string;
  readonly local: readonly string[];
  readonly foreign: string;
  readonly isOne: boolean;
  readonly where: Selector | undefined;
  readonly sort: SortOrder;
  readonly limit: number | undefined;
  readonly include: readonly Include[];
  /** Where it stands, for errors: `include.comments`. */
  readonly path: string;
};

const OPTIONS = ['from', 'on', 'one', 'where', 'sort', 'limit', 'include'];

/** Throws `query/invalid-include` with the path to the wrong part, and what selectors and paths throw. */
export function parseIncludes(spec: unknown): readonly Include[] {
  const tally = { includes: 0 };
  return parseLevel(spec, 'include', 1, tally);
}

/** Every collection that is read. */
export function collectionsOf(includes: readonly Include[]): ReadonlySet<string> {
  return new Set(includes.flatMap(({ from, include }) => [from, ...collectionsOf(include)]));
}

function parseLevel(spec: unknown, at: string, depth: number, tally: { includes: number }): readonly Include[] {
  if (!isPlainObject(spec)) throw refusal(at, 'is not an object of fields');
  if (depth > INCLUDE_DEPTH_MAX) throw refusal(at, `is nested deeper than ${INCLUDE_DEPTH_MAX} levels`);
  return Object.entries(spec).flatMap(([field, options]) => {
    if (options === undefined) return [];
    tally.includes += 1;
    if (tally.includes > INCLUDES_MAX) throw refusal(at, `has more than ${INCLUDES_MAX} includes`);
    if (field === '' || field.includes('.') || field.startsWith('$') || isForbiddenKey(field)) {
      throw refusal(`${at}.${field}`, 'is no name of a field');
    }
    return [parseOne(field, options, `${at}.${field}`, depth, tally)];
  });
}

function parseOne(field: string, options: unknown, path: string, depth: number, tally: { includes: number }): Include {
  if (!isPlainObject(options)) throw refusal(path, `is not an object { ${OPTIONS.join(', ')} }`);
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name) && options[name] !== undefined);
  if (unknown !== undefined) throw refusal(`${path}.${unknown}`, `is unknown; there are ${OPTIONS.join(', ')}`);
  const { from, on, one = false, where, sort, limit, include } = options;
  if (typeof from !== 'string') throw refusal(`${path}.from`, 'is not the name of a collection');
  const [local, foreign]: readonly unknown[] = Array.isArray(on) && on.length === 2 ? on : [];
  if (typeof local !== 'string' || typeof foreign !== 'string' || local === '' || foreign === '') {
    throw refusal(`${path}.on`, 'is not [path here, path there]');
  }
  if (typeof one !== 'boolean') throw refusal(`${path}.one`, 'is not true or false');
  if (limit !== undefined && !(Number.isSafeInteger(limit) && (limit as number) >= 0)) {
    throw refusal(`${path}.limit`, 'is not a whole number of 0 or more');
  }
  if (where !== undefined) parseWhere(where, `${path}.where`);
  parsePath(foreign);
  return {
    field,
    from,
    local: parsePath(local),
    foreign,
    isOne: one,
    where: where as Selector | undefined,
    sort: parseSort(sort, `${path}.sort`),
    limit: limit as number | undefined,
    include: include === undefined ? [] : parseLevel(include, `${path}.include`, depth + 1, tally),
    path,
  };
}

function parseWhere(where: unknown, path: string): void {
  try {
    parseSelector(where as Selector);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const inner = error.details['path'];
    const at = typeof inner === 'string' && inner !== '' ? `${path}.${inner}` : path;
    throw new StoreError(error.code, `${path}: ${error.message}`, {
      details: { ...error.details, path: at },
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

function parseSort(sort: unknown, path: string): SortOrder {
  if (sort === undefined) return [];
  const pairs: readonly unknown[] = Array.isArray(sort) ? sort : isPlainObject(sort) ? Object.entries(sort) : [sort];
  return pairs.map((pair) => {
    const [field, direction]: readonly unknown[] = Array.isArray(pair) ? pair : [];
    if (typeof field !== 'string' || (direction !== 1 && direction !== -1)) {
      throw refusal(path, 'is not { path: 1 or -1 }');
    }
    parsePath(field);
    return [field, direction];
  });
}

function refusal(path: string, rule: string): StoreError {
  return new StoreError('query/invalid-include', `${path} ${rule}.`, {
    details: { path, rule },
    hint: "An include is { author: { from: 'users', on: ['authorId', 'id'], one: true } }.",
  });
}

/** The includes of one run, opened: what was joined by a table is not scanned again. */
export class Includer {
  readonly #parts: readonly { readonly include: Include; readonly join: Join; readonly inner: Includer }[];
  readonly #run: Run;

  constructor(includes: readonly Include[], run: Run) {
    this.#run = run;
    this.#parts = includes.map((include) => ({
      include,
      join: new Join(run.source(include.from), include.foreign, include.path, include.where),
      inner: new Includer(include.include, run),
    }));
  }

  /** What each row gets, in the order of the rows. */
  async fieldsOf(rows: readonly Row[]): Promise<readonly Row[]> {
    const fields: Record<string, unknown>[] = rows.map(() => ({}));
    for (const { include, join, inner } of this.#parts) {
      // Nothing refers to nothing: a missing value joins no rows, not those that miss theirs.
      const lists = rows.map((row) =>
        joinValues(row, include.local).filter((value) => value !== null && value !== undefined),
      );
      const found = (await join.find(lists, this.#run.rest)).map((joined) => chosenRows(joined, include));
      const whole = await inner.#within(found);
      for (const [at, each] of whole.entries()) fields[at]![include.field] = include.isOne ? (each[0] ?? null) : each;
      await this.#run.rest();
    }
    return fields;
  }

  /** The rows with what they include themselves. A row that several others share is joined once. */
  async #within(lists: readonly (readonly Row[])[]): Promise<readonly (readonly Row[])[]> {
    if (this.#parts.length === 0) return lists;
    const distinct = [...new Set(lists.flat())];
    const fields = await this.fieldsOf(distinct);
    const whole = new Map(distinct.map((row, at) => [row, { ...row, ...fields[at] }]));
    return lists.map((list) => list.map((row) => whole.get(row)!));
  }
}

/** Those of the rows found that a row gets. */
export function chosenRows(rows: readonly Row[], { sort, limit, isOne }: Include): readonly Row[] {
  const sorted = sort.length === 0 || rows.length < 2 ? rows : sortedBy(rows, sort);
  const most = isOne ? Math.min(limit ?? 1, 1) : limit;
  return most === undefined || sorted.length <= most ? sorted : sorted.slice(0, most);
}

/** Stable: rows come in the order of their keys. */
function sortedBy(rows: readonly Row[], sort: SortOrder): readonly Row[] {
  const readers = sort.map(([path, direction]) => sortReader(path, direction));
  const keyed = rows.map((row) => ({ row, values: readers.map((read) => read(row)) }));
  keyed.sort((a, b) => {
    for (let i = 0; i < sort.length; i += 1) {
      const order = compareValues(a.values[i], b.values[i]);
      if (order !== 0) return order * sort[i]![1];
    }
    return 0;
  });
  return keyed.map(({ row }) => row);
}
