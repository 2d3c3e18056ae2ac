/** Random documents of three kinds, and random questions that fit them. Everything follows from the seed. */
import type { Row } from '../../src/base/row.ts';
import type { IndexSpec, SortOrder } from '../../src/protocol/definition.ts';
import { index } from '../engine/engine-fixture.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

export const KINDS = ['flat', 'nested', 'mixed'] as const;
export type DocumentKind = (typeof KINDS)[number];

const PATHS: { readonly [K in DocumentKind]: readonly string[] } = {
  flat: ['n', 'm', 's', 'flag', 'at', 'id'],
  nested: [
    'n',
    'tags',
    'tags.0',
    'o',
    'o.x',
    'o.list',
    'items',
    'items.sku',
    'items.qty',
    'items.1.qty',
    'items.tags',
    'o.p.q',
    'id',
  ],
  mixed: ['a', 'b', 'c', 'a.x', 'a.y', 'b.0', 'b.x', 'c.x.y', 'id'],
};
const INDEXES: { readonly [K in DocumentKind]: readonly IndexSpec[] } = {
  flat: [
    index('n'),
    index('s', { caseInsensitive: true }),
    index(['s', 'n']),
    index(['flag', 'm', 's']),
    index('at', { sparse: true }),
    index(['m', 'n'], { sparse: true, name: 'sparse m+n' }),
    index('n', { name: 'flagged n', where: { flag: true } }),
    index('m', { name: 'm of high n', where: { n: { $gt: 2 } } }),
    index('s'),
  ],
  nested: [
    index('n'),
    index('tags', { multi: true }),
    index('o.x'),
    index('items.sku', { multi: true }),
    index('items.qty', { multi: true }),
    index('o.list', { multi: true }),
    index(['o.x', 'n']),
    index('o.p.q', { sparse: true }),
    index('tags', { name: 'plain tags' }),
    index('tags', { name: 'folded tags', multi: true, caseInsensitive: true }),
  ],
  mixed: [
    index('a'),
    index('b', { multi: true }),
    index(['a', 'b']),
    index('a.x'),
    index('c', { sparse: true }),
    index('c.x.y'),
    index('c', { multi: true, name: 'each c' }),
  ],
};

export class RandomQuery {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = createSeededRandom(seed);
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random() * of.length)]!;
  }

  int(from: number, to: number): number {
    return from + Math.floor(this.random() * (to - from + 1));
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  indexes(kind: DocumentKind): readonly IndexSpec[] {
    const share = this.pick([0, 0.3, 0.7, 1]);
    return INDEXES[kind].filter(() => this.chance(share));
  }

  rows(kind: DocumentKind, count: number): readonly Row[] {
    const keys = Array.from({ length: count }, (_, at) => (this.chance(0.5) ? at : `k${at}`));
    return keys.map((id) => ({ id, ...this.#document(kind) }));
  }

  #document(kind: DocumentKind): Row {
    if (kind === 'flat') {
      return this.#some({
        n: () => this.int(-2, 6),
        m: () => this.pick([0, 1, 2, 2.5, -1]),
        s: () => this.#word(),
        flag: () => this.chance(0.5),
        at: () => new Date(this.int(0, 8) * 1_000),
      });
    }
    if (kind === 'nested') {
      return this.#some({
        n: () => this.int(0, 5),
        tags: () => this.#list(() => this.#scalar()),
        o: () =>
          this.#some({
            x: () => this.int(0, 4),
            list: () => this.#list(() => this.int(0, 5)),
            p: () => this.#some({ q: () => this.#word() }),
          }),
        items: () =>
          this.#list(() =>
            this.#some({
              sku: () => this.#word(),
              qty: () => this.int(0, 6),
              tags: () => this.#list(() => this.#word()),
            }),
          ),
      });
    }
    return this.#some({ a: () => this.value(2), b: () => this.value(2), c: () => this.value(3) });
  }

  #some(fields: Readonly<Record<string, () => unknown>>): Row {
    const present = Object.entries(fields).filter(() => this.chance(0.8));
    return Object.fromEntries(present.map(([name, make]) => [name, this.chance(0.05) ? null : make()]));
  }

  #list(make: () => unknown): readonly unknown[] {
    return Array.from({ length: this.int(0, 3) }, make);
  }

  #word(): string {
    return this.pick(['', 'a', 'ab', 'abc', 'B', 'b', 'ba', 'c\u0000', 'x y']);
  }

  #scalar(): unknown {
    return this.pick<() => unknown>([() => this.int(-1, 4), () => this.#word(), () => this.chance(0.5), () => null])();
  }

  /** A value of any type. */
  value(depth: number): unknown {
    const roll = this.random();
    if (roll < 0.2) return this.int(-1, 3);
    if (roll < 0.35) return this.#word();
    if (roll < 0.42) return this.chance(0.5);
    if (roll < 0.5) return null;
    if (roll < 0.58) return new Date(this.int(0, 3) * 1_000);
    if (roll < 0.62) return Uint8Array.from({ length: this.int(0, 2) }, () => this.int(0, 2));
    if (roll < 0.7) return this.pick([Number.NaN, -0, 0.5, 1e20, Number.POSITIVE_INFINITY]);
    if (depth === 0) return this.int(0, 2);
    if (roll < 0.86) return this.#list(() => this.value(depth - 1));
    return this.#some({ x: () => this.value(depth - 1), y: () => this.value(depth - 1) });
  }

  selector(kind: DocumentKind, rows: readonly Row[], depth = 2): Readonly<Record<string, unknown>> {
    const selector: Record<string, unknown> = {};
    for (let parts = this.pick([0, 1, 1, 1, 2, 2, 3]); parts > 0; parts -= 1) {
      if (depth > 0 && this.chance(0.2)) {
        const of = Array.from({ length: this.int(1, 3) }, () => this.selector(kind, rows, depth - 1));
        selector[this.pick(['$and', '$or', '$or', '$nor'])] = of;
      } else {
        const path = this.pick(PATHS[kind]);
        selector[path] = this.#condition(path, rows, depth);
      }
    }
    return selector;
  }

  #condition(path: string, rows: readonly Row[], depth: number): unknown {
    const roll = this.random();
    if (roll < 0.25) return this.#operand(path, rows);
    if (roll < 0.3) return this.#pattern();
    if (roll < 0.4 && depth > 0)
      return { $not: this.chance(0.2) ? this.#pattern() : this.#operators(path, rows, depth - 1) };
    return this.#operators(path, rows, depth);
  }

  #operators(path: string, rows: readonly Row[], depth: number): Readonly<Record<string, unknown>> {
    const operators: Record<string, unknown> = {};
    for (let count = this.pick([1, 1, 1, 2]); count > 0; count -= 1)
      Object.assign(operators, this.#operator(path, rows, depth));
    return operators;
  }

  #operator(path: string, rows: readonly Row[], depth: number): Readonly<Record<string, unknown>> {
    const operand = (): unknown => this.#operand(path, rows);
    const operands = (): readonly unknown[] => Array.from({ length: this.int(0, 4) }, operand);
    const all: readonly (() => Readonly<Record<string, unknown>>)[] = [
      () => ({ [this.pick(['$eq', '$ne'])]: operand() }),
      () => ({ [this.pick(['$gt', '$gte'])]: operand(), [this.pick(['$lt', '$lte'])]: operand() }),
      () => ({ [this.pick(['$gt', '$gte', '$lt', '$lte'])]: operand() }),
      () => ({ [this.pick(['$in', '$nin'])]: this.chance(0.1) ? [...operands(), this.#pattern()] : operands() }),
      () => ({ $exists: this.chance(0.5) }),
      () => ({
        $type: this.pick<unknown>([
          'number',
          'string',
          'array',
          'object',
          'null',
          'date',
          'bool',
          'int',
          8,
          ['string', 'number'],
        ]),
      }),
      () =>
        this.chance(0.5)
          ? { $regex: this.#pattern() }
          : { $regex: this.pick(['^a', 'B', 'b$']), $options: this.pick(['', 'i']) },
      () => ({ $mod: [this.pick([1, 2, 3]), this.int(0, 1)] }),
      () => ({
        $all: this.chance(0.2)
          ? [{ $elemMatch: this.#elementCondition(rows) }]
          : operands().filter((each) => each !== undefined),
      }),
      () => ({ $size: this.int(0, 3) }),
      () => ({ $elemMatch: this.#elementCondition(rows) }),
      () => (depth > 0 ? { $not: this.#operators(path, rows, depth - 1) } : { $exists: true }),
    ];
    return this.pick(all)();
  }

  #elementCondition(rows: readonly Row[]): Readonly<Record<string, unknown>> {
    const field = this.pick(['sku', 'qty', 'x', 'y']);
    const number = this.int(-1, 4);
    return this.pick<Readonly<Record<string, unknown>>>([
      { $gt: number, $lt: number + 3 },
      { $in: [number, 'a', 'b'] },
      { $not: { $gte: number } },
      { [field]: { $gte: number }, sku: this.#word() },
      { [field]: number },
      { $or: [{ [field]: number }, { sku: this.#operand('items.sku', rows) }] },
      { [field]: { $exists: false } },
      {},
    ]);
  }

  #pattern(): RegExp {
    return this.pick([/a/, /^a/, /^ab?c/, /B/i, /^b|c/, /x.y/, /^$/, /(a|b)+$/]);
  }

  /** Mostly a value that some row has there, so that questions have answers. */
  #operand(path: string, rows: readonly Row[]): unknown {
    const row = rows.length === 0 ? {} : this.pick(rows);
    let value: unknown = row;
    for (const segment of path.split('.')) {
      if (Array.isArray(value) && !/^\d+$/.test(segment)) value = this.pick(value);
      value =
        typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[segment] : undefined;
    }
    if (Array.isArray(value) && value.length > 0 && this.chance(0.8)) value = this.pick(value);
    return value === undefined || this.chance(0.15) ? this.value(1) : value;
  }

  /** Some have several values of one path and the order of another, as an index of both has it. */
  question(
    kind: DocumentKind,
    rows: readonly Row[],
  ): { readonly selector: Readonly<Record<string, unknown>>; readonly sort: SortOrder } {
    const selector = this.selector(kind, rows);
    if (kind !== 'flat' || this.chance(0.8)) return { selector, sort: this.sort(kind) };
    const way = this.pick([1, -1] as const);
    return this.chance(0.5)
      ? { selector: { ...selector, s: { $in: [this.#word(), this.#word(), null] } }, sort: [['n', way]] }
      : {
          selector: { ...selector, flag: { $in: [true, false] } },
          sort: [
            ['m', way],
            ['s', way],
          ],
        };
  }

  sort(kind: DocumentKind): SortOrder {
    return Array.from(
      { length: this.pick([0, 1, 1, 2, 3]) },
      () => [this.pick(PATHS[kind]), this.pick([1, -1] as const)] as const,
    );
  }

  projection(kind: DocumentKind): Readonly<Record<string, 0 | 1>> | undefined {
    if (this.chance(0.4)) return this.chance(0.2) ? { id: 1 } : undefined;
    const way = this.pick([0, 1] as const);
    const chosen = PATHS[kind].filter((path) => path !== 'id' && !/\.\d/.test(path) && this.chance(0.3));
    const disjoint = chosen.filter((path) => !chosen.some((other) => path.startsWith(`${other}.`)));
    const projection: Record<string, 0 | 1> = Object.fromEntries(disjoint.map((path) => [path, way]));
    if (this.chance(0.2)) projection['id'] = 0;
    return Object.keys(projection).length === 0 ? undefined : projection;
  }
}
