/**
 * The mixed workload: from a seed and a model to the next call. The page and the driver run it side by side, so that
 * the driver knows every call that the page has made without being told.
 */
import type { Durability } from '../../../src/index.ts';
import type { Model, Table } from './model.ts';
import { type Changes, type Operation, ROWS_IN_ONE_MESSAGE_MAX, type Selector } from './operation.ts';
import type { Random } from './random.ts';
import type { CollectionName, KillRow } from './row.ts';

/** Rows of a collection from which on it is emptied again. */
const ROWS_MAX = 8_000;
const BULK_ROWS_MAX = 6_000;
const GROUPS = 12;
const KINDS = 4;
/** Around the size of an IndexedDB record, and well above. */
const LARGE_BODIES = [17_000, 48 * 1024 - 1, 48 * 1024, 48 * 1024 + 1, 70_000, 160_000, 400_000];

type Draw = (workload: Workload, collection: CollectionName) => Operation;

export class Workload {
  readonly random: Random;
  readonly model: Model;
  /** Makes keys and values of this run distinct from those of the runs before. */
  readonly #round: string;
  #serial = 0;
  /** The collection that a large createMany is under way to, and for how many calls. */
  #busy: { readonly collection: CollectionName; calls: number } | undefined;

  constructor(random: Random, model: Model, round: string) {
    this.random = random;
    this.model = model;
    this.#round = round;
  }

  /** The next call; the caller applies it to the model before it asks again. */
  next(): Operation {
    const { random } = this;
    let collection: CollectionName = random.below(2) === 0 ? 'items' : 'notes';
    if (this.#busy !== undefined) {
      collection = this.#busy.collection === 'items' ? 'notes' : 'items';
      if (--this.#busy.calls === 0) this.#busy = undefined;
      return this.#draw(SMALL_DRAWS, collection);
    }
    if (this.model[collection].keys.length > ROWS_MAX) return this.deleteBatch(collection);
    const operation = this.#draw(DRAWS, collection);
    if (operation.type === 'createMany' && operation.besides > 0) this.#busy = { collection, calls: operation.besides };
    return operation;
  }

  #draw(draws: readonly (readonly [weight: number, draw: Draw])[], collection: CollectionName): Operation {
    let point = this.random.next() * draws.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, draw] of draws) {
      point -= weight;
      if (point < 0) return draw(this, collection);
    }
    return draws[0]![1](this, collection);
  }

  durability(): Durability {
    const point = this.random.next();
    return point < 0.15 ? 'strict' : point < 0.75 ? 'relaxed' : 'deferred';
  }

  row(change: Partial<KillRow> = {}): KillRow {
    const { random } = this;
    const serial = `${this.#round}-${String(this.#serial++).padStart(6, '0')}`;
    return {
      // Not ascending, as bulk keys are: these fall all over the tree.
      id: `${random.text(3)}-${serial}`,
      email: `${serial}@example.org`,
      group: `g${random.below(GROUPS)}`,
      kind: `k${random.below(KINDS)}`,
      rank: random.below(1_000),
      tags: Array.from({ length: random.below(4) }, (_, place) => `t${place}${random.below(20)}`),
      batch: 'none',
      body: random.text(20 + random.below(300)),
      ...change,
    };
  }

  /** Mostly a key that is there. */
  key({ keys }: Table): string {
    return keys.length === 0 || this.random.next() < 0.05 ? 'absent' : keys[this.random.below(keys.length)]!;
  }

  changes(): Changes {
    const { random } = this;
    const all: Changes[] = [
      { $inc: { rank: 1 + random.below(5) } },
      { $set: { group: `g${random.below(GROUPS)}` }, $inc: { rank: 1 } },
      { $push: { tags: `t${random.below(50)}` } },
      { $set: { body: random.text(random.below(500)) } },
    ];
    return all[random.below(all.length)]!;
  }

  many(rowCount: number, besides: number, collection: CollectionName): Operation {
    const batch = `b${this.#round}-${this.#serial}`;
    const isAscending = this.random.next() < 0.7;
    const rows = Array.from({ length: rowCount }, (_, place) => {
      const row = this.row({ batch });
      return isAscending ? { ...row, id: `${batch}-${String(place).padStart(6, '0')}` } : row;
    });
    return { type: 'createMany', collection, rows, besides, durability: this.durability() };
  }

  deleteBatch(collection: CollectionName): Operation {
    const { rows } = this.model[collection];
    const key = this.key(this.model[collection]);
    const { batch = 'none' } = rows.get(key) ?? {};
    return { type: 'deleteMany', collection, selector: { batch }, durability: this.durability() };
  }

  selector(): Selector {
    return { group: `g${this.random.below(GROUPS)}`, kind: `k${this.random.below(KINDS)}` };
  }

  largeBody(): string {
    const { random } = this;
    const length = LARGE_BODIES[random.below(LARGE_BODIES.length)]!;
    const block = random.text(1_000);
    let body = '';
    // Numbered, so that exchanged chunks are noticed.
    while (body.length < length) body += `${body.length}:${block}`;
    return body.slice(0, length);
  }
}

const create: Draw = (workload, collection) => ({
  type: 'create',
  collection,
  row: workload.row(),
  durability: workload.durability(),
});

const createAgain: Draw = (workload, collection) => {
  const id = workload.key(workload.model[collection]);
  return { type: 'create', collection, row: workload.row({ id }), durability: workload.durability() };
};

/** A unique value that another row has. */
const putTaken: Draw = (workload, collection) => {
  const { rows } = workload.model[collection];
  const email = rows.get(workload.key(workload.model[collection]))?.email ?? 'nobody@example.org';
  return { type: 'put', collection, row: workload.row({ email }), durability: workload.durability() };
};

const put: Draw = (workload, collection) => {
  const id = workload.key(workload.model[collection]);
  return { type: 'put', collection, row: workload.row({ id }), durability: workload.durability() };
};

const putLarge: Draw = (workload, collection) => {
  const isNew = workload.random.next() < 0.6;
  const id = workload.key(workload.model[collection]);
  const row = workload.row({ body: workload.largeBody(), ...(isNew ? {} : { id }) });
  return { type: 'put', collection, row, durability: workload.durability() };
};

const update: Draw = (workload, collection) => ({
  type: 'update',
  collection,
  key: workload.key(workload.model[collection]),
  changes: workload.changes(),
  durability: workload.durability(),
});

const updateMany: Draw = (workload, collection) => ({
  type: 'updateMany',
  collection,
  selector: workload.selector(),
  changes: workload.changes(),
  durability: workload.durability(),
});

const remove: Draw = (workload, collection) => ({
  type: 'delete',
  collection,
  key: workload.key(workload.model[collection]),
  durability: workload.durability(),
});

const deleteMany: Draw = (workload, collection) => ({
  type: 'deleteMany',
  collection,
  selector: workload.selector(),
  durability: workload.durability(),
});

const createSome: Draw = (workload, collection) =>
  workload.many(2 + workload.random.below(ROWS_IN_ONE_MESSAGE_MAX - 10), 0, collection);

/** With one row that is refused: then none of them may be there. */
const createWrong: Draw = (workload, collection) => {
  const operation = workload.many(2 + workload.random.below(ROWS_IN_ONE_MESSAGE_MAX - 10), 0, collection);
  if (operation.type !== 'createMany') return operation;
  const id = workload.key(workload.model[collection]);
  return { ...operation, rows: [...operation.rows, workload.row({ id, batch: operation.rows[0]!.batch })] };
};

const createBulk: Draw = (workload, collection) =>
  workload.many(1_500 + workload.random.below(BULK_ROWS_MAX), 1 + workload.random.below(40), collection);

const compact: Draw = (_workload, collection) => ({ type: 'compact', collection, durability: 'relaxed' });

/** What may go on in one collection while a large createMany goes to the other. */
const SMALL_DRAWS: readonly (readonly [number, Draw])[] = [
  [25, create],
  [2, createAgain],
  [2, putTaken],
  [10, put],
  [3, putLarge],
  [20, update],
  [10, remove],
  [5, createSome],
  [1, createWrong],
];

const DRAWS: readonly (readonly [number, Draw])[] = [
  ...SMALL_DRAWS,
  [1, updateMany],
  [0.5, deleteMany],
  [0.4, (workload, collection) => workload.deleteBatch(collection)],
  [0.7, createBulk],
  [0.15, compact],
];
