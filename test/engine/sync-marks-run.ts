/**
 * Random lives of a store with synchronised collections beside a plain model. Each call that changes rows is one commit
 * of the model, with the names of these rows; the marks that are found must be the commits of the model, one by one and
 * in their order. After a crash they must be those of a prefix that the rows agree with.
 */
import { encodeRows } from '../../src/base/codec/index.ts';
import type { Key, Row } from '../../src/base/row.ts';
import type { ChangeEvent, Durability, WriteRequest } from '../../src/protocol/engine-api.ts';
import { CHANGED_ROWS_MAX, type ChangesRow, SYNC_CHANGES } from '../../src/protocol/sync-worker.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { copyMemoryImage, createMemoryStorage, type MemoryImage } from '../../worker/storage/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { collection, createMemoryImage, index, openOnStorage } from './engine-fixture.ts';
import { codeOf, drain, verbsOf } from './engine-verbs.ts';

const COLLECTIONS = [
  collection('items', [index('n')], { sync: true }),
  collection('others', [], { sync: true }),
  collection('local', [], { sync: false }),
];
const NAMES = ['items', 'others', 'local'] as const;
type Name = (typeof NAMES)[number];
type Rows = Readonly<Record<Name, ReadonlyMap<Key, Row>>>;
type Commit = { readonly marked: readonly string[]; readonly rows: Rows };
type Planned = { readonly text: string; readonly run: (engine: Engine) => Promise<unknown>; readonly after: Rows };

const EMPTY: Rows = { items: new Map(), others: new Map(), local: new Map() };

export class MarksRun {
  readonly seed: number;
  readonly #random: () => number;
  #image: MemoryImage = createMemoryImage();
  #rows: Rows = EMPTY;
  /** Commits whose marks have not been looked at. */
  #commits: Commit[] = [];
  #lastId = 0;
  #numbers = 0;
  operations = 0;
  crashes = 0;
  /** Marks of commits that had more than one. */
  parts = 0;
  together = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.#random = createSeededRandom(seed);
  }

  async run(operations: number): Promise<void> {
    while (this.operations < operations) await this.#live();
    const engine = await this.#open(undefined);
    await this.#compare(engine);
    await engine.close();
  }

  async #live(): Promise<void> {
    const willCrash = this.#chance(0.5);
    const engine = await this.#open(willCrash ? this.#int(2, 60) : undefined).catch(() => undefined);
    const origins = new Map<string, string>();
    const listen = (events: readonly ChangeEvent[]): void => {
      for (const { row, origin } of events) if (row !== undefined) origins.set(String(row['tag']), origin);
    };
    if (engine !== undefined) for (const name of NAMES) engine.subscribe(name, listen);
    let isHealthy = engine !== undefined;
    for (let left = this.#int(10, 40); left > 0 && isHealthy; left -= 1) isHealthy = await this.#batch(engine!);
    if (isHealthy) {
      for (const [tag, origin] of origins) this.#assert(origin === tag.split(' ')[0], `${tag} is told as ${origin}.`);
      await this.#compare(engine!);
      if (this.#chance(0.5)) return engine!.close();
    }
    this.crashes += 1;
    this.#image = copyMemoryImage(this.#image);
    await this.#settle();
  }

  #open(crashAt: number | undefined): Promise<Engine> {
    const fate = this.#pick(['lost', 'stored-unanswered'] as const);
    const crash = crashAt && ({ write: crashAt, fate, afterwards: 'reject' } as const);
    const storage = createFaultyStorage(createMemoryStorage(this.#image), crash ? { crash } : {});
    return openOnStorage(storage, COLLECTIONS, { cacheBytesMax: this.#pick([0, 32_000_000]) });
  }

  /** Calls that are made at once. Answers whether all of them were answered. */
  async #batch(engine: Engine): Promise<boolean> {
    const many = this.#chance(0.1);
    const count = many ? this.#int(32, 50) : this.#chance(0.5) ? 1 : this.#int(2, 6);
    const planned: Planned[] = [];
    if (many) this.together += 1;
    for (let rows = this.#rows; planned.length < count; rows = planned.at(-1)!.after)
      planned.push(many ? this.#create(rows, 'items') : this.#plan(rows, count === 1));
    this.operations += count;
    const before = this.#rows;
    let last = before;
    for (const { after } of planned) {
      this.#commits.push({ marked: this.#marked(last, after), rows: after });
      last = after;
    }
    this.#rows = last;
    const codes = await Promise.all(planned.map(({ run }) => codeOf(run(engine))));
    const failed = codes.findIndex((code) => code !== 'ok');
    if (failed < 0) return true;
    this.#assert(
      codes.every((code) => code === 'ok' || /^(storage|engine|store)\//.test(code)),
      `${planned[failed]!.text} answers ${codes[failed]}.`,
    );
    return false;
  }

  /** Marks are those of all commits; then they are taken away, as the fold does it. */
  async #compare(engine: Engine): Promise<void> {
    const found = await this.#marks(engine);
    const expected = this.#commits.map(({ marked }) => marked).filter(({ length }) => length > 0);
    const at = expected.findIndex((commit, place) => !isEqual(commit, found[place]));
    const differ = `Of ${expected.length} commits with marks, ${found.length} are found; number ${at} has`;
    this.#assert(isEqual(found, expected), `${differ} ${show(found[at])}, not ${show(expected[at])}.`);
    await this.#compareRows(engine, this.#rows);
    await this.#fold(engine);
  }

  async #settle(): Promise<void> {
    const engine = await this.#open(undefined);
    const found = await this.#marks(engine);
    let marked: (readonly string[])[] = [];
    let rows: Rows | undefined = isEqual(found, []) ? this.#before : undefined;
    const states: Rows[] = rows === undefined ? [] : [rows];
    for (const commit of this.#commits) {
      if (commit.marked.length > 0) marked = [...marked, commit.marked];
      if (isEqual(found, marked)) states.push(commit.rows);
    }
    this.#assert(states.length > 0, `After a crash marks are ${show(found)}, no beginning of ${show(marked)}.`);
    rows = undefined;
    for (const state of states) if (await this.#has(engine, state)) rows = state;
    this.#assert(rows !== undefined, 'After a crash rows and marks are of different commits.');
    this.#rows = rows!;
    await this.#fold(engine);
    await engine.close();
  }

  /** Rows when marks were last taken away. */
  #before: Rows = EMPTY;

  async #fold(engine: Engine): Promise<void> {
    const request: WriteRequest = { type: 'deleteMany', collection: SYNC_CHANGES, selector: {} };
    await engine.write(request, { durability: undefined, signal: undefined, isRemote: true });
    this.#commits = [];
    this.#before = this.#rows;
  }

  async #marks(engine: Engine): Promise<readonly (readonly string[])[]> {
    const all = { selector: {}, sort: [['id', 1]] as const, limit: undefined, skip: 0 };
    const entries = (await drain(engine.find(SYNC_CHANGES, all), 100)) as unknown as readonly ChangesRow[];
    const commits: (readonly string[])[] = [];
    let names: string[] = [];
    for (const { id, rows, isWhole } of entries) {
      this.#assert(id > this.#lastId, `Mark ${id} comes after ${this.#lastId}.`);
      this.#assert(rows.length > 0 && rows.length <= CHANGED_ROWS_MAX, `A mark has ${rows.length} names.`);
      this.#lastId = id;
      names.push(...rows.map(([name, key]) => JSON.stringify([name, key])));
      if (!isWhole) this.parts += 1;
      else {
        commits.push(names.sort());
        names = [];
      }
    }
    this.#assert(names.length === 0, 'The last mark is whole.');
    return commits;
  }

  async #compareRows(engine: Engine, rows: Rows): Promise<void> {
    this.#assert(await this.#has(engine, rows), 'The rows are those of the model.');
  }

  async #has(engine: Engine, rows: Rows): Promise<boolean> {
    for (const name of NAMES) {
      const found = await verbsOf(engine, name).all();
      const tags = new Map(found.map((row) => [row['id'], row['tag']]));
      if (tags.size !== rows[name].size) return false;
      for (const [key, row] of rows[name]) if (tags.get(key) !== row['tag']) return false;
    }
    return true;
  }

  /** Names of rows that are others, unless they came from another device. */
  #marked(before: Rows, after: Rows): readonly string[] {
    return (['items', 'others'] as const)
      .flatMap((name) => {
        if (before[name] === after[name]) return [];
        const keys = new Set([...before[name].keys(), ...after[name].keys()]);
        return [...keys]
          .filter((key) => {
            const tag = after[name].get(key)?.['tag'] ?? '';
            return before[name].get(key) !== after[name].get(key) && !String(tag).startsWith('remote');
          })
          .map((key) => JSON.stringify([name, key]));
      })
      .sort();
  }

  /** A transaction takes several turns, so its commit has no certain place among the calls beside it. */
  #plan(rows: Rows, isAlone: boolean): Planned {
    const name = this.#pick(NAMES);
    const present = [...rows[name].keys()];
    const key = present.length > 0 && this.#chance(0.7) ? this.#pick(present) : this.#newKey();
    const durability = this.#pick<Durability | undefined>([undefined, undefined, 'strict', 'deferred']);
    const plan = (
      text: string,
      next: ReadonlyMap<Key, Row>,
      run: (verbs: ReturnType<typeof verbsOf>) => Promise<unknown>,
    ) => ({
      text: `${name} ${text}`,
      run: (engine: Engine) => run(verbsOf(engine, name, durability)),
      after: { ...rows, [name]: next },
    });
    const n = this.#int(0, 9);
    const row = this.#row(key);
    const having = (more: readonly Row[]): ReadonlyMap<Key, Row> =>
      new Map([...rows[name], ...more.map((each) => [each['id'] as Key, each] as const)]);
    switch (this.#int(0, 11)) {
      case 0:
        return this.#create(rows, name);
      case 1:
        return plan('put', having([row]), (items) => items.put(row));
      case 2:
      case 3: {
        const before = rows[name].get(key);
        if (before === undefined) return plan('update none', rows[name], (items) => items.update(key, { n: 1 }));
        const changes = { tag: row['tag'], n };
        return plan('update', having([{ ...before, ...changes }]), (items) => items.update(key, changes));
      }
      case 4: {
        const changes = { tag: row['tag'] };
        const found = [...rows[name].values()].filter((each) => each['n'] === n);
        return plan(`updateMany ${found.length}`, having(found.map((each) => ({ ...each, ...changes }))), (items) =>
          items.updateMany({ n }, changes),
        );
      }
      case 5: {
        const next = new Map(rows[name]);
        next.delete(key);
        return plan('delete', rows[name].has(key) ? next : rows[name], (items) => items.delete(key));
      }
      case 6: {
        const next = new Map([...rows[name]].filter(([, each]) => each['n'] !== n));
        return plan('deleteMany', next.size < rows[name].size ? next : rows[name], (items) => items.deleteMany({ n }));
      }
      case 7: {
        const before = rows[name].get(key);
        if (before === undefined) return this.#create(rows, name);
        return plan('replace', having([row]), (items) => items.replace({ before, after: row }));
      }
      case 8:
        return this.#bulk(rows, name);
      case 9:
        return isAlone ? this.#transaction(rows) : this.#create(rows, name);
      case 10:
        return this.#remote(rows, name);
      default: {
        const all = present.length > 400 && this.#chance(0.8);
        if (!all) return plan('put several', having([row]), (items) => items.put(row));
        // Enough for the deletion in chunks.
        return plan('delete all', new Map(), (items) => items.deleteMany({}));
      }
    }
  }

  #create(rows: Rows, name: Name): Planned {
    const row = this.#row(this.#newKey());
    return {
      text: `${name} create`,
      run: (engine) => verbsOf(engine, name).create(row),
      after: { ...rows, [name]: new Map([...rows[name], [row['id'] as Key, row]]) },
    };
  }

  /** Rows that were studied while they arrived, as a page sends them. */
  #bulk(rows: Rows, name: Name): Planned {
    const count = this.#pick([2, 40, 40, 700, 2_300]);
    const many = Array.from({ length: count }, () => this.#row(this.#newKey()));
    const parts = [many.slice(0, count >> 1), many.slice(count >> 1)];
    const run = async (engine: Engine): Promise<unknown> => {
      const encoded = parts.map((part) => encodeRows(part));
      const studied = this.#chance(0.7) ? { parts: encoded.map((part) => engine.study(name, part)) } : {};
      const request: WriteRequest = { type: 'create', collection: name, rows: many, encoded, ...studied };
      return engine.write(request, { durability: undefined, signal: undefined });
    };
    const next = new Map([...rows[name], ...many.map((row) => [row['id'] as Key, row] as const)]);
    return { text: `${name} bulk ${count}`, run, after: { ...rows, [name]: next } };
  }

  #transaction(rows: Rows): Planned {
    const after = { items: new Map(rows.items), others: new Map(rows.others), local: new Map(rows.local) };
    const steps = Array.from({ length: this.#int(1, 6) }, () => {
      const name = this.#pick(NAMES);
      const present = [...after[name].keys()];
      const key = present.length > 0 && this.#chance(0.6) ? this.#pick(present) : this.#newKey();
      const row = this.#chance(0.7) ? this.#row(key) : undefined;
      if (row === undefined) after[name].delete(key);
      else after[name].set(key, row);
      return { name, key, row };
    });
    const run = async (engine: Engine): Promise<unknown> => {
      const tx = engine.begin({ readOnly: false, durability: undefined, timeoutMs: 60_000, locks: [] });
      for (const { name, key, row } of steps) {
        if (row === undefined) await verbsOf(tx, name).delete(key);
        else await verbsOf(tx, name).put(row);
      }
      return tx.commit();
    };
    return { text: `transaction of ${steps.length}`, run, after };
  }

  #remote(rows: Rows, name: Name): Planned {
    const row = { ...this.#row(this.#newKey()), tag: `remote ${this.#next()}` };
    const request: WriteRequest = { type: 'put', collection: name, rows: [row] };
    return {
      text: `${name} remote`,
      run: async (engine) => engine.write(request, { durability: undefined, signal: undefined, isRemote: true }),
      after: { ...rows, [name]: new Map([...rows[name], [row.id as Key, row]]) },
    };
  }

  #row(id: Key): Row & { readonly id: Key } {
    const big = this.#chance(0.005) ? { big: 'x'.repeat(40_000) } : {};
    return { id, n: this.#int(0, 9), tag: `local ${this.#next()}`, ...big };
  }

  #newKey(): Key {
    const next = this.#next();
    return this.#chance(0.3) ? next : `${this.#pick(['a', 'm', 'z'.repeat(40)])}${next}`;
  }

  #next(): number {
    this.#numbers += 1;
    return this.#numbers;
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

  #assert(condition: boolean, message: string): void {
    if (!condition) throw new Error(`Seed ${this.seed}, after ${this.operations} operations: ${message}`);
  }
}

const isEqual = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const show = (value: unknown): string => `${JSON.stringify(value)}`.slice(0, 1_500);
