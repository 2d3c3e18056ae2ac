/**
 * Goal: devices that have the same updates have the same row, in whatever order they came. Method: five devices write at
 * random, updates are lost, doubled and come late, engines start again; at the end everybody gets everything. Counters
 * and additions to sets are counted beside, as a model that knows nothing of Yjs.
 */
import { expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import { RowDocument } from '../../worker/documents/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const TYPES: FieldTypes = { notes: 'text', steps: 'list', likes: 'counter', labels: 'set', address: 'map' };
const DEVICES = 5;
const SEEDS = Number(process.env['CONVERGENCE_SEEDS'] ?? 300);
const FIRST_SEED = Number(process.env['CONVERGENCE_SEED'] ?? 1);

class Devices {
  readonly random: () => number;
  readonly #documents: RowDocument[] = [];
  readonly #updates: Uint8Array[] = [];
  /** Of each device, which updates it has. */
  readonly #known: Set<number>[] = [];
  #writers = 1;
  added = 0;

  constructor(seed: number) {
    this.random = createSeededRandom(seed);
    for (let at = 0; at < DEVICES; at += 1) {
      this.#documents.push(this.#open(undefined));
      this.#known.push(new Set());
    }
  }

  #open(state: Uint8Array | undefined): RowDocument {
    this.#writers += 1 + Math.floor(this.random() * 2 ** 40);
    return new RowDocument({
      name: { collection: 'c', key: 1 },
      types: TYPES,
      keyField: 'id',
      clientId: this.#writers,
      state,
    });
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  step(again: string): void {
    const at = this.below(DEVICES);
    const which = this.random();
    if (which < 0.6) this.#write(at, again);
    else if (which < 0.9) this.#receive(at, this.below(this.#updates.length));
    else if (which < 0.95) this.#documents[at]!.apply(this.#documents[this.below(DEVICES)]!.state);
    else this.#documents[at] = this.#open(this.#documents[at]!.state);
  }

  #receive(at: number, update: number): void {
    if (update >= this.#updates.length) return;
    this.#documents[at]!.apply(this.#updates[update]!);
    this.#known[at]!.add(update);
  }

  #write(at: number, again: string): void {
    const document = this.#documents[at]!;
    const before = document.row;
    const after = this.random() < 0.03 && !this.isCounting ? undefined : this.#changed(before ?? { id: 1 });
    const update = document.put(after);
    const read = document.row;
    expect(document.put(read), `what was read is what is there: ${again}`).toBeUndefined();
    if (after !== undefined) expect(plainOf(read!), again).toEqual(plainOf(after));
    else expect(read, again).toBeUndefined();
    if (update === undefined) return;
    this.#known[at]!.add(this.#updates.push(update) - 1);
    if (before?.['likes'] !== read?.['likes'])
      this.added += Number(read?.['likes'] ?? 0) - Number(before?.['likes'] ?? 0);
  }

  /** Nothing is deleted and no field goes: then the sum is known. */
  isCounting = false;

  #changed(before: Row): Row {
    const row: Record<string, unknown> = { ...before };
    for (let change = 0; change <= this.below(3); change += 1) {
      const changes: readonly (() => void)[] = [
        () => (row[this.pick(['x', 'y', '$z'])] = this.#value(0)),
        () => (row['notes'] = this.#text(String(row['notes'] ?? ''))),
        () => (row['steps'] = this.#elements((row['steps'] ?? []) as unknown[])),
        () => (row['likes'] = Number(row['likes'] ?? 0) + this.below(11) - 5),
        () =>
          (row['labels'] = [...((row['labels'] ?? []) as unknown[]), this.below(20)].filter(() => this.random() < 0.9)),
        () => (row['address'] = this.#nested((row['address'] ?? {}) as Row, 0)),
        () => {
          const field = this.pick(['x', 'y', ...Object.keys(TYPES)]);
          if (!this.isCounting || field !== 'likes') delete row[field];
        },
      ];
      this.pick(changes)();
    }
    return row;
  }

  #value(depth: number): unknown {
    const values: readonly (() => unknown)[] = [
      () => null,
      () => this.below(100) / 4,
      () => this.pick(['', 'a', 'caf\u00e9', '\u{1f600}']),
      () => new Date(this.below(1e12)),
      () => new Uint8Array([this.below(256)]),
      () => (depth > 2 ? 0 : [this.#value(depth + 1), this.#value(depth + 1)]),
      () => (depth > 2 ? 0 : { [this.pick(['a', 'b', '$date'])]: this.#value(depth + 1) }),
    ];
    return this.pick(values)();
  }

  #text(before: string): string {
    const characters = Array.from(before);
    const at = this.below(characters.length + 1);
    characters.splice(
      at,
      this.below(4),
      ...Array.from(this.pick(['', 'x', '\u{1f600}', 'some words', '\u{1f601}\u{1f602}'])),
    );
    return characters.join('');
  }

  #elements(before: readonly unknown[]): unknown[] {
    const elements = [...before];
    elements.splice(
      this.below(elements.length + 1),
      this.below(3),
      this.#value(1),
      ...(this.random() < 0.3 ? ['same'] : []),
    );
    return elements;
  }

  #nested(before: Row, depth: number): Row {
    const name = this.pick(['a', 'b', 'c', '$d']);
    const inner = before[name];
    if (depth < 3 && this.random() < 0.6) {
      const isObject = typeof inner === 'object' && inner !== null && Object.getPrototypeOf(inner) === Object.prototype;
      return { ...before, [name]: this.#nested(isObject ? (inner as Row) : {}, depth + 1) };
    }
    if (this.random() < 0.3) {
      const { [name]: _gone, ...rest } = before;
      return rest;
    }
    return { ...before, [name]: this.random() < 0.2 ? {} : this.#value(2) };
  }

  /** Everybody gets what is missing, in an order of its own, and some of it twice. */
  settle(): readonly { readonly row: Row | undefined; readonly state: Uint8Array }[] {
    for (let at = 0; at < DEVICES; at += 1) {
      const missing = this.#updates
        .map((_, update) => update)
        .filter((update) => !this.#known[at]!.has(update) || this.random() < 0.1);
      for (let left = missing.length; left > 0; left -= 1) {
        const which = this.below(left);
        this.#receive(at, missing[which]!);
        missing[which] = missing[left - 1]!;
      }
    }
    return this.#documents;
  }
}

/** Fields that are read as they were written. */
function plainOf(row: Row): Row {
  const { labels, ...rest } = row;
  return {
    ...rest,
    ...(labels === undefined ? {} : { labels: [...new Set(labels as number[])].sort((a, b) => a - b) }),
  };
}

test(`[DOC-1] ${SEEDS} lives of five devices end in one row each`, { timeout: 60_000 + SEEDS * 100 }, () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const devices = new Devices(seed);
    devices.isCounting = seed % 2 === 0;
    const again = `CONVERGENCE_SEED=${seed} CONVERGENCE_SEEDS=1 npm test -- test/documents/convergence`;
    for (let step = 0; step < 60; step += 1) devices.step(again);
    const [first, ...others] = devices.settle();
    for (const other of others) {
      expect(other.row, again).toEqual(first!.row);
      expect(Buffer.from(other.state).equals(first!.state), again).toBe(true);
    }
    if (devices.isCounting) expect(first!.row?.['likes'] ?? 0, again).toBe(devices.added);
  }
});
