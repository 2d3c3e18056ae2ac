/** Goal: the rules of worker/live/SPEC.md, one by one. Method: an engine on memory, subscribers that note what they are told. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import type { LiveKind, LiveSubscription } from '../../src/protocol/live.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { LIVE_QUERIES_MAX, LiveQueries, type LiveSource } from '../../worker/live/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { type Verbs, verbsOf } from '../engine/engine-verbs.ts';
import { applyUpdate } from './live-steps.ts';

const ALL: FindSpec = { selector: {}, sort: [], limit: undefined, skip: 0 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const row = (id: number, n = id): Row => ({ id, n });

/** What the live queries ask of their engine. */
type Asked = { finds: number; counts: number; listeners: number; openCursors: number };

let engine: Engine;
let items: Verbs;
let live: LiveQueries;
let asked: Asked;
/** Lets a test stand between a read and its answer. */
let hold: Promise<void> | undefined;

beforeEach(async () => {
  engine = await openOnImage(createMemoryImage(), [collection('items', [index('n')]), collection('names')]);
  items = verbsOf(engine);
  asked = { finds: 0, counts: 0, listeners: 0, openCursors: 0 };
  hold = undefined;
  live = new LiveQueries(countingSource());
});

afterEach(() => engine.close());

function countingSource(): LiveSource {
  return {
    keyField(name) {
      // Throws when there is none.
      engine.indexes(name);
      return 'id';
    },
    subscribe(name, listener) {
      asked.listeners += 1;
      const stop = engine.subscribe(name, listener);
      return () => {
        asked.listeners -= 1;
        stop();
      };
    },
    find(name, find) {
      asked.finds += 1;
      asked.openCursors += 1;
      const cursor = engine.find(name, find);
      let isOpen = true;
      const close = (): void => {
        if (isOpen) asked.openCursors -= 1;
        isOpen = false;
      };
      return {
        next: async (limit) => {
          await hold;
          const chunk = await cursor.next(limit);
          if (chunk.done) close();
          return chunk;
        },
        close: () => {
          cursor.close();
          close();
        },
      };
    },
    aggregate: (name, pipeline) => engine.aggregate(name, pipeline),
    count(name, selector) {
      asked.counts += 1;
      return engine.count(name, selector);
    },
  };
}

class Watcher {
  rows: readonly Row[] | undefined;
  count: number | undefined;
  steps = 0;
  told = 0;
  error: unknown;
  readonly subscription: LiveSubscription;

  constructor(find: Partial<FindSpec> = {}, kind: LiveKind = 'rows', options: { readonly isSlow?: boolean } = {}) {
    this.subscription = live.open(
      { collection: 'items', find: { ...ALL, ...find }, kind },
      {
        onChange: () => {
          this.told += 1;
          if (options.isSlow !== true) this.take();
        },
        onError: (error) => {
          this.error = error;
        },
      },
    );
  }

  take(): void {
    const update = this.subscription.take();
    if (update === undefined) return;
    this.steps += 1;
    if ('count' in update) this.count = update.count;
    else this.rows = applyUpdate(this.rows ?? [], update);
  }

  get keys(): readonly unknown[] | undefined {
    return this.rows?.map(({ id }) => id);
  }
}

test('[LIVE-2] a change is offered only to queries that it can touch', async () => {
  const tested: unknown[] = [];
  // A selector that tells when it is asked: its own value is read for each row it is tried on.
  const watchers = Array.from({ length: 50 }, (_, n) => new Watcher({ selector: { n } }));
  const ranges = Array.from(
    { length: 50 },
    (_, n) => new Watcher({ selector: { n: { $gte: n * 10, $lt: n * 10 + 10 } } }),
  );
  await turn();
  const probe = {
    id: 1,
    get n(): number {
      tested.push(1);
      return 7;
    },
  };
  const feed: ((events: readonly ChangeEvent[]) => void)[] = [];
  const routed = new LiveQueries({
    ...countingSource(),
    subscribe(_name, listener) {
      feed.push(listener);
      return () => undefined;
    },
  });
  const listener = { onChange: () => undefined, onError: (error: unknown) => expect(error).toBeUndefined() };
  for (let n = 0; n < 100; n += 1) {
    routed.open({ collection: 'items', find: { ...ALL, selector: { n, id: { $gte: 0 } } }, kind: 'count' }, listener);
    const range = { n: { $gte: n * 10, $lt: n * 10 + 10 } };
    routed.open({ collection: 'items', find: { ...ALL, selector: range }, kind: 'count' }, listener);
  }
  await turn();
  for (const tell of feed) tell([{ type: 'create', key: 1, row: probe, before: undefined, origin: 'local' }]);
  await turn();
  // Once to look it up, and once or twice for the query of that value and for that of its range.
  expect(tested.length).toBeLessThan(8);
  await items.put(row(1, 7));
  await turn();
  expect(watchers.map(({ rows }) => rows?.length)).toEqual(watchers.map((_, n) => (n === 7 ? 1 : 0)));
  expect(ranges.map(({ rows }) => rows?.length)).toEqual(ranges.map((_, n) => (n === 0 ? 1 : 0)));
});

test('[LIVE-4] rows behind the edge are kept at hand, and read again only when they have run out', async () => {
  await items.put(...Array.from({ length: 500 }, (_, id) => row(id)));
  const first = new Watcher({ sort: [['n', 1]], limit: 10, skip: 5 });
  await turn();
  for (let id = 0; id < 20; id += 1) await items.delete(id);
  await turn();
  expect(first.keys).toEqual(Array.from({ length: 10 }, (_, at) => 25 + at));
  expect(asked.finds).toBe(1);
  for (let id = 20; id < 100; id += 1) await items.delete(id);
  await turn();
  expect(first.keys).toEqual(Array.from({ length: 10 }, (_, at) => 105 + at));
  expect(asked.finds).toBeGreaterThan(1);
  expect(asked.finds).toBeLessThan(6);
});

test('[LIVE-5] what is committed while the first result is read comes once', async () => {
  await items.put(...Array.from({ length: 100 }, (_, id) => row(id)));
  let letGo = (): void => undefined;
  hold = new Promise((resolve) => {
    letGo = resolve;
  });
  const rows = new Watcher({ selector: { n: { $gte: 50 } } });
  const count = new Watcher({ selector: { n: { $gte: 50 } } }, 'count');
  await turn();
  await items.put(row(200), row(60, 0));
  await items.delete(70);
  expect(rows.rows).toBeUndefined();
  letGo();
  await turn();
  expect(rows.rows).toEqual(await items.find({ n: { $gte: 50 } }, { sort: [['id', 1]] }));
  expect(rows.steps).toBe(1);
  expect(count.count).toBe(49);
});

test('[LIVE-5] a write that is under way when the query is opened is not missed', async () => {
  for (const durability of ['relaxed', 'deferred'] as const) {
    const written = verbsOf(engine, 'items', durability).put(row(1, 1), row(2, 2));
    // Prepared, and on its way to the storage: nobody listens yet.
    await Promise.resolve();
    await Promise.resolve();
    const watcher = new Watcher();
    await written;
    await turn();
    expect(watcher.keys, durability).toEqual([1, 2]);
    watcher.subscription.close();
    await items.deleteMany({});
  }
});

test('[LIVE-5] what a deferred write has shown is not told again to those who came after', async () => {
  await items.put(row(1, 0));
  const first = items.update(1, { n: 1 });
  const second = verbsOf(engine, 'items', 'deferred').update(1, { n: 2 });
  await second;
  const watcher = new Watcher({ selector: { n: 1 } }, 'count');
  await first;
  await turn();
  expect(watcher.count).toBe(0);
});

test('[LIVE-5] more changes than are held back while it is read make it read again', async () => {
  await items.put(row(1, 1), row(2, 2));
  let letGo = (): void => undefined;
  hold = new Promise((resolve) => {
    letGo = resolve;
  });
  const watcher = new Watcher({ sort: [['id', 1]], limit: 3 });
  await turn();
  await items.put(row(2, 3));
  for (let round = 0; round < 3; round += 1) {
    const others = Array.from({ length: 50_000 }, (_, at) => row(at + 10, round));
    // All of them matter to the query while they are told.
    await items.put(...others.map((each) => ({ ...each, of: 'round' })));
  }
  await items.put(row(1, 9), row(3, 4));
  await items.delete(2);
  expect(watcher.told).toBe(0);
  letGo();
  await turn();
  await turn();
  expect(watcher.rows).toEqual([row(1, 9), row(3, 4), { ...row(10, 2), of: 'round' }]);
});

test('[LIVE-11] steady writes do not silence what is run again for each of them', async () => {
  await items.put(row(1), row(2));
  const slow = new LiveQueries({
    ...countingSource(),
    // Longer than it takes until the next write.
    aggregate(name, pipeline) {
      const cursor = engine.aggregate(name, pipeline);
      const next = async (limit: number) => {
        for (let left = 3; left > 0; left -= 1) await turn();
        return cursor.next(limit);
      };
      return { next, close: () => cursor.close() };
    },
  });
  let told = 0;
  const pipeline = [{ $sort: { n: -1 } }, { $limit: 1 }, { $group: { _id: null, n: { $sum: '$n' } } }];
  const subscription = slow.open(
    { collection: 'items', kind: 'rows', pipeline },
    {
      onChange: () => {
        if (subscription.take() !== undefined) told += 1;
      },
      onError: (error) => expect(error).toBeUndefined(),
    },
  );
  for (let n = 0; n < 50; n += 1) {
    await items.update(1, { n: 100 + n });
    await turn();
  }
  expect(told).toBeGreaterThan(5);
  subscription.close();
});

test('[LIVE-6] equal queries share one computation', async () => {
  await items.put(row(1), row(2));
  const find = { selector: { n: { $in: [1, new Date(5)] } }, sort: [['n', -1]] } as const;
  const watchers = Array.from({ length: 20 }, () => new Watcher(structuredClone(find) as unknown as FindSpec));
  await turn();
  watchers.push(new Watcher(find));
  await turn();
  expect(asked.finds).toBe(1);
  expect(live.size).toBe(1);
  expect(watchers.map(({ keys }) => keys)).toEqual(watchers.map(() => [1]));
  const others: readonly Partial<FindSpec>[] = [
    { ...find, limit: 5 },
    { ...find, sort: [['n', 1]] },
    { selector: { n: { $in: [1, new Date(6)] } }, sort: find.sort },
    { selector: { n: { $in: [1, 5] } }, sort: find.sort },
    { selector: { n: /a/ } },
    { selector: { n: /b/ } },
    { selector: { n: {} } },
  ];
  for (const other of others) new Watcher(other);
  new Watcher(find, 'count');
  expect(live.size).toBe(1 + others.length + 1);
});

test('[LIVE-7] 10,000 subscriptions that come and go leave nothing behind', async () => {
  await items.put(row(1), row(2), row(3));
  const finds = Array.from({ length: 7 }, (_, n) => ({ selector: n < 5 ? { n } : { n: { $gt: n - 6 } }, limit: n }));
  for (let round = 0; round < 100; round += 1) {
    const open = Array.from({ length: 100 }, (_, at) => new Watcher(finds[at % 7], at % 3 === 0 ? 'count' : 'rows'));
    // Some end before they begin, some while they read, some with a result.
    if (round % 3 > 0) await Promise.resolve();
    if (round % 3 > 1) await turn();
    await items.update(2, { n: round % 5 });
    for (const { subscription } of open) {
      subscription.close();
      subscription.close();
    }
  }
  await turn();
  expect(live.size).toBe(0);
  expect(asked.listeners).toBe(0);
  expect(asked.openCursors).toBe(0);
  expect((await engine.health()).openSnapshots).toBe(0);
});

test('[LIVE-7] a query that is closed while it reads tells nothing and ends its cursor', async () => {
  await items.put(...Array.from({ length: 3_000 }, (_, id) => row(id)));
  let letGo = (): void => undefined;
  hold = new Promise((resolve) => {
    letGo = resolve;
  });
  const watcher = new Watcher();
  await turn();
  expect(asked.openCursors).toBe(1);
  watcher.subscription.close();
  letGo();
  await turn();
  expect(watcher.told).toBe(0);
  expect(asked.openCursors).toBe(0);
  expect((await engine.health()).openSnapshots).toBe(0);
});

test('[LIVE-8] changes of one turn make one emission', async () => {
  const watcher = new Watcher({ sort: [['n', 1]] });
  const count = new Watcher({}, 'count');
  await turn();
  await Promise.all(Array.from({ length: 30 }, (_, id) => items.put(row(id))));
  await turn();
  expect(watcher.rows).toHaveLength(30);
  expect(count.count).toBe(30);
  // One for the empty result, one or two for the groups that 30 writes make.
  expect(watcher.steps).toBeLessThanOrEqual(3);
});

test('[LIVE-9] a slow subscriber takes one step to the newest state', async () => {
  await items.put(...Array.from({ length: 50 }, (_, id) => row(id)));
  const slow = new Watcher({ sort: [['n', 1]], limit: 10 }, 'rows', { isSlow: true });
  await turn();
  slow.take();
  const before = slow.rows!;
  for (let round = 0; round < 200; round += 1) await items.update(round % 5, { n: 100 + round, round });
  await turn();
  expect(slow.told).toBe(2);
  slow.take();
  slow.take();
  expect(slow.steps).toBe(2);
  expect(slow.keys).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
  expect(slow.rows!.slice(0, 5)).toEqual(before.slice(5));
  expect(slow.rows!.slice(0, 5).every((each, at) => each === before[5 + at])).toBe(true);
});

test('[LIVE-9] a change that is taken back before it is taken is no step', async () => {
  await items.put(row(1), row(2));
  const slow = new Watcher({}, 'rows', { isSlow: true });
  await turn();
  slow.take();
  await items.put(row(3));
  await turn();
  await items.delete(3);
  await turn();
  slow.take();
  expect(slow.steps).toBe(1);
  await items.put(row(1));
  await turn();
  slow.take();
  expect(slow.steps).toBe(1);
});

test('[LIVE-10] a wrong query is refused, and a failing one ends alone', async () => {
  expect(() => new Watcher({ selector: { n: { $near: 1 } } })).toThrow(StoreError);
  expect(() =>
    live.open({ collection: 'items', find: { ...ALL, selector: 5 as never }, kind: 'rows' }, NOBODY),
  ).toThrow(/query|selector/);
  expect(() => engine.live({ collection: 'nothing', find: ALL, kind: 'rows' }, NOBODY)).toThrow(/no collection/i);
  expect(live.size).toBe(0);

  const sound = new Watcher();
  const failing = new Watcher({ sort: [['n', 5 as never]] });
  await turn();
  expect(failing.error).toMatchObject({ code: 'query/wrong-operand' });
  await items.put(row(1));
  await turn();
  expect(sound.keys).toEqual([1]);
  expect(live.size).toBe(1);
});

test('[LIVE-10] closing and losing the engine end live queries', async () => {
  const errors: unknown[] = [];
  const listener = { onChange: () => undefined, onError: (error: unknown) => void errors.push(error) };
  engine.live({ collection: 'items', find: ALL, kind: 'rows' }, listener);
  await turn();
  await engine.close();
  expect(errors).toMatchObject([{ code: 'store/closed' }]);
  expect(() => engine.live({ collection: 'items', find: ALL, kind: 'rows' }, listener)).toThrow(StoreError);
});

test('[LIVE-10] different live queries have a bound', () => {
  for (let n = 0; n < LIVE_QUERIES_MAX; n += 1) new Watcher({ selector: { n } }, 'count');
  expect(() => new Watcher({ selector: { n: -1 } }, 'count')).toThrow(/different live queries/);
  live.fail(new StoreError('store/closed', 'Enough.'));
  expect(live.size).toBe(0);
  expect(asked.listeners).toBe(0);
});

const NOBODY = { onChange: (): void => undefined, onError: (): void => undefined };

test('[LIVE-12] after very many changes at once results are read anew, also in the middle of a first read', async () => {
  const many = Array.from({ length: 30_000 }, (_, id) => row(id, (id * 7_919) % 30_011));
  const limited = new Watcher({ sort: [['n', -1]], skip: 2, limit: 5 });
  const some = new Watcher({ selector: { n: { $lt: 100 } } });
  const counted = new Watcher({ selector: { n: { $gte: 100 } } }, 'count');
  await turn();
  const { finds } = asked;
  await items.create(...many);
  let isRead = (): void => undefined;
  hold = new Promise((resolve) => {
    isRead = resolve;
  });
  const late = new Watcher({ sort: [['n', 1]], limit: 3 });
  await turn();
  await items.deleteMany({ id: { $gte: 25 } });
  isRead();
  hold = undefined;
  for (let left = 20; left > 0; left -= 1) await turn();
  expect(asked.finds - finds).toBeLessThan(12);
  const left = many.slice(0, 25).sort((a, b) => (a['n'] as number) - (b['n'] as number));
  expect(limited.rows).toEqual(left.toReversed().slice(2, 7));
  expect(some.rows).toEqual(
    left.filter(({ n }) => (n as number) < 100).sort((a, b) => Number(a['id']) - Number(b['id'])),
  );
  expect(counted.count).toBe(left.filter(({ n }) => (n as number) >= 100).length);
  expect(late.rows).toEqual(left.slice(0, 3));
  await items.update(left[0]!['id'] as number, { n: 1e6 });
  await turn();
  expect(late.keys).toEqual(left.slice(1, 4).map(({ id }) => id));
});

const NAMED: Partial<FindSpec> = {
  include: { named: { from: 'names', on: ['n', 'id'], one: true } },
  sort: [['id', 1]],
};

test('[LIVE-13] a change of an included row reaches those rows alone that include it', async () => {
  const names = verbsOf(engine, 'names');
  await names.create({ id: 1, name: 'one' }, { id: 2, name: 'two' });
  await items.create(row(10, 1), row(11, 2), row(12, 1), row(13, 7));
  const watcher = new Watcher({ ...NAMED, project: { id: 1 } });
  const limited = new Watcher({ ...NAMED, limit: 1 });
  await turn();
  const before = watcher.rows!;
  expect(before.map(({ named }) => (named as Row | null)?.['name'])).toEqual(['one', 'two', 'one', undefined]);
  const { finds } = asked;
  await names.update(1, { name: 'uno' });
  await turn();
  expect(watcher.rows!.map(({ named }) => (named as Row | null)?.['name'])).toEqual(['uno', 'two', 'uno', undefined]);
  expect(watcher.rows![1]).toBe(before[1]);
  expect(watcher.rows![3]).toBe(before[3]);
  // Nobody shows what is named so, and nobody is told.
  const { steps } = limited;
  await names.update(2, { name: 'due' });
  await names.create({ id: 99, name: 'nobody' });
  await turn();
  expect(limited.steps).toBe(steps);
  await names.create({ id: 7, name: 'seven' });
  await names.delete(2);
  await turn();
  expect(watcher.rows).toEqual([
    { id: 10, named: { id: 1, name: 'uno' } },
    { id: 11, named: null },
    { id: 12, named: { id: 1, name: 'uno' } },
    { id: 13, named: { id: 7, name: 'seven' } },
  ]);
  expect(asked.finds, 'the engine is asked for nothing').toBe(finds);
  expect((await engine.explain('items', { ...ALL, ...NAMED })).live).toBe('patched');
  // A value that was not known is asked for, once.
  await items.create(row(14, 99), row(15, 99));
  await turn();
  await turn();
  expect(watcher.rows!.at(-1)).toEqual({ id: 15, named: { id: 99, name: 'nobody' } });
  expect(asked.finds).toBe(finds + 1);
});

test('[LIVE-7] [LIVE-12] a query with includes is read anew after very many changes, and ends whole', async () => {
  const names = verbsOf(engine, 'names');
  await items.create(row(1), row(2));
  const watcher = new Watcher(NAMED);
  await turn();
  await names.create(...Array.from({ length: 25_000 }, (_, id) => ({ id, name: `name ${id}` })));
  for (let left = 5; left > 0; left -= 1) await turn();
  expect(watcher.rows!.map(({ named }) => (named as Row)['name'])).toEqual(['name 1', 'name 2']);
  expect(asked.listeners).toBe(2);
  watcher.subscription.close();
  expect(live.size).toBe(0);
  expect(asked).toMatchObject({ listeners: 0, openCursors: 0 });
});

test('[LIVE-10] wrong includes, projections and places are refused when they are opened', async () => {
  const codeOfOpening = (find: Partial<FindSpec>): unknown => {
    try {
      new Watcher(find);
      return 'ok';
    } catch (error) {
      return (error as StoreError).code;
    }
  };
  expect(codeOfOpening({ include: { x: { from: 'nobody', on: ['a', 'b'] } } })).toBe('store/unknown-collection');
  expect(codeOfOpening({ include: { x: { from: 'names', on: 'a' } } })).toBe('query/invalid-include');
  expect(codeOfOpening({ project: { n: 1, id: 0, m: 0 } })).toBe('query/invalid-projection');
  expect(codeOfOpening({ after: 'no cursor' })).toBe('query/invalid-cursor');
  expect(live.size).toBe(0);
  expect(asked.listeners).toBe(0);
});

test('[LIVE-1] behind a place: rows and their count', async () => {
  await items.create(...Array.from({ length: 10 }, (_, id) => row(id)));
  const place: Partial<FindSpec> = { sort: [['n', -1]], after: row(4) };
  const watcher = new Watcher({ ...place, skip: 1, limit: 2 });
  const counted = new Watcher(place, 'count');
  for (let left = 5; left > 0; left -= 1) await turn();
  expect(watcher.keys).toEqual([2, 1]);
  expect(counted.count).toBe(4);
  await items.update(9, { n: 3.5 });
  await items.update(1, { n: 8 });
  await turn();
  expect(watcher.keys).toEqual([3, 2]);
  expect(counted.count).toBe(4);
  await items.delete(0);
  await turn();
  expect(counted.count).toBe(3);
});
