/** Goal: borders of projections that the oracle run does not meet, and refusals. Method: one case for each rule. */
import { expect, test } from 'vitest';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { compileProjection } from '../../worker/query/index.ts';

const row = {
  id: 1,
  title: 'a',
  at: new Date(5),
  o: { x: 1, y: { z: 2 } },
  list: [{ x: 1, y: 2 }, 5, [{ x: 3 }], { y: 4 }],
  none: null,
};
const project = (paths: unknown): Row => compileProjection(paths, 'id')?.apply(row) ?? row;

test('paths are included or excluded, and the key is there unless it is excluded', () => {
  expect(project({ title: 1 })).toEqual({ id: 1, title: 'a' });
  expect(project({ title: true, id: 0 })).toEqual({ title: 'a' });
  expect(project({ id: 1 })).toEqual({ id: 1 });
  expect(project({ id: 0 })).toEqual({ title: 'a', at: row.at, o: row.o, list: row.list, none: null });
  expect(project({ title: 0, o: false, list: 0, at: 0 })).toEqual({ id: 1, none: null });
  expect(project({ title: 0, id: 1, o: 0, list: 0, at: 0, none: 0 })).toEqual({ id: 1 });
  expect(project({ absent: 1 })).toEqual({ id: 1 });
  expect(project({})).toBe(row);
  expect(compileProjection(undefined, 'id')).toBeUndefined();
});

test('paths lead into objects, and through arrays into the objects in them', () => {
  expect(project({ 'o.y': 1 })).toEqual({ id: 1, o: { y: { z: 2 } } });
  expect(project({ 'o.y.z': 0, list: 0, title: 0, at: 0 })).toEqual({ id: 1, o: { x: 1, y: {} }, none: null });
  expect(project({ 'list.x': 1 })).toEqual({ id: 1, list: [{ x: 1 }, [{ x: 3 }], {}] });
  expect(project({ 'list.x': 0 })['list']).toEqual([{ y: 2 }, 5, [{}], { y: 4 }]);
  expect(project({ 'title.x': 1, 'at.x': 1, 'none.x': 1 })).toEqual({ id: 1 });
});

test('fields keep their order, and what is not touched is not copied', () => {
  expect(Object.keys(project({ none: 1, title: 1, o: 1 }))).toEqual(['id', 'title', 'o', 'none']);
  expect(project({ title: 0 })['o']).toBe(row.o);
});

test('wrong projections are refused with the path', () => {
  const refusals: readonly (readonly [project: unknown, path: string])[] = [
    [5, ''],
    [['title'], ''],
    [{ title: 1, o: 0 }, 'o'],
    [{ id: 0, title: 0, o: 1 }, 'o'],
    [{ title: 'yes' }, 'title'],
    [{ title: { $slice: 1 } }, 'title'],
    [{ 'list.$': 1 }, 'list.$'],
    [{ o: 1, 'o.x': 1 }, 'o.x'],
    [{ 'o.x': 1, o: 1 }, 'o'],
    [{ 'o.x.y': 1, 'o.x': 1 }, 'o.x'],
  ];
  for (const [wrong, path] of refusals) {
    expect(() => compileProjection(wrong, 'id'), JSON.stringify(wrong)).toThrow(
      expect.objectContaining({ code: 'query/invalid-projection', details: expect.objectContaining({ path }) }),
    );
  }
  expect(() => compileProjection({ 'a.__proto__': 1 }, 'id')).toThrow(StoreError);
});
