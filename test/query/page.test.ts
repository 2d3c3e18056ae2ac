/**
 * Goal: keyset pages give every row once, in order, however many rows come and go between them. Method: random walks by
 * page, with inserts and deletes between pages, on several sorts and indexes; then cursors that are none.
 */
import { describe, expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import type { IndexSpec, SortOrder } from '../../src/protocol/definition.ts';
import type { Engine } from '../../worker/engine/index.ts';
import type { Plan } from '../../worker/query/index.ts';
import { collection, createMemoryImage, index, openOnImage } from '../engine/engine-fixture.ts';
import { codeOf, verbsOf } from '../engine/engine-verbs.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { inOrder, matches } from '../oracle/plain-selector.ts';

const SORTS: readonly SortOrder[] = [
  [],
  [['id', -1]],
  [['n', 1]],
  [['n', -1]],
  [
    ['s', 1],
    ['n', -1],
  ],
  [['tags', 1]],
  [['tags', -1]],
  [['o.x', 1]],
];
const SELECTORS = [
  {},
  { s: 'a' },
  { n: { $gte: 2 } },
  { $or: [{ s: 'b' }, { n: 1 }] },
  { tags: 3 },
  { s: { $in: ['a', 'b'] } },
] as const;
const INDEXES: readonly (readonly IndexSpec[])[] = [
  [],
  [index('n'), index(['s', 'n']), index('tags', { multi: true }), index('o.x')],
  [index('s'), index('n', { sparse: true })],
];

async function storeOf(rows: readonly Row[], indexes: readonly IndexSpec[]): Promise<Engine> {
  const engine = await openOnImage(createMemoryImage(), [collection('items', indexes), collection('others')]);
  if (rows.length > 0) await verbsOf(engine).create(...rows);
  return engine;
}

const rowOf = (random: () => number, id: number | string): Row => {
  const int = (below: number): number => Math.floor(random() * below);
  return {
    id,
    ...(random() < 0.8 ? { n: int(5) } : {}),
    s: ['a', 'b', 'c\u0000', ''][int(4)],
    ...(random() < 0.6 ? { tags: Array.from({ length: int(3) }, () => int(5)) } : {}),
    o: random() < 0.8 ? { x: int(3) } : 5,
  };
};
const idsOf = (rows: readonly Row[]): readonly unknown[] => rows.map(({ id }) => id);

describe('pages', () => {
  for (const [at, sort] of SORTS.entries()) {
    test(`[QRY-3] sort ${JSON.stringify(sort)}: each row that stays comes once, in order`, async () => {
      const random = createSeededRandom(600 + at);
      for (const indexes of INDEXES) {
        for (const selector of SELECTORS) {
          const rows = Array.from({ length: 40 }, (_, key) => rowOf(random, random() < 0.5 ? key : `k${key}`));
          const engine = await storeOf(rows, indexes);
          const items = verbsOf(engine);
          const fleeting = new Set<unknown>();
          const seen: Row[] = [];
          let after: unknown;
          // Any way that the planner knows, from page to page another one.
          const choose = (plans: readonly Plan[]): Plan => plans[Math.floor(random() * plans.length)]!;
          for (let pages = 0; ; pages += 1) {
            const page = await items.page(selector, 1 + Math.floor(random() * 6), { sort, after, choose });
            seen.push(...page.rows);
            if (page.next === undefined) break;
            expect(pages).toBeLessThan(60);
            // The last row may go before the next page is asked for.
            after = random() < 0.7 ? page.next : page.rows.at(-1);
            const gone = random() < 0.5 ? page.rows.at(-1)!['id'] : `k${Math.floor(random() * 40)}`;
            fleeting.add(gone);
            await items.delete(gone as string);
            const fresh = rowOf(random, `new${pages}`);
            fleeting.add(fresh['id']);
            await items.create(fresh);
          }
          const expected = inOrder(
            rows.filter((row) => matches(row, selector)),
            sort,
          );
          const stays = (row: Row): boolean => !fleeting.has(row['id']);
          expect(idsOf(seen.filter(stays))).toEqual(idsOf(expected.filter(stays)));
          expect(new Set(idsOf(seen)).size).toBe(seen.length);
          await engine.close();
        }
      }
    });
  }

  test('the last page says so, and an empty answer is one page', async () => {
    const items = verbsOf(await storeOf([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }], []));
    const first = await items.page({}, 2);
    expect(idsOf(first.rows)).toEqual([1, 2]);
    const second = await items.page({}, 2, { after: first.next });
    expect(second).toEqual({ rows: [{ id: 3 }, { id: 4 }], next: undefined });
    expect(await items.page({ id: 9 }, 2)).toEqual({ rows: [], next: undefined });
    expect(first.next).toMatch(/^[\w-]+$/);
  });

  test('after works in find, with skip, limit and projection', async () => {
    const rows = Array.from({ length: 9 }, (_, id) => ({ id, n: 8 - id, s: 'x' }));
    const items = verbsOf(await storeOf(rows, [index('n')]));
    const options = { sort: [['n', 1]] as const, after: rows[6] };
    expect(idsOf(await items.find({}, options))).toEqual([5, 4, 3, 2, 1, 0]);
    expect(idsOf(await items.find({}, { ...options, skip: 2, limit: 2 }))).toEqual([3, 2]);
    expect(await items.find({}, { ...options, limit: 1, project: { n: 1 } })).toEqual([{ id: 5, n: 3 }]);
  });
});

describe('cursors that are none', () => {
  const rows = [{ id: 1, n: 1 }];

  test('are refused by name', async () => {
    const items = verbsOf(await storeOf(rows, []));
    const { next = '' } = await verbsOf(await storeOf([...rows, { id: 2, n: 2 }], [])).page({}, 1, {
      sort: [['n', 1]],
    });
    const sort = [['n', 1]] as const;
    expect(await codeOf(items.find({}, { sort, after: next }))).toBe('ok');
    const wrong = [
      next.slice(1),
      next.slice(0, -6),
      `${next}AA`,
      'x',
      '',
      5,
      null,
      [],
      {},
      { id: true },
      { id: Number.NaN },
    ];
    for (const after of wrong)
      expect(await codeOf(items.find({}, { sort, after })), String(after)).toBe('query/invalid-cursor');
    const forge = (content: unknown): string => btoa(JSON.stringify(content));
    for (const content of [
      5,
      [],
      [2, 'items', sort, '\b', '2'],
      [1, 'items', sort, '\b'],
      [1, 'items', sort, 5, '2', '2'],
      [1, 'items', sort, '\b', 'x', '2'],
    ])
      expect(await codeOf(items.find({}, { sort, after: forge(content) }))).toBe('query/invalid-cursor');
  });

  test('of another sort, of another collection, or without what the sort needs', async () => {
    const engine = await storeOf([...rows, { id: 2, n: 2 }], []);
    const items = verbsOf(engine);
    const { next } = await items.page({}, 1, { sort: [['n', 1]] });
    expect(await codeOf(items.find({}, { sort: [['n', -1]], after: next }))).toBe('query/invalid-cursor');
    expect(await codeOf(verbsOf(engine, 'others').find({}, { sort: [['n', 1]], after: next }))).toBe(
      'query/invalid-cursor',
    );
    const projected = { sort: [['n', 1]] as const, after: { id: 1 }, project: { n: 0 } };
    expect(await codeOf(items.find({}, projected))).toBe('query/invalid-cursor');
    expect(await codeOf(items.find({}, { ...projected, project: { n: 1 } }))).toBe('ok');
  });
});
