/**
 * Random steps with live queries open. Eager subscribers take at once, and what they have is compared with the same find
 * run at that very moment; slow ones take now and then. When all is quiet, everybody must have what a plain model has.
 * Everything follows from the seed.
 */
import { inspect } from 'node:util';
import { deepEqual, identical } from '../../src/base/deep-equal.ts';
import type { Key, Row } from '../../src/base/row.ts';
import type { FindSpec, Selector, SortOrder } from '../../src/protocol/definition.ts';
import type { Durability } from '../../src/protocol/engine-api.ts';
import type { LiveKind, LiveSubscription, LiveUpdate } from '../../src/protocol/live.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, openOnImage } from '../engine/engine-fixture.ts';
import { drain, type Verbs, verbsOf } from '../engine/engine-verbs.ts';
import { PlainModel } from '../oracle/plain-model.ts';
import { projected } from '../oracle/plain-projection.ts';
import { inOrder } from '../oracle/plain-selector.ts';
import { type DocumentKind, KINDS, RandomQuery } from '../query/random-query.ts';
import { applyUpdate, lostIdentities } from './live-steps.ts';

const SUBSCRIBERS_MAX = 24;
/** Turns of the event loop in which everything must have been told. */
const TURNS_MAX = 500;

type Subscriber = {
  readonly find: FindSpec;
  readonly kind: LiveKind;
  readonly isSlow: boolean;
  readonly text: string;
  subscription: LiveSubscription;
  rows: readonly Row[] | undefined;
  count: number | undefined;
  hasNews: boolean;
};

export class LiveRun {
  readonly seed: number;
  readonly #random: RandomQuery;
  readonly #kind: DocumentKind;
  readonly #rowsMax: number;
  readonly #subscribers = new Set<Subscriber>();
  readonly #checks: Promise<void>[] = [];
  readonly #model = new PlainModel([]);
  #engine!: Engine;
  #items: readonly Verbs[] = [];
  #history: string[] = [];
  steps = 0;
  emissions = 0;

  constructor(seed: number, options: { readonly rowsMax: number }) {
    this.seed = seed;
    this.#random = new RandomQuery(seed);
    this.#kind = this.#random.pick(KINDS);
    this.#rowsMax = options.rowsMax;
  }

  async run(steps: number): Promise<void> {
    const indexes = this.#random.indexes(this.#kind);
    // A cache of next to nothing: reads have to wait, and changes come meanwhile.
    const cacheBytesMax = this.#chance(0.5) ? 1 : 32 * 1024 * 1024;
    this.#engine = await openOnImage(createMemoryImage(), [collection('items', indexes)], { cacheBytesMax });
    this.#items = (['relaxed', 'deferred', 'strict'] as const).map((durability: Durability) =>
      verbsOf(this.#engine, 'items', durability),
    );
    while (this.steps < steps) await this.#step();
    for (const subscriber of [...this.#subscribers]) this.#close(subscriber);
    await this.#engine.close();
  }

  async #step(): Promise<void> {
    this.steps += 1;
    this.#history = this.#history.slice(-12);
    const choice = this.#random.random();
    if (choice < 0.12 && this.#subscribers.size < SUBSCRIBERS_MAX) this.#open();
    else if (choice < 0.18 && this.#subscribers.size > 0) this.#close(this.#pick([...this.#subscribers]));
    else if (choice < 0.2) await this.#engine.checkpoint();
    else await this.#writes();
    for (const subscriber of this.#subscribers) if (subscriber.isSlow && this.#chance(0.3)) this.#take(subscriber);
    await Promise.all(this.#checks.splice(0));
    if (this.#chance(0.4)) await this.#compareAll();
  }

  /** Some at once, of which some open queries meanwhile. */
  async #writes(): Promise<void> {
    const calls: Promise<unknown>[] = [];
    for (let left = this.#int(1, 5); left > 0; left -= 1) {
      calls.push(this.#write());
      if (this.#chance(0.1) && this.#subscribers.size < SUBSCRIBERS_MAX) this.#open();
      if (this.#chance(0.3)) await Promise.resolve();
    }
    await Promise.all(calls);
  }

  #write(): Promise<unknown> {
    const items = this.#pick(this.#items);
    const model = this.#model;
    const choice = this.#random.random();
    const note = (text: string, detail: unknown): void => void this.#history.push(`${text} ${show(detail)}`);
    if (choice < 0.4) {
      const rows = Array.from({ length: this.#int(1, this.#chance(0.1) ? 60 : 4) }, () => this.#row());
      const distinct = [...new Map(rows.map((row) => [row['id'], row])).values()];
      note('put', distinct);
      model.put(distinct);
      return items.put(...distinct);
    }
    if (choice < 0.65) {
      const key = this.#key();
      const changes = this.#changes();
      note(`update ${key}`, changes);
      model.update(key, changes);
      return items.update(key, changes);
    }
    if (choice < 0.8) {
      const key = this.#key();
      note('delete', key);
      model.delete(key);
      return items.delete(key);
    }
    const selector = this.#selector();
    if (choice < 0.92) {
      const changes = this.#changes();
      note('updateMany', [selector, changes]);
      model.updateMany(selector, changes);
      return items.updateMany(selector, changes);
    }
    note('deleteMany', selector);
    model.deleteMany(selector);
    return items.deleteMany(selector);
  }

  #open(): void {
    const find =
      this.#chance(0.3) && this.#subscribers.size > 0 ? this.#pick([...this.#subscribers]).find : this.#find();
    const kind = this.#chance(0.25) ? 'count' : 'rows';
    const isSlow = this.#chance(0.3);
    const text = `${isSlow ? 'slow ' : ''}${kind} ${show(find)}`;
    this.#history.push(`open ${text}`);
    const listener = {
      onChange: () => {
        this.#assert(!subscriber.hasNews, 'Nothing is told twice before it is taken.', subscriber);
        subscriber.hasNews = true;
        if (!isSlow) this.#take(subscriber);
      },
      onError: (error: unknown) => this.#assert(false, `It failed: ${(error as Error).stack}`, subscriber),
    };
    const subscription = this.#engine.live({ collection: 'items', find, kind }, listener);
    const subscriber: Subscriber = {
      find,
      kind,
      isSlow,
      text,
      subscription,
      rows: undefined,
      count: undefined,
      hasNews: false,
    };
    this.#subscribers.add(subscriber);
  }

  #close(subscriber: Subscriber): void {
    this.#history.push(`close ${subscriber.text}`);
    subscriber.subscription.close();
    this.#subscribers.delete(subscriber);
  }

  #take(subscriber: Subscriber): void {
    subscriber.hasNews = false;
    const update = subscriber.subscription.take();
    if (update === undefined) return;
    this.emissions += 1;
    this.#applyTo(subscriber, update);
    // What a slow one takes may be behind by what is not settled yet; it is compared when all is quiet.
    if (!subscriber.isSlow) this.#checks.push(this.#compareWithRerun(subscriber));
  }

  #applyTo(subscriber: Subscriber, update: LiveUpdate): void {
    if ('count' in update) {
      this.#assert(update.count !== subscriber.count, 'A count that is told differs.', subscriber);
      subscriber.count = update.count;
      return;
    }
    const before = subscriber.rows;
    const rows = applyUpdate(before ?? [], update);
    const { project, sort } = subscriber.find;
    // Without their keys different rows may look the same; and one that has moved may, when what it is sorted by is not shown.
    const isTold = project === undefined || ((project as Row)['id'] !== 0 && sort.length === 0);
    if (before !== undefined && isTold) {
      this.#assert(!deepEqual(before, rows) || !identical(before, rows), 'What is told differs.', subscriber);
      // A row may leave and come back with others in between; within one step it must be known.
      this.#assert(lostIdentities(before, rows, identical) === 0, 'Unchanged rows keep their identity.', subscriber);
    }
    subscriber.rows = rows;
  }

  /** Begun in the very turn of the emission, so on the same state. */
  #compareWithRerun(subscriber: Subscriber): Promise<void> {
    const { find, kind, rows, count } = subscriber;
    const compare = async (rerun: Promise<readonly Row[]>): Promise<void> => {
      const expected = await rerun;
      if (kind === 'count')
        this.#assertEqual(count, expected.length, 'An emitted count is that of a rerun', subscriber);
      else this.#assertEqual(rows, expected, 'Emitted rows are those of a rerun', subscriber);
    };
    return compare(drain(this.#engine.find('items', { ...find, sort: orderOf(find.sort) }), 1_000));
  }

  async #compareAll(): Promise<void> {
    for (let turn = 0; ; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      for (const subscriber of this.#subscribers) if (subscriber.hasNews) this.#take(subscriber);
      await Promise.all(this.#checks.splice(0));
      const late = [...this.#subscribers].filter((subscriber) => !this.#agrees(subscriber));
      if (late.length === 0) return;
      if (turn < TURNS_MAX) continue;
      const [subscriber] = late;
      this.#assertEqual(subscriber!.rows ?? subscriber!.count, this.#expected(subscriber!), 'In the end', subscriber!);
    }
  }

  #agrees(subscriber: Subscriber): boolean {
    return deepEqual(subscriber.kind === 'count' ? subscriber.count : subscriber.rows, this.#expected(subscriber));
  }

  #expected({ find: { selector, sort, skip, limit, after, project }, kind }: Subscriber): readonly Row[] | number {
    const order = orderOf(sort);
    const all = this.#model.find(selector, order);
    const place = after as Row | undefined;
    const behind = place === undefined ? all : all.filter((row) => isBehind(row, place, order));
    const rows = behind.slice(skip, limit === undefined ? undefined : skip + limit);
    return kind === 'count'
      ? rows.length
      : rows.map((row) => projected(row, project as Readonly<Record<string, 0 | 1>>));
  }

  #find(): FindSpec {
    const rows = [...this.#model.rows.values()];
    const isPage = rows.length > 0 && this.#chance(0.15);
    return {
      ...(isPage && { after: this.#chance(0.7) ? this.#pick(rows) : this.#row() }),
      // A place needs all that it is sorted by.
      ...(!isPage && this.#chance(0.3) && { project: this.#random.projection(this.#kind) }),
      selector: this.#selector(),
      sort: this.#random.sort(this.#kind),
      skip: this.#chance(0.6) ? 0 : this.#int(0, 12),
      limit: this.#chance(0.4) ? undefined : this.#int(0, 8),
    };
  }

  #selector(): Selector {
    if (this.#chance(0.1)) return {};
    return this.#random.selector(this.#kind, [...this.#model.rows.values()]);
  }

  #row(): Row {
    return { ...this.#random.rows(this.#kind, 1)[0], id: this.#key() };
  }

  /** One field or more, as another row has them. */
  #changes(): Row {
    const { id: _, ...fields } = this.#row();
    const some = Object.entries(fields).map(([name, value]) => [name, this.#chance(0.1) ? undefined : value] as const);
    return Object.fromEntries(some.slice(0, this.#int(1, some.length)));
  }

  #key(): Key {
    const number = this.#int(0, this.#rowsMax);
    return number % 3 === 0 ? number : `k${number}`;
  }

  #int(low: number, high: number): number {
    return this.#random.int(low, high);
  }

  #pick<T>(from: readonly T[]): T {
    return this.#random.pick(from);
  }

  #chance(share: number): boolean {
    return this.#random.chance(share);
  }

  #assertEqual(actual: unknown, expected: unknown, what: string, subscriber: Subscriber): void {
    if (deepEqual(actual, expected)) return;
    this.#assert(false, `${what}.\nhas ${show(actual)}\nnot ${show(expected)}`, subscriber);
  }

  #assert(condition: boolean, what: string, { text }: Subscriber): void {
    if (condition) return;
    throw new Error(`Seed ${this.seed}, step ${this.steps}: ${what}\nQuery: ${text}\n${this.#history.join('\n')}`);
  }
}

/** A row at the very place is not: sorting is stable. What follows the key in the order does not matter. */
function isBehind(row: Row, place: Row, order: SortOrder): boolean {
  const end = order.findIndex(([path]) => path === 'id') + 1;
  return inOrder([row, { ...place }], end === 0 ? order : order.slice(0, end))[0] !== row;
}

const show = (value: unknown): string => inspect(value, { depth: 12, breakLength: 200, maxArrayLength: 400 });

/** Without a sort, live queries go by key. */
export const orderOf = (sort: SortOrder): SortOrder => (sort.length === 0 ? [['id', 1]] : sort);
