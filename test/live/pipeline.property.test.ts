/**
 * Goal: a live aggregation is always what asking again would give, patched or run again. Method: seeded random writes on two
 * collections, several at once, with pipelines of every kind open; when all is quiet each one equals a rerun, and so does
 * what its steps add up to. `LIVE_STEPS=10000` for the long run, `LIVE_SEED=n` for one seed.
 */
import { expect, test } from 'vitest';
import { deepEqual, identical } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import type { PipelineSpec } from '../../src/protocol/definition.ts';
import type { LiveSubscription, LiveUpdate } from '../../src/protocol/live.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { drain, verbsOf } from '../engine/engine-verbs.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { applyUpdate, lostIdentities } from './live-steps.ts';

const RUNS = 5;
const STEPS = Number(process.env['LIVE_STEPS'] ?? 400) / RUNS;
const FIRST_SEED = Number(process.env['LIVE_SEED'] ?? 9_001);
const seeds = Array.from({ length: process.env['LIVE_SEED'] === undefined ? RUNS : 1 }, (_, at) => FIRST_SEED + at);
/** Turns of the event loop in which everything must have been told. */
const TURNS_MAX = 500;

const PATCHED: readonly PipelineSpec[] = [
  [{ $group: { _id: '$group', count: { $sum: 1 }, total: { $sum: '$n' }, mean: { $avg: '$n' } } }],
  [{ $match: { n: { $gt: 3 } } }, { $group: { _id: '$group', least: { $min: '$n' }, most: { $max: '$n' } } }],
  [{ $group: { _id: { group: '$group', odd: { $mod: ['$n', 2] } }, count: { $count: {} } } }, { $sort: { count: -1 } }],
  [{ $sortByCount: '$group' }, { $limit: 2 }],
  [{ $group: { _id: null, fractions: { $sum: '$part' } } }],
  [{ $match: { group: { $in: ['a', 'b'] } } }, { $bucket: { groupBy: '$n', boundaries: [0, 3, 6], default: 'more' } }],
  [{ $group: { _id: '$group', total: { $sum: '$n' } } }, { $project: { _id: 0, total: 1 } }],
];
const RERUN: readonly PipelineSpec[] = [
  [{ $sort: { n: -1, id: 1 } }, { $limit: 5 }, { $group: { _id: '$group', count: { $sum: 1 } } }],
  [
    { $match: { n: { $lt: 6 } } },
    { $project: { n: 1, double: { $multiply: ['$n', 2] } } },
    { $sort: { n: 1, _id: 1 } },
  ],
  [{ $unwind: '$tags' }, { $group: { _id: '$tags', count: { $sum: 1 } } }],
  [{ $group: { _id: '$group', first: { $first: '$n' } } }],
  [{ $lookup: { from: 'names', localField: 'group', foreignField: 'id', as: 'named' } }, { $limit: 8 }],
  [{ $lookup: { from: 'items', localField: 'group', foreignField: 'group', as: 'peers' } }, { $limit: 3 }],
  [{ $match: { group: 'a' } }, { $count: 'rows' }],
];

type Watched = {
  readonly pipeline: PipelineSpec;
  readonly isCount: boolean;
  readonly subscription: LiveSubscription;
  rows: readonly Row[];
  count: number | undefined;
};

for (const seed of seeds) {
  test(`[LIVE-11] [LIVE-9] seed ${seed}: in ${STEPS} steps aggregations equal a rerun`, { timeout: 3_600_000 }, () =>
    run(seed),
  );
}

test('[LIVE-11] explain says what is patched and what is run again', async () => {
  const engine = await openEngine(false);
  for (const pipeline of PATCHED) expect((await explain(engine, pipeline)).live).toBe('patched');
  for (const pipeline of RERUN) expect((await explain(engine, pipeline)).live).toBe('rerun');
  await engine.close();
});

async function run(seed: number): Promise<void> {
  const random = createSeededRandom(seed);
  const int = (most: number): number => Math.floor(random() * most);
  const pick = <T>(of: readonly T[]): T => of[int(of.length)]!;
  const engine = await openEngine(seed % 2 === 0);
  const items = verbsOf(engine, 'items', seed % 3 === 0 ? 'deferred' : 'relaxed');
  const names = verbsOf(engine, 'names', 'relaxed');
  const watched: Watched[] = [];
  const fail = (text: string, { pipeline }: Watched, detail: unknown): never => {
    throw new Error(`Seed ${seed}: ${text} ${JSON.stringify(pipeline)}\n${JSON.stringify(detail)}`);
  };
  const take = (each: Watched): void => {
    const update: LiveUpdate | undefined = each.subscription.take();
    if (update === undefined) return;
    if ('count' in update) {
      each.count = update.count;
      return;
    }
    const next = applyUpdate(each.rows, update);
    // Rows without an _id of their own are paired by their places.
    const hasIds = next.every(({ _id }) => _id !== undefined);
    if (hasIds && lostIdentities(each.rows, next, identical) > 0) fail('identity lost', each, [each.rows, next]);
    each.rows = next;
  };
  const open = (): void => {
    const pipeline = pick(random() < 0.6 ? PATCHED : RERUN);
    const isCount = random() < 0.2;
    const listener = { onChange: () => take(each), onError: (error: unknown) => fail('it failed:', each, `${error}`) };
    const subscription = engine.live({ collection: 'items', pipeline, kind: isCount ? 'count' : 'rows' }, listener);
    const each: Watched = { pipeline, isCount, subscription, rows: [], count: undefined };
    watched.push(each);
  };
  const write = (): Promise<unknown> => {
    const id = int(60);
    const choice = random();
    if (choice < 0.5) {
      const tags = ['x', 'y', 'z'].slice(int(3));
      return items.put({ id, group: pick(['a', 'b', 'c', null]), n: int(10), part: random(), tags });
    }
    if (choice < 0.7) return items.update(id, { n: int(10) });
    if (choice < 0.9) return items.delete(id);
    return names.put({ id: pick(['a', 'b', 'c']), name: `name ${int(100)}` });
  };
  for (let step = 0; step < STEPS; step += 1) {
    if (watched.length < 6 && random() < 0.4) open();
    else if (watched.length > 0 && random() < 0.1) watched.splice(int(watched.length), 1)[0]!.subscription.close();
    await Promise.all(Array.from({ length: 1 + int(4) }, write));
    for (const each of watched) {
      const wanted = await drain(engine.aggregate('items', each.pipeline), 1_000);
      const isThere = (): boolean => (each.isCount ? each.count === wanted.length : deepEqual(each.rows, wanted));
      for (let turn = 0; !isThere() && turn < TURNS_MAX; turn += 1)
        await new Promise((resolve) => setImmediate(resolve));
      if (!isThere()) fail('another answer:', each, [each.rows, wanted]);
    }
  }
  for (const { subscription } of watched) subscription.close();
  await engine.close();
}

function openEngine(hasIndexes: boolean): Promise<Engine> {
  const indexes = hasIndexes ? [index('group'), index('n')] : [];
  return openOnImage(createMemoryImage(), [collection('items', indexes), collection('names')]);
}

async function explain(engine: Engine, pipeline: PipelineSpec) {
  const cursor = engine.aggregate('items', pipeline);
  await drain(cursor, 1_000);
  return cursor.explain();
}
