/**
 * Goal: `include` gives each row what belongs to it, the same with and without indexes. Method: a small world of users,
 * posts and comments, answers written out; a random one against a plain join.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { verbsOf } from '../engine/engine-verbs.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const USERS = [
  { id: 'u1', name: 'Ada' },
  { id: 'u2', name: 'Ben' },
];
const POSTS = [
  { id: 'p1', author: 'u1', readers: ['u2', 'u1', 'u9'] },
  { id: 'p2', author: 'u9', readers: [] },
  { id: 'p3', readers: ['u2'] },
];
const COMMENTS = [
  { id: 'c1', post: 'p1', by: 'u2', likes: 1 },
  { id: 'c2', post: 'p1', by: 'u1', likes: 5 },
  { id: 'c3', post: 'p3', by: 'u2', likes: 0 },
  { id: 'c4', likes: 9 },
];

async function openWorld(isIndexed: boolean): Promise<Engine> {
  const engine = await openOnImage(createMemoryImage(), [
    collection('users'),
    collection('posts'),
    collection('comments', isIndexed ? [index('post')] : []),
  ]);
  await verbsOf(engine, 'users').create(...USERS);
  await verbsOf(engine, 'posts').create(...POSTS);
  await verbsOf(engine, 'comments').create(...COMMENTS);
  return engine;
}

async function find(engine: Engine, from: string, more: Partial<FindSpec>): Promise<readonly Row[]> {
  const cursor = engine.find(from, { selector: {}, sort: [], limit: undefined, skip: 0, ...more });
  const rows: Row[] = [];
  try {
    for (;;) {
      const chunk = await cursor.next(2);
      rows.push(...chunk.rows);
      if (chunk.done) return rows;
    }
  } finally {
    cursor.close();
    expect((await engine.health()).openSnapshots).toBe(0);
  }
}

for (const isIndexed of [false, true]) {
  describe(isIndexed ? 'with an index' : 'without an index', () => {
    test('one, many and elements of arrays; what refers to nothing gets nothing', async () => {
      const engine = await openWorld(isIndexed);
      const include = {
        writer: { from: 'users', on: ['author', 'id'], one: true },
        comments: { from: 'comments', on: ['id', 'post'] },
        readBy: { from: 'users', on: ['readers', 'id'] },
      };
      expect(await find(engine, 'posts', { include, project: { id: 1 } })).toEqual([
        { id: 'p1', writer: USERS[0], comments: [COMMENTS[0], COMMENTS[1]], readBy: USERS },
        { id: 'p2', writer: null, comments: [], readBy: [] },
        { id: 'p3', writer: null, comments: [COMMENTS[2]], readBy: [USERS[1]] },
      ]);
      const nothing = { same: { from: 'comments', on: ['none', 'post'] } };
      expect((await find(engine, 'users', { include: nothing }))[0]).toEqual({ ...USERS[0], same: [] });
    });

    test('where, sort and limit for each row, and nested', async () => {
      const engine = await openWorld(isIndexed);
      const writer = {
        from: 'users',
        on: ['by', 'id'],
        one: true,
        include: { posts: { from: 'posts', on: ['id', 'author'] } },
      };
      const include = {
        top: { from: 'comments', on: ['id', 'post'], sort: { likes: -1 }, limit: 1, include: { writer } },
        liked: { from: 'comments', on: ['id', 'post'], where: { likes: { $gt: 3 } } },
      };
      const [first, , third] = await find(engine, 'posts', { include });
      expect(first).toEqual({
        ...POSTS[0],
        top: [{ ...COMMENTS[1], writer: { ...USERS[0], posts: [POSTS[0]] } }],
        liked: [COMMENTS[1]],
      });
      expect(third).toMatchObject({ top: [{ id: 'c3', writer: { id: 'u2', posts: [] } }], liked: [] });
      const latest = { last: { from: 'comments', on: ['id', 'post'], one: true, sort: [['id', -1]] } };
      expect((await find(engine, 'posts', { include: latest, limit: 1 }))[0]!['last']).toEqual(COMMENTS[1]);
    });

    test('pages include as well', async () => {
      const engine = await openWorld(isIndexed);
      const include = { comments: { from: 'comments', on: ['id', 'post'] } };
      const spec = { selector: {}, sort: [], limit: 2, skip: 0, include };
      const page = await engine.page('posts', spec);
      expect(page.rows.map(({ comments }) => (comments as Row[]).length)).toEqual([2, 0]);
      const next = await engine.page('posts', { ...spec, after: page.next });
      expect(next.rows).toEqual([{ ...POSTS[2], comments: [COMMENTS[2]] }]);
    });
  });
}

test('a random world agrees with a plain join', async () => {
  const seed = 20_260_011;
  const random = createSeededRandom(seed);
  const below = (most: number): number => Math.floor(random() * most);
  const left = Array.from({ length: 3_000 }, (_, id) => ({ id, ref: below(700), refs: [below(700), below(700)] }));
  const right = Array.from({ length: 900 }, (_, id) => ({ id, code: below(700) }));
  for (const indexes of [[], [index('code')]]) {
    const engine = await openOnImage(createMemoryImage(), [collection('left'), collection('right', indexes)]);
    await verbsOf(engine, 'left').create(...left);
    await verbsOf(engine, 'right').create(...right);
    const include = {
      one: { from: 'right', on: ['ref', 'code'], one: true },
      many: { from: 'right', on: ['refs', 'code'] },
    };
    const rows = await find(engine, 'left', { include });
    const expected = left.map((row) => ({
      ...row,
      one: right.find(({ code }) => code === row.ref) ?? null,
      many: right.filter(({ code }) => row.refs.includes(code)),
    }));
    expect(rows, `seed ${seed}, ${indexes.length} indexes`).toEqual(expected);
    await engine.close();
  }
});

describe('refused by the path to the wrong part', () => {
  const one = { from: 'users', on: ['author', 'id'] };
  const deep = (levels: number): object => ({ x: { ...one, ...(levels === 0 ? {} : { include: deep(levels - 1) }) } });

  test.each<readonly [include: unknown, code: string, path: string | undefined]>([
    [5, 'query/invalid-include', 'include'],
    [{ writer: 'users' }, 'query/invalid-include', 'include.writer'],
    [{ writer: { on: ['a', 'b'] } }, 'query/invalid-include', 'include.writer.from'],
    [{ writer: { from: 'users', on: 'author' } }, 'query/invalid-include', 'include.writer.on'],
    [{ writer: { from: 'users', on: ['author'] } }, 'query/invalid-include', 'include.writer.on'],
    [{ writer: { ...one, many: true } }, 'query/invalid-include', 'include.writer.many'],
    [{ writer: { ...one, one: 1 } }, 'query/invalid-include', 'include.writer.one'],
    [{ writer: { ...one, limit: -1 } }, 'query/invalid-include', 'include.writer.limit'],
    [{ writer: { ...one, sort: { name: 'up' } } }, 'query/invalid-include', 'include.writer.sort'],
    [{ writer: { ...one, where: { name: { $near: 1 } } } }, 'query/unknown-operator', 'include.writer.where.name'],
    [{ writer: { ...one, include: { 'a.b': one } } }, 'query/invalid-include', 'include.writer.include.a.b'],
    [{ constructor: one }, 'query/invalid-include', 'include.constructor'],
    [{ writer: { from: 'users', on: ['__proto__', 'id'] } }, 'query/forbidden-path', '__proto__'],
    [{ writer: { from: 'nobody', on: ['a', 'b'] } }, 'store/unknown-collection', undefined],
    [deep(5), 'query/invalid-include', `include${'.x.include'.repeat(5)}`],
    [Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`x${at}`, one])), 'query/invalid-include', 'include'],
  ])('%j', async (include, code, path) => {
    const engine = await openWorld(false);
    const error = await find(engine, 'posts', { include }).catch((caught: StoreError) => caught);
    expect(error).toMatchObject({ code });
    expect((error as StoreError).details['path']).toBe(path);
    expect((await engine.health()).openSnapshots).toBe(0);
  });
});
