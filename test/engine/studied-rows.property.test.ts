/**
 * Goal: a write whose rows were studied while they arrived does what it would have done without: same rows, same
 * refusals, same indexes. Method: the same random writes on two engines, one of which is shown the rows in parts, with
 * indexes and rows changing between the parts and the write.
 */
import { describe, expect, test } from 'vitest';
import { encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import type { RowsAhead, WriteRequest } from '../../src/protocol/engine-api.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { collection, index, openOnImage } from './engine-fixture.ts';
import { codeOf, LONG, VERIFY, verbsOf } from './engine-verbs.ts';

const INDEXES = [
  index('status'),
  index(['project', 'dueAt']),
  index('tags', { multi: true }),
  index('title', { caseInsensitive: true, sparse: true }),
];
const WRITES = 50;
const KEYS = 300_000;

class Story {
  readonly random: () => number;

  constructor(seed: number) {
    this.random = createSeededRandom(seed);
  }

  int(below: number): number {
    return Math.floor(this.random() * below);
  }

  /** Rows of one shape are studied by column. */
  plainRow(number: number): Row {
    return {
      id: `k${String(number).padStart(6, '0')}`,
      status: ['open', 'done', 'wait'][this.int(3)],
      project: `project ${this.int(20)}`,
      dueAt: this.int(1e12) / 4,
      title: this.random() < 0.0005 ? 'a "quoted" one' : `Title ${this.int(500)}`,
      done: this.random() < 0.5,
    };
  }

  row(number: number): Row {
    const id = this.random() < 0.01 ? number : `k${String(number).padStart(6, '0')}`;
    return {
      id,
      status: ['open', 'done', 'wait'][this.int(3)],
      project: this.random() < 0.05 ? null : `project ${this.int(20)}`,
      dueAt: this.random() < 0.1 ? new Date(this.int(1e12)) : this.int(1e12) / 4,
      ...(this.random() < 0.5 && { title: `Title "${this.int(50)}"\u0001\n` }),
      ...(this.random() < 0.3 && { tags: [this.int(4), `t${this.int(3)}`] }),
      ...(this.random() < 0.01 && { status: ['an', 'array'] }),
      ...(this.random() < 0.002 && { text: 'x'.repeat(700) }),
    };
  }

  /** Rows of one call: a run of keys or scattered ones, sometimes with one that is refused. */
  rows(): readonly Row[] {
    const count = 1 + this.int(this.random() < 0.3 ? 900 : 120);
    const from = this.int(KEYS);
    const isRun = this.random() < 0.6;
    const numbers = new Set(Array.from({ length: count }, (_, at) => (isRun ? from + at : this.int(KEYS))));
    const isPlain = this.random() < 0.6;
    const rows = [...numbers].map((number) => (isPlain ? this.plainRow(number) : this.row(number)));
    if (this.random() < 0.05) rows.push(rows[this.int(rows.length)]!);
    if (this.random() < 0.05) rows.push({ ...this.row(0), id: Number.NaN });
    return rows;
  }

  parts(rows: readonly Row[]): readonly (readonly Row[])[] {
    const parts: (readonly Row[])[] = [];
    for (let at = 0; at < rows.length; ) {
      const end = at + 1 + this.int(rows.length);
      parts.push(rows.slice(at, end));
      at = end;
    }
    return parts;
  }
}

const write = (engine: Engine, request: WriteRequest): Promise<unknown> =>
  Promise.resolve(engine.write(request, { durability: undefined, signal: undefined })).then(({ value }) => value);

async function contentsOf(engine: Engine): Promise<unknown> {
  const items = verbsOf(engine);
  return {
    all: await items.all(),
    open: await items.find({ status: 'open' }, { sort: [['status', 1]] }),
    due: await items.find({ project: 'project 7', dueAt: { $gt: 1e11 } }, { sort: [['dueAt', -1]] }),
    tagged: await items.find({ tags: 2 }),
    entries: engine.indexes('items').map(({ name, entries }) => [name, entries]),
  };
}

describe('[B17] rows that are studied before their write', () => {
  test.each([1, 2, 3])('[B17] are stored and refused as others are: seed %i', async (seed) => {
    const story = new Story(seed);
    const open = (): Promise<Engine> =>
      openOnImage(createMemoryImage(), [collection('items', INDEXES)], { cacheBytesMax: 60_000 });
    const [plain, studying] = [await open(), await open()];
    const both = [plain, studying] as const;
    let refused = 0;
    for (let step = 0; step < WRITES; step += 1) {
      const note = `seed ${seed}, step ${step}`;
      const type: 'create' | 'put' = story.random() < 0.8 ? 'create' : 'put';
      const rows = story.rows();
      const slices = story.parts(rows);
      const parts: RowsAhead[] = [];
      const changeAt = story.random() < 0.3 ? story.int(slices.length) : -1;
      const change = story.int(4);
      for (const [at, slice] of slices.entries()) {
        parts.push(
          story.random() < 0.02 ? { rows: slice, count: slice.length } : studying.study('items', encodeRows(slice)),
        );
        if (at !== changeAt) continue;
        for (const engine of both) {
          const names = engine.indexes('items').map(({ name }) => name);
          if (change === 0)
            await verbsOf(engine)
              .put(rows[0]!)
              .catch(() => undefined);
          else if (change === 1) await verbsOf(engine).deleteMany({ project: 'project 3' });
          else if (change === 2 && !names.includes('owner')) await engine.createIndex('items', index('owner'), LONG);
          else if (names.includes('status')) await engine.dropIndex('items', 'status');
          else await engine.createIndex('items', index('status'), LONG);
        }
      }
      const encoded = slices.every((slice) => slice.length > 0) ? slices.map((slice) => encodeRows(slice)) : [];
      const request = { type, collection: 'items', rows } as const;
      const plainly = await codeOf(write(plain, request));
      expect(await codeOf(write(studying, { ...request, encoded, parts })), note).toBe(plainly);
      if (plainly !== 'ok') refused += 1;
      if (step % 10 === 3) for (const engine of both) await engine.checkpoint();
      expect(await contentsOf(studying), note).toEqual(await contentsOf(plain));
    }
    expect(refused, 'some are refused').toBeGreaterThan(0);
    expect(refused, 'and most are not').toBeLessThan(WRITES / 2);
    for (const engine of both) {
      expect(await engine.verify(VERIFY)).toMatchObject({ sound: true });
      await engine.close();
    }
  });

  test('[B17] of an unknown collection, or without a key, are left for the write to refuse', async () => {
    const engine = await openOnImage(createMemoryImage(), [collection('items', INDEXES)]);
    const rows: readonly Row[] = [{ id: 'a' }, { name: 'no key' }];
    const parts = [engine.study('items', encodeRows(rows))];
    expect(await codeOf(write(engine, { type: 'create', collection: 'items', rows, parts }))).toBe(
      'collection/invalid-key',
    );
    const elsewhere: WriteRequest = {
      type: 'create',
      collection: 'no',
      rows,
      parts: [engine.study('no', encodeRows(rows))],
    };
    expect(await codeOf(Promise.resolve().then(() => write(engine, elsewhere)))).toBe('store/unknown-collection');
    expect(await verbsOf(engine).count()).toBe(0);
    await engine.close();
  });
});
