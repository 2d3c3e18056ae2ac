/**
 * Goal: a tree is a sorted Map, in every state that somebody still reads. Method: seeded operations on a tree and on a Map,
 * with frames that are stored or fail, checkpoints (some of which fail), caches that hold nothing, and old states that are
 * read again and again.
 */
import { describe, expect, test } from 'vitest';
import {
  ALL_KEYS,
  countRange,
  type KeyRange,
  LEAF_BYTES_MAX,
  LeafScan,
  PageSpace,
  pagesBelow,
  rankOf,
  readKey,
  type SortedValues,
  Tree,
  type TreeState,
  wantKey,
  writeCheckpoint,
} from '../../worker/pages/index.ts';
import { separatorOf } from '../../worker/pages/tree.ts';
import { createMemoryImage, createMemoryStorage, type MemoryImage, type Storage } from '../../worker/storage/index.ts';
import { createFaultyStorage } from '../fakes/faulty-storage.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

type Value = { readonly id: string; readonly v: number; readonly pad: string };
type Old = { readonly state: TreeState; readonly entries: ReadonlyMap<string, Value>; freedSince: boolean };

const weigh = (value: unknown): number => 30 + (value as Value).pad.length;
const CALM = { now: () => 0, yieldTask: async () => {} };

class TreeStory {
  readonly random: () => number;
  readonly storage: Storage;
  readonly image: MemoryImage = createMemoryImage();
  readonly space: PageSpace;
  readonly tree: Tree;
  readonly hasValues: boolean;
  readonly keySpace: number;
  head: Map<string, Value> = new Map();
  stored: Map<string, Value> = new Map();
  old: Old[] = [];
  generation = 0;
  isCalm = false;
  /** Pages that no state since the last checkpoint needs. */
  freed: number[] = [];

  constructor(
    seed: number,
    options: { readonly hasValues: boolean; readonly keySpace: number; readonly cacheBytesMax: number },
  ) {
    this.random = createSeededRandom(seed);
    this.storage = createMemoryStorage(this.image);
    this.space = new PageSpace(this.storage.pages, options);
    this.hasValues = options.hasValues;
    this.keySpace = options.keySpace;
    this.space.register(
      1,
      options.hasValues ? { type: 'rows', keyOf: (row) => row['id'] as string, weigh } : { type: 'keys' },
    );
    this.tree = new Tree(1, this.space, undefined, options.hasValues ? weigh : undefined);
  }

  int(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1));
  }

  key(): string {
    const number = this.int(0, this.keySpace);
    // Long shared prefixes, keys that are prefixes of others, and halves of surrogate pairs.
    const style = number % 5;
    if (style === 0) return `${'p'.repeat(60)}${number}`;
    if (style === 1) return 'q'.repeat(1 + (number % 90));
    if (style === 2) return `\ud83d${String.fromCharCode(0xdc00 + (number % 300))}${number}`;
    return style === 3 ? `"\\${number}` : String(number);
  }

  value(id: string): Value {
    const pad = this.random() < 0.02 ? 'x'.repeat(this.int(5_000, 15_000)) : 'y'.repeat(this.int(0, 120));
    return { id, v: this.int(0, 1_000_000), pad };
  }

  /** As the committer does: read what is missing, then go on. */
  async change<T>(run: () => T): Promise<T> {
    return this.space.whenResident(run);
  }

  async step(): Promise<void> {
    const which = this.random();
    const key = this.key();
    if (which < 0.35) {
      const value = this.value(key);
      const isNew = await this.change(() => this.tree.insert(key, this.hasValues ? value : undefined));
      expect(isNew).toBe(!this.head.has(key));
      this.head.set(key, value);
    } else if (which < 0.55) {
      expect(await this.change(() => this.tree.remove(key))).toBe(this.head.delete(key));
    } else if (which < 0.65) {
      await this.removeRun(key);
    } else if (which < 0.75) {
      await this.insertSorted(key);
    } else if (which < 0.8) {
      for (let from: string | undefined = ''; from !== undefined; ) {
        const start: string = from;
        from = await this.change(() => this.tree.joinFrom(start));
      }
    } else if (which < 0.9) {
      this.publish();
    } else if (which < 0.93) {
      this.rollback();
    } else if (which < 0.97) {
      await this.checkpoint();
    } else {
      this.space.dropCache();
    }
    this.space.trim();
  }

  async removeRun(from: string): Promise<void> {
    const keys = [...this.head.keys()]
      .filter((key) => key >= from)
      .sort()
      .slice(0, this.int(1, 400));
    for (const key of keys) {
      expect(await this.change(() => this.tree.remove(key))).toBe(true);
      this.head.delete(key);
    }
  }

  async insertSorted(near: string): Promise<void> {
    const keys = Array.from({ length: this.int(1, 700) }, (_, at) => `${near}+${String(at * 7).padStart(5, '0')}`);
    const fresh = keys.filter((key) => !this.head.has(key));
    const values = fresh.map((key) => this.value(key));
    const progress = { at: 0 };
    const runs = (from: number, to: number): ReturnType<NonNullable<SortedValues['values']>['runs']> => {
      const middle = this.int(from, to);
      return [
        { batch: { rows: values }, from, to: middle },
        { batch: { rows: values }, from: middle, to },
      ];
    };
    const given = this.hasValues ? { values: { runs }, weights: values.map(weigh) } : {};
    await this.change(() => this.tree.insertSorted(fresh, progress, given));
    for (const [at, key] of fresh.entries()) this.head.set(key, values[at]!);
  }

  /** A frame was stored. */
  publish(): void {
    this.tree.visible = this.tree.stored = this.tree.seal();
    this.space.version += 1;
    this.stored = new Map(this.head);
    this.freed.push(...this.space.pagesOf(this.space.freed));
    this.space.freed = [];
    if (this.random() < 0.3) this.old.push({ state: this.tree.stored, entries: this.stored, freedSince: false });
    if (this.old.length > 4) this.old.shift();
  }

  /** A frame failed. */
  rollback(): void {
    this.tree.rollback();
    this.space.version += 1;
    this.space.freed = [];
    this.head = new Map(this.stored);
  }

  async checkpoint(): Promise<void> {
    const fails = this.random() < 0.3;
    const fail = { request: 1, code: 'storage/failed', lasts: 'once', only: ['pages.commit'] } as const;
    const storage = fails ? createFaultyStorage(this.storage, { fail }) : this.storage;
    // With an open state, what it reads stays.
    const frees = this.old.length === 0 ? [...this.freed] : [];
    const writing = writeCheckpoint({
      ...CALM,
      // The head goes on changing while pages are being encoded.
      now: () => this.random() * 20,
      yieldTask: async () => this.churn(),
      space: this.space,
      store: storage.pages,
      generation: this.generation + 1,
      trees: [{ tree: this.tree, state: this.tree.stored }],
      frees,
      superblock: ([root]) => new TextEncoder().encode(String(root)),
    });
    if (fails) {
      await expect(writing).rejects.toMatchObject({ code: 'storage/failed' });
      return;
    }
    await writing;
    this.generation += 1;
    if (frees.length > 0) this.freed = this.freed.slice(frees.length);
  }

  /** Checkpoints with nobody writing and nobody reading, until what was freed is gone. */
  async settle(): Promise<void> {
    this.isCalm = true;
    this.publish();
    for (const end = this.generation + 2; this.generation < end; ) {
      this.old = [];
      await this.checkpoint();
    }
    this.isCalm = false;
  }

  churn(): void {
    if (this.isCalm) return;
    const key = this.key();
    const value = this.value(key);
    // Only while its pages are in memory, as nothing is awaited here.
    if (!wantKey(this.space, this.tree.root, key)) return;
    try {
      this.tree.insert(key, this.hasValues ? value : undefined);
      this.head.set(key, value);
      if (this.random() < 0.3) this.publish();
    } catch (error) {
      if (error instanceof Error && error.message === 'A page is not in memory.') return;
      throw error;
    }
  }

  async read(state: TreeState, range: KeyRange, reverse: boolean): Promise<readonly (readonly [string, unknown])[]> {
    const scan = new LeafScan(this.space, state, range, { reverse });
    const found: (readonly [string, unknown])[] = [];
    for (;;) {
      const run = await this.space.whenResident(() => scan.next());
      if (run === undefined) return found;
      for (let at = run.start; at !== run.end; at += run.step) found.push([run.keys[at]!, run.values?.[at]]);
      if (this.random() < 0.01) this.space.dropCache();
    }
  }

  async compare(state: TreeState, entries: ReadonlyMap<string, Value>): Promise<void> {
    const keys = [...entries.keys()].sort();
    expect(state.count).toBe(keys.length);
    const bound = (): string | undefined => (this.random() < 0.2 ? undefined : this.key());
    const ranges: KeyRange[] = [ALL_KEYS, { from: bound(), to: bound() }, { from: bound(), to: bound() }];
    for (const range of ranges) {
      const { from, to } = range;
      const expected = keys.filter((key) => (from === undefined || key >= from) && (to === undefined || key < to));
      const forwards = await this.read(state, range, false);
      expect(forwards.map(([key]) => key)).toEqual(expected);
      const backwards = await this.read(state, range, true);
      expect(backwards.map(([key]) => key)).toEqual(expected.toReversed());
      expect(await this.space.whenResident(() => countRange(this.space, state, range))).toBe(expected.length);
      if (this.hasValues) for (const [key, value] of forwards) expect(value).toEqual(entries.get(key));
    }
    for (let probes = 0; probes < 5; probes += 1) {
      const key = this.key();
      const below = keys.filter((each) => each < key).length;
      expect(await this.space.whenResident(() => rankOf(this.space, state, key))).toBe(below);
      const found = await this.space.whenResident(() => readKey(this.space, state, key));
      expect(found).toEqual(this.hasValues ? entries.get(key) : entries.has(key) ? key : undefined);
    }
  }
}

const SHAPES = [
  { hasValues: true, keySpace: 400, cacheBytesMax: 0 },
  { hasValues: true, keySpace: 20_000, cacheBytesMax: 100_000 },
  { hasValues: false, keySpace: 3_000, cacheBytesMax: 0 },
  { hasValues: false, keySpace: 100_000, cacheBytesMax: 10_000_000 },
];

describe('a tree is a sorted map', () => {
  for (const [at, shape] of SHAPES.entries()) {
    const seed = 4_200 + at;
    test(`seed ${seed}, ${JSON.stringify(shape)}`, async () => {
      const story = new TreeStory(seed, shape);
      for (let round = 0; round < 260; round += 1) {
        await story.step();
        if (round % 25 === 0) {
          await story.compare(story.tree.head, story.head);
          await story.compare(story.tree.stored, story.stored);
          for (const { state, entries } of story.old) await story.compare(state, entries);
        }
      }
      // From the disk alone: what the last checkpoint wrote is the stored state, and nothing else is left there.
      await story.settle();
      const { superblock } = story.image;
      const root = Number(new TextDecoder().decode(superblock!.bytes));
      const space = new PageSpace(story.storage.pages, { cacheBytesMax: 0 });
      space.register(
        1,
        story.hasValues ? { type: 'rows', keyOf: (row) => row['id'] as string, weigh } : { type: 'keys' },
      );
      const count = story.stored.size;
      if (count === 0) return;
      const reopened = { root, count };
      const scan = new LeafScan(space, reopened, ALL_KEYS, { reverse: false });
      const keys: string[] = [];
      for (
        let run = await space.whenResident(() => scan.next());
        run !== undefined;
        run = await space.whenResident(() => scan.next())
      ) {
        keys.push(...run.keys);
      }
      expect(keys).toEqual([...story.stored.keys()].sort());
    });
  }
});

describe('upkeep', () => {
  test('[B19] dirty bytes come back to nothing after checkpoints, however much was removed and undone', async () => {
    const story = new TreeStory(1, { hasValues: true, keySpace: 2_000, cacheBytesMax: 1_000_000 });
    for (let round = 0; round < 400; round += 1) {
      await story.step();
      if (round % 20 === 0) story.rollback();
    }
    story.publish();
    while (story.tree.count > 10) await story.removeRun('');
    await story.settle();
    expect(story.space.dirtyBytes).toBeLessThan(LEAF_BYTES_MAX);
  });

  test('[B19] with nobody reading, pages on disk are those of the tree', async () => {
    const story = new TreeStory(2, { hasValues: false, keySpace: 30_000, cacheBytesMax: 50_000 });
    for (let round = 0; round < 300; round += 1) await story.step();
    await story.settle();
    const needed = await story.space.whenResident(() => pagesBelow(story.space, story.tree.stored.root));
    expect([...story.image.pages.keys()].sort((a, b) => a - b)).toEqual([...needed].sort((a, b) => a - b));
  });

  test('separators are the shortest that part two keys', () => {
    const random = createSeededRandom(9);
    const word = (): string =>
      Array.from({ length: Math.floor(random() * 6) }, () => 'ab\u0000\uffff'[Math.floor(random() * 4)]).join('');
    for (let round = 0; round < 5_000; round += 1) {
      const [left, right] = [word(), word()].sort() as [string, string];
      if (left === right) continue;
      const separator = separatorOf(left, right);
      expect(separator > left && separator <= right, JSON.stringify([left, right, separator])).toBe(true);
      expect(right.startsWith(separator)).toBe(true);
      expect(left.startsWith(separator)).toBe(false);
      expect(left.startsWith(separator.slice(0, -1))).toBe(true);
    }
  });

  test('a leaf in which one entry grows beyond a page is split, and a page image too large for a record is a chain', async () => {
    const story = new TreeStory(3, { hasValues: true, keySpace: 10, cacheBytesMax: 0 });
    // Escapes take several bytes each on disk, and the estimate counts characters.
    const wide = '\u4e2d'.repeat(17_000);
    for (const id of ['a', 'b', 'c', 'd']) {
      const value = { id, v: 1, pad: wide };
      await story.change(() => story.tree.insert(id, value));
      story.head.set(id, value);
    }
    await story.settle();
    const chains = [...story.image.pages.values()].filter((bytes) => bytes[3] === 4 && bytes.length < 100);
    expect(chains.length, 'chain pages').toBeGreaterThan(0);
    story.space.dropCache();
    await story.compare(story.tree.stored, story.stored);
    // Replacing the node frees the chain with its parts.
    for (const id of ['a', 'b', 'c', 'd']) await story.change(() => story.tree.insert(id, { id, v: 2, pad: '' }));
    await story.settle();
    expect(story.image.pages.size).toBe(
      (await story.space.whenResident(() => pagesBelow(story.space, story.tree.stored.root))).length,
    );
  });
});
