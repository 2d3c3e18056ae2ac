/**
 * Random lives of a store beside a plain model. A life opens the store, makes calls in batches that are not awaited one by
 * one, compares what it reads, and ends by closing, by being abandoned, or by a crash in the middle of a write; some lives
 * have requests that fail. Everything follows from the seed.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Key, Row } from '../../src/base/row.ts';
import type { IndexSpec, Selector, SortOrder } from '../../src/protocol/definition.ts';
import type { Changes, Durability } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import {
  copyMemoryImage,
  createMemoryStorage,
  type MemoryImage,
  type Storage,
  withTail,
} from '../../worker/storage/index.ts';
import { createFaultyStorage, type FaultyStorage, type StorageFaults } from '../fakes/faulty-storage.ts';
import { createMemoryTailFolder, TailImage } from '../fakes/memory-tail-folder.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { PlainModel } from '../oracle/plain-model.ts';
import { matches } from '../oracle/plain-selector.ts';
import { collection, createMemoryImage, index, openOnStorage } from './engine-fixture.ts';
import { LONG, VERIFY, type Verbs, verbsOf } from './engine-verbs.ts';

const UNIQUE: readonly IndexSpec[] = [
  index('email', { unique: true, sparse: true, caseInsensitive: true }),
  index('codes', { unique: true, multi: true }),
];
const OTHERS: readonly IndexSpec[] = [
  index('n'),
  index('s', { caseInsensitive: true }),
  index('tags', { multi: true }),
  index('a.b'),
  index('a.b', { multi: true, name: 'each a.b' }),
  index(['status', 'n']),
  index(['status', 'a.b', 's']),
  index('at', { sparse: true }),
  index(['at', 'n'], { sparse: true }),
  index('n', { name: 'open n', where: { status: 'open' } }),
  index('tags', { name: 'folded tags', multi: true, caseInsensitive: true }),
];
const PATHS = ['n', 's', 'tags', 'a.b', 'a.c.d', 'status', 'id', 'at', 'email', 'codes', 'a.0.b', 'tags.0', 'at.x'];

type Write = {
  readonly text: string;
  readonly run: (items: Verbs) => Promise<unknown>;
  readonly apply: (model: PlainModel) => unknown;
};
/** Failures that a call may answer with when requests fail: what it says nothing about is not compared. */
const INJECTED = new Set([
  'storage/failed',
  'storage/quota',
  'storage/closed',
  'storage/outcome-unknown',
  'storage/tail-unreadable',
  'engine/poisoned',
  'store/closed',
]);
const INJECTED_CODES = ['storage/failed', 'storage/quota'] as const;

export class ModelRun {
  readonly seed: number;
  readonly #random: () => number;
  readonly #specs: readonly IndexSpec[];
  readonly #rowsMax: number;
  #image: MemoryImage = createMemoryImage();
  /** The files of the log's tail; undefined in stores without one. */
  #tails: TailImage | undefined;
  #model: PlainModel = new PlainModel(UNIQUE);
  /** States that the store may be found in after a crash, oldest first; the last is the model. */
  #possible: PlainModel[] = [];
  operations = 0;
  crashes = 0;
  faults = 0;

  constructor(seed: number, options: { readonly rowsMax: number }) {
    this.seed = seed;
    this.#random = createSeededRandom(seed);
    this.#rowsMax = options.rowsMax;
    // Some stores have no index but the unique ones: the answers are the same.
    this.#tails = this.#chance(0.5) ? new TailImage() : undefined;
    this.#specs = this.#chance(0.2) ? UNIQUE : [...UNIQUE, ...OTHERS.filter(() => this.#chance(0.8))];
  }

  async run(operations: number): Promise<void> {
    while (this.operations < operations) await this.#live();
    const engine = await this.#open({});
    this.#assert((await engine.verify(VERIFY)).sound, 'The store is sound in the end.');
    await this.#compareAll(engine);
    await engine.close();
  }

  async #live(): Promise<void> {
    const faults = this.#faults();
    const engine = await this.#open(faults).catch((error) => {
      this.#assert(isInjected(error) && (faults.fail ?? faults.crash) !== undefined, `Opening failed: ${error}`);
    });
    if (engine === undefined) {
      this.faults += 1;
      // Definitions may have been stored or not; rows are as they were.
      return this.#settleOn(await this.#open({}));
    }
    const end = this.operations + this.#int(50, 300);
    const canCrash = faults.crash !== undefined;
    let isHealthy = true;
    while (this.operations < end && isHealthy && engine.life === 'open')
      isHealthy = await this.#batch(engine, canCrash);
    if (!isHealthy || engine.life !== 'open') this.faults += 1;
    if (this.#chance(0.4)) {
      // Abandoned: what is under way may or may not be found.
      this.crashes += 1;
      this.#image = copyMemoryImage(this.#image);
      this.#tails = this.#tails?.copy();
    } else {
      await engine.close().catch((error) => this.#assert(isInjected(error), `Closing failed: ${error}`));
      if (isHealthy && faults.crash === undefined && faults.fail === undefined) this.#possible = [];
    }
    await this.#settleOn(await this.#open({}));
  }

  /** Finds the possible state that the store is in, and goes on from it. */
  async #settleOn(engine: Engine): Promise<void> {
    const rows = await verbsOf(engine).all();
    const candidates = [...this.#possible, this.#model].toReversed();
    const found = candidates.find((candidate) => sameRows(rows, candidate.sorted()));
    this.#assert(found !== undefined, `No possible state is found after reopening: ${rows.length} rows.`);
    this.#model = found!;
    this.#possible = [];
    await this.#compareAll(engine);
    await engine.close();
  }

  #faults(): StorageFaults {
    const code = this.#pick(INJECTED_CODES);
    const which = this.#random();
    if (which < 0.5) return {};
    if (which < 0.7) return { fail: { request: this.#int(1, 60), code, lasts: 'once' } };
    if (which < 0.8) {
      return {
        fail: {
          request: this.#int(1, 10),
          code,
          lasts: 'once',
          only: [this.#pick(['log.append', 'pages.commit', 'pages.read'])],
        },
      };
    }
    const fate = this.#chance(0.5) ? 'lost' : 'stored-unanswered';
    return { crash: { write: this.#int(1, 60), fate, afterwards: 'reject' } };
  }

  async #open(faults: StorageFaults): Promise<Engine> {
    const faulty = createFaultyStorage(createMemoryStorage(this.#image), faults);
    const storage = this.#tails === undefined ? faulty : this.#withTail(faulty, this.#tails);
    const cacheBytesMax = this.#pick([0, 32_000, 32_000_000]);
    return openOnStorage(storage, [collection('items', this.#specs)], { cacheBytesMax });
  }

  /** A file whose writes may fail, or be cut off by a crash; it dies with the storage. */
  #withTail(storage: FaultyStorage, tails: TailImage): Storage {
    tails.unlock();
    const which = this.#random();
    const write = this.#int(1, 40);
    const folder = createMemoryTailFolder(tails, {
      isDead: () => storage.hasCrashed,
      ...(which < 0.1 && { crash: write }),
      ...(which > 0.9 && { write, lasts: this.#pick(['once', 'persistent']) }),
    });
    return withTail(storage, {
      folder: Promise.resolve(folder),
      createName: () => `tail-${this.#int(1, 2 ** 40)}`,
      now: () => tails.nowMs,
    });
  }

  /** Some calls at once, then reads. Answers whether all went as without faults. */
  async #batch(engine: Engine, canCrash: boolean): Promise<boolean> {
    const durability = this.#pick<Durability | undefined>([undefined, undefined, 'strict', 'deferred']);
    const items = verbsOf(engine, 'items', durability);
    // Many single creates at once are done together.
    const writes =
      this.#chance(0.02) && this.#model.size <= this.#rowsMax
        ? Array.from({ length: this.#int(32, 60) }, () => this.#singleCreate())
        : Array.from({ length: this.#chance(0.6) ? 1 : this.#int(2, 8) }, () => this.#write());
    const others = this.#chance(0.05) ? this.#upkeep(engine) : Promise.resolve(true);
    const outcomes = await Promise.all(
      writes.map(({ run }) =>
        run(items).then(
          (value) => ({ value, error: undefined }),
          (error: { code?: string }) => ({ value: undefined, error }),
        ),
      ),
    );
    const wasHealthy = await others;
    let isHealthy = wasHealthy;
    if (this.#possible.length === 0) this.#possible.push(this.#model.copy());
    // What a crash left without an answer may be found nevertheless, once the store is reopened.
    const withFailed = this.#model.copy();
    let uncertain: PlainModel[] = [];
    for (const [at, { text, apply }] of writes.entries()) {
      this.operations += 1;
      const { value, error } = outcomes[at]!;
      const beside = expectedOf(() => apply(withFailed));
      uncertain.push(withFailed.copy());
      if (error !== undefined && isInjected(error)) {
        isHealthy = false;
        continue;
      }
      const code = error === undefined ? undefined : (error.code ?? String(error));
      const next = this.#model.copy();
      const expected = expectedOf(() => apply(next));
      // Refused for the sake of a write that was under way, and failed afterwards.
      if (!isHealthy && code !== undefined && code !== expected.code && code === beside.code) continue;
      this.#assert(expected.code === code, `${text} answers ${code ?? 'ok'}, not ${expected.code ?? 'ok'}: ${error}`);
      this.#assert(
        expected.code !== undefined || deepEqual(plain(value), plain(expected.value)),
        `${text} answers ${show(value)}, not ${show(expected.value)}`,
      );
      this.#model = next;
      // What was acknowledged is there, whatever happens: no earlier state is possible any more.
      if (isHealthy && durability !== 'deferred' && error === undefined) {
        this.#possible = [];
        uncertain = [];
      }
      this.#possible.push(this.#model.copy());
    }
    if (!isHealthy) {
      if (canCrash) this.#possible.push(...uncertain);
      if (engine.life === 'open') await this.#compareAll(engine).catch((error) => this.#mustBeInjected(error));
      return false;
    }
    try {
      for (let reads = this.#int(0, 5); reads > 0; reads -= 1) await this.#read(items);
      if (this.#chance(0.02)) await this.#compareAll(engine);
    } catch (error) {
      this.#mustBeInjected(error);
      return false;
    }
    return true;
  }

  async #upkeep(engine: Engine): Promise<boolean> {
    try {
      const name = `late ${this.#int(0, 3)}`;
      const known = engine.indexes('items').find((each) => each.name === name);
      switch (this.#int(0, 3)) {
        case 0:
          if (known === undefined)
            await engine.createIndex('items', index(this.#pick(['n', 's', 'a.b', 'a.c.d']), { name }), LONG);
          else if (known.state === 'ready') await engine.dropIndex('items', name);
          return true;
        case 1:
          await engine.checkpoint();
          return true;
        case 2:
          await engine.compact(LONG);
          return true;
        default:
          this.#assert((await engine.verify(VERIFY)).sound, 'The store is sound.');
          return true;
      }
    } catch (error) {
      this.#mustBeInjected(error);
      return false;
    }
  }

  async #read(items: Verbs): Promise<void> {
    this.operations += 1;
    const selector = this.#selector();
    const text = `find(${show(selector)})`;
    switch (this.#int(0, 6)) {
      case 0: {
        const key = this.#key();
        this.#same(await items.get(key), this.#model.rows.get(key), `get(${show(key)})`);
        return;
      }
      case 1: {
        const keys = Array.from({ length: this.#int(0, 6) }, () => this.#key());
        this.#same(
          await items.getMany(...keys),
          keys.map((key) => this.#model.rows.get(key)),
          `getMany(${show(keys)})`,
        );
        return;
      }
      case 2:
        this.#same(await items.count(selector), this.#model.select(selector).length, `count ${text}`);
        return;
      case 3: {
        const path = this.#pick(PATHS);
        this.#same(
          await items.distinct(path, selector),
          this.#model.distinct(path, selector),
          `distinct ${path} ${text}`,
        );
        return;
      }
      case 4: {
        // Without a sort the order is free, and with it which rows a limit leaves.
        const limit = this.#chance(0.5) ? undefined : this.#int(0, 20);
        const found = await items.find(selector, { limit, chunk: this.#int(1, 50) });
        const expected = this.#model.find(selector, []);
        this.#same(found.length, Math.min(limit ?? Number.POSITIVE_INFINITY, expected.length), `length of ${text}`);
        this.#assert(
          found.every((row) => matches(row, selector)),
          `${text} gives rows that do not match.`,
        );
        this.#same(new Set(found.map(({ id }) => id)).size, found.length, `distinct rows of ${text}`);
        return;
      }
      default: {
        const sort = this.#sort();
        const skip = this.#chance(0.7) ? 0 : this.#int(0, 10);
        const limit = this.#chance(0.5) ? undefined : this.#int(0, 20);
        const found = await items.find(selector, { sort, skip, limit, chunk: this.#int(1, 50) });
        const expected = this.#model.find(selector, sort);
        const end = limit === undefined ? undefined : skip + limit;
        this.#same(found, expected.slice(skip, end), `${text} sort ${show(sort)} skip ${skip} limit ${limit}`);
      }
    }
  }

  async #compareAll(engine: Engine): Promise<void> {
    const items = verbsOf(engine);
    const rows = await items.all();
    this.#assert(sameRows(rows, this.#model.sorted()), `The rows differ: ${rows.length}, not ${this.#model.size}.`);
    this.#same(await items.count(), this.#model.size, 'count()');
  }

  #singleCreate(): Write {
    if (this.#chance(0.02)) return this.#write();
    const key = this.#chance(0.03) ? this.#key() : this.#int(1_000, 1_000_000);
    const row = this.#chance(0.9) ? { id: key, n: this.#scalar(), tags: this.#tags() } : this.#row(key);
    return {
      text: `create ${show(row)}`,
      run: (items) => items.create(row),
      apply: (model) => model.create([row]),
    };
  }

  #write(): Write {
    const isFull = this.#model.size > this.#rowsMax;
    const key = this.#key();
    const kind = isFull ? this.#int(6, 11) : this.#int(0, 10);
    const selector = kind > 8 ? this.#selector() : {};
    switch (kind) {
      case 0:
      case 1: {
        const rows = [this.#row(key)];
        return {
          text: `create ${show(rows)}`,
          run: (items) => items.create(...rows),
          apply: (model) => model.create(rows),
        };
      }
      case 2: {
        const rows = this.#rows();
        return {
          text: `createMany ${show(rows)}`,
          run: (items) => items.create(...rows),
          apply: (model) => model.create(rows),
        };
      }
      case 3:
      case 4: {
        const rows = [this.#row(key)];
        return { text: `put ${show(rows)}`, run: (items) => items.put(...rows), apply: (model) => model.put(rows) };
      }
      case 5: {
        const rows = this.#rows();
        return { text: `putMany ${show(rows)}`, run: (items) => items.put(...rows), apply: (model) => model.put(rows) };
      }
      case 6:
      case 7: {
        const changes = this.#changes();
        return {
          text: `update ${show(key)} ${show(changes)}`,
          run: (items) => items.update(key, changes),
          apply: (model) => model.update(key, changes),
        };
      }
      case 8:
        return { text: `delete ${show(key)}`, run: (items) => items.delete(key), apply: (model) => model.delete(key) };
      case 9: {
        const changes = this.#changes();
        return {
          text: `updateMany ${show(selector)} ${show(changes)}`,
          run: (items) => items.updateMany(selector, changes),
          apply: (model) => model.updateMany(selector, changes),
        };
      }
      default: {
        // Few at a time, or nothing would ever grow.
        const narrow = isFull ? { n: { $gte: this.#int(0, 5) } } : { ...selector, n: this.#int(0, 9) };
        return {
          text: `deleteMany ${show(narrow)}`,
          run: (items) => items.deleteMany(narrow),
          apply: (model) => model.deleteMany(narrow),
        };
      }
    }
  }

  #rows(): readonly Row[] {
    // Enough in a row, ascending and new, for the path of bulk inserts.
    if (this.#chance(0.3)) {
      const start = this.#int(1_000, 1_000_000);
      const wide = this.#chance(0.3);
      return Array.from({ length: this.#int(32, 48) }, (_, at) => ({
        id: start + at,
        n: this.#scalar(),
        status: this.#pick(['open', 'closed']),
        tags: [this.#scalar(), this.#scalar()],
        ...(wide ? { s: this.#pick(['x', 'Y']).repeat(300) } : {}),
      }));
    }
    return Array.from({ length: this.#int(1, 5) }, () => this.#row(this.#key()));
  }

  #row(id: Key): Row {
    const row: Record<string, unknown> = { id, status: this.#pick(['open', 'open', 'closed']) };
    if (this.#chance(0.8)) row['n'] = this.#scalar();
    if (this.#chance(0.6))
      row['s'] = this.#pick(['a', 'A', 'b', 'B', '', 'ss', 'SS', 'x\u0000y', '\ud83d\ude00', 'x\ty']);
    if (this.#chance(0.6)) row['tags'] = this.#tags();
    if (this.#chance(0.6)) row['a'] = this.#nested();
    if (this.#chance(0.5)) row['at'] = this.#chance(0.8) ? new Date(this.#int(0, 20) * 1_000) : null;
    if (this.#chance(0.3)) row['email'] = `${this.#pick(['u', 'U'])}${this.#int(0, 600)}`;
    if (this.#chance(0.2)) row['codes'] = [this.#int(0, 3_000), this.#int(0, 3_000)];
    if (this.#chance(0.01)) row['big'] = this.#pick(['y', 'z']).repeat(this.#int(17_000, 60_000));
    return row;
  }

  #tags(): unknown {
    if (this.#chance(0.2)) return this.#scalar();
    const tags: unknown[] = Array.from({ length: this.#int(0, 4) }, () => this.#scalar());
    if (this.#chance(0.1)) tags.push([1, 2]);
    return tags;
  }

  #nested(): unknown {
    const inner = (): Row => {
      const nested: Record<string, unknown> = {};
      if (this.#chance(0.8)) nested['b'] = this.#chance(0.05) ? this.#tags() : this.#scalar();
      if (this.#chance(0.3)) nested['c'] = { d: this.#scalar() };
      return nested;
    };
    if (this.#chance(0.02)) return [inner(), inner()];
    return this.#chance(0.02) ? this.#scalar() : inner();
  }

  #scalar(): unknown {
    const which = this.#random();
    if (which < 0.6) return this.#int(0, 9);
    const odd = [
      null,
      true,
      false,
      'a',
      'A',
      'b',
      '',
      -0,
      1.5,
      Number.NaN,
      -7,
      1e300,
      new Date(3_000),
      { x: 1 },
      new Uint8Array([1, 2]),
    ];
    return this.#pick(odd);
  }

  #changes(): Changes {
    return this.#pick<() => Changes>([
      () => ({ n: this.#scalar() }),
      () => ({ s: undefined, tags: this.#tags() }),
      () => ({ $inc: { n: 1 } }),
      () => ({ $set: { 'a.b': this.#scalar() } }),
      () => ({ $unset: { n: true, at: true } }),
      () => ({ $push: { tags: this.#scalar() } }),
      () => ({ $pull: { tags: this.#int(0, 9) } }),
      () => ({ email: `u${this.#int(0, 600)}` }),
      () => ({ status: this.#pick(['open', 'closed']) }),
      () => ({ codes: [this.#int(0, 3_000)] }),
      () => ({ big: this.#chance(0.03) ? 'b'.repeat(20_000) : undefined }),
    ])();
  }

  #selector(): Selector {
    const selector: Record<string, unknown> = {};
    for (let paths = this.#pick([0, 1, 1, 1, 2, 2, 3]); paths > 0; paths -= 1) {
      const path = this.#pick(PATHS);
      selector[path] = path === 'status' ? this.#pick(['open', 'closed']) : this.#condition(path);
    }
    return selector;
  }

  #condition(path: string): unknown {
    const value = (): unknown => {
      if (path === 'id') return this.#key();
      if (path === 'at') return this.#chance(0.2) ? null : new Date(this.#int(0, 20) * 1_000);
      if (path === 'email') return `${this.#pick(['u', 'U'])}${this.#int(0, 600)}`;
      return this.#scalar();
    };
    switch (this.#int(0, 5)) {
      case 0:
      case 1:
        return value();
      case 2:
        return { $in: Array.from({ length: this.#int(0, 4) }, value) };
      case 3:
        return { [this.#pick(['$gt', '$gte'])]: value(), [this.#pick(['$lt', '$lte'])]: value() };
      default:
        return { [this.#pick(['$gt', '$gte', '$lt', '$lte', '$eq'])]: value() };
    }
  }

  #sort(): SortOrder {
    return Array.from({ length: this.#int(1, 3) }, () => [
      this.#pick(['n', 's', 'id', 'status', 'a.b', 'at', 'tags', 'email']),
      this.#pick([1, -1] as const),
    ]);
  }

  #key(): Key {
    const which = this.#random();
    if (which < 0.7) return this.#int(-5, 200);
    if (which < 0.72) return '';
    return which < 0.74 ? '\u0000x' : `k${this.#int(0, 60)}`;
  }

  #int(low: number, high: number): number {
    return low + Math.floor(this.#random() * (high - low + 1));
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#int(0, from.length - 1)]!;
  }

  #same(found: unknown, expected: unknown, what: string): void {
    this.#assert(deepEqual(plain(found), plain(expected)), `${what} answers ${show(found)}, not ${show(expected)}`);
  }

  #mustBeInjected(error: unknown): void {
    if (!isInjected(error)) throw error;
  }

  #assert(condition: boolean, message: string): void {
    if (!condition) throw new Error(`Seed ${this.seed}, after ${this.operations} operations: ${message}`);
  }
}

const isInjected = (error: unknown): boolean => INJECTED.has((error as { code?: string } | undefined)?.code ?? '');

function expectedOf(apply: () => unknown): { readonly value?: unknown; readonly code?: string } {
  try {
    return { value: apply() };
  } catch (error) {
    return { code: (error as { code?: string }).code ?? String(error) };
  }
}

const sameRows = (found: readonly Row[], expected: readonly Row[]): boolean =>
  found.length === expected.length && found.every((row, at) => deepEqual(row, expected[at]));

/** 0 for -0, which the order does not tell apart, so that distinct values may come out as either. */
const plain = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((each) => (each === 0 ? 0 : each)) : value;

const show = (value: unknown): string =>
  JSON.stringify(value, (_, each) => {
    if (typeof each === 'string' && each.length > 60) return `${each.slice(0, 20)}... ${each.length}`;
    return typeof each === 'number' && !Number.isFinite(each) ? String(each) : each;
  })?.slice(0, 2_000) ?? 'undefined';
