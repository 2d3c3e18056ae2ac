/** A scripted life of a small store, and the states that it passes through: what crash and fault tests run again and again. */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, index } from './engine-fixture.ts';
import { LONG, verbsOf } from './engine-verbs.ts';

export const COLLECTIONS: readonly CollectionSpec[] = [
  collection('items', [
    index('n'),
    index('tags', { multi: true }),
    index('code', { unique: true, sparse: true }),
    index(['status', 'n'], { where: { status: 'open' } }),
  ]),
  collection('others', [index('x')]),
];

export type Step = { readonly name: string; readonly run: (engine: Engine) => Promise<unknown> };
export type Content = { readonly items: readonly Row[]; readonly others: readonly Row[] };

const BIG = 'b'.repeat(70_000);
const bulk = (from: number, count: number): readonly Row[] =>
  Array.from({ length: count }, (_, at) => ({
    id: from + at,
    n: at % 5,
    status: at % 2 === 0 ? 'open' : 'closed',
    tags: [at % 3, 't'],
  }));

/** Every public operation that writes, checkpoints and compactions among them. */
export const STEPS: readonly Step[] = [
  {
    name: 'create',
    run: (engine) => verbsOf(engine).create({ id: 1, n: 1, code: 'a', tags: ['x', 'y'], status: 'open' }),
  },
  { name: 'createMany', run: (engine) => verbsOf(engine).create(...bulk(100, 40)) },
  { name: 'put', run: (engine) => verbsOf(engine).put({ id: 1, n: 2, code: 'b', status: 'closed' }) },
  { name: 'checkpoint', run: (engine) => engine.checkpoint() },
  { name: 'create large', run: (engine) => verbsOf(engine).create({ id: 2, n: 2, big: BIG }) },
  { name: 'update', run: (engine) => verbsOf(engine).update(100, { $inc: { n: 10 }, $push: { tags: 'new' } }) },
  { name: 'updateMany', run: (engine) => verbsOf(engine).updateMany({ n: { $gte: 3 } }, { status: 'open' }) },
  { name: 'replace large', run: (engine) => verbsOf(engine).put({ id: 2, n: 3, big: `${BIG}2` }) },
  { name: 'other collection', run: (engine) => verbsOf(engine, 'others').create({ id: 'o', x: 1 }, { id: 'p', x: 2 }) },
  { name: 'second checkpoint', run: (engine) => engine.checkpoint() },
  { name: 'delete', run: (engine) => verbsOf(engine).delete(101) },
  { name: 'deleteMany', run: (engine) => verbsOf(engine).deleteMany({ tags: 1 }) },
  { name: 'delete large', run: (engine) => verbsOf(engine).delete(2) },
  { name: 'createIndex', run: (engine) => engine.createIndex('items', index('status', { name: 'late' }), LONG) },
  { name: 'dropIndex', run: (engine) => engine.dropIndex('items', 'late') },
  { name: 'compact', run: (engine) => engine.compact(LONG) },
  { name: 'last create', run: (engine) => verbsOf(engine).create({ id: 3, code: 'c' }) },
];

export async function contentOf(engine: Engine): Promise<Content> {
  return { items: await verbsOf(engine).all(), others: await verbsOf(engine, 'others').all() };
}

/** What the store holds before the first step, and after each. */
export async function contentsOf(open: () => Promise<Engine>): Promise<readonly Content[]> {
  const engine = await open();
  const contents = [await contentOf(engine)];
  for (const { run } of STEPS) {
    await run(engine);
    contents.push(await contentOf(engine));
  }
  await engine.close();
  return contents;
}

export const sameContent = (a: Content, b: Content): boolean => deepEqual(a, b);
