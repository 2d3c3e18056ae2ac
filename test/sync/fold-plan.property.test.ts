/**
 * Goal: rule R20 for what leaves a device: batches have whole commits, in order, and no row is in two of them. Method:
 * random commits over few rows against the definition itself, by brute force.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChangesRow } from '../../src/protocol/sync-worker.ts';
import { type Group, planFold } from '../../worker/sync/fold-plan.ts';
import { rowId, rowNameOf } from '../../worker/sync/row-id.ts';

const NOTHING = { entries: new Set<number>(), rows: new Map() };
const commits = fc.array(
  fc.array(fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  {
    maxLength: 14,
  },
);

/** One entry for each part of each commit. */
function entriesOf(parts: readonly (readonly (readonly number[])[])[]): readonly ChangesRow[] {
  let id = 0;
  return parts.flatMap((commit) =>
    commit.map((keys, at) => {
      id += 2;
      return { id, rows: keys.map((key) => ['rows', key] as const), isWhole: at === commit.length - 1 };
    }),
  );
}

const keysOf = ({ rows }: Group): readonly unknown[] => [...rows.values()].map(({ key }) => key);

test('[R20] [FOLD-1] groups are whole commits in order, share no row, and none could be made smaller', () => {
  fc.assert(
    fc.property(commits, (parts) => {
      const groups = planFold(entriesOf(parts), () => NOTHING);
      expect(groups.flatMap(({ entries }) => entries)).toEqual(entriesOf(parts));
      const seen = new Set<unknown>();
      for (const group of groups) {
        expect(group.entries.at(-1)!.isWhole).toBe(true);
        for (const key of keysOf(group)) {
          expect(seen.has(key)).toBe(false);
          seen.add(key);
        }
      }
      // A cut between two commits is possible when nothing before it comes again behind it.
      const sets = parts.map((commit) => new Set(commit.flat()));
      let cuts = 0;
      for (let cut = 1; cut <= sets.length; cut++) {
        const before = new Set(sets.slice(0, cut).flatMap((set) => [...set]));
        if (!sets.slice(cut).some((set) => [...set].some((key) => before.has(key)))) cuts++;
      }
      expect(groups).toHaveLength(cuts);
    }),
    { numRuns: 500 },
  );
});

test('[FOLD-1] a commit that is not all there waits', () => {
  const entries = entriesOf([[[1]], [[2], [3]]]);
  expect(planFold(entries.slice(0, 2), () => NOTHING).map(keysOf)).toEqual([[1]]);
});

test('[FOLD-1] a commit takes along what was refused of its rows, and later commits of those', () => {
  const name = (key: number) => [rowId('rows', key), { collection: 'rows', key }] as const;
  const refused = { entries: new Set([7]), rows: new Map([name(1), name(9)]) };
  const refusedWith = (rows: Iterable<string>) => ([...rows].some((id) => refused.rows.has(id)) ? refused : NOTHING);
  const groups = planFold(entriesOf([[[5]], [[1]], [[2]], [[9]], [[3]]]), refusedWith);
  expect(groups.map(keysOf)).toEqual([[5], [1, 2, 9], [3]]);
  expect(groups.map(({ refusedEntries }) => [...refusedEntries])).toEqual([[], [7], []]);
});

test('names of rows come back from their ids, and sort by collection and key', () => {
  const names = [
    { collection: 'a', key: -1.5 },
    { collection: 'a', key: 2 },
    { collection: 'a', key: '' },
    { collection: 'a', key: 'x\u0001 y' },
    { collection: 'a-b', key: 1 },
    { collection: 'b', key: 'x' },
  ];
  const ids = names.map(({ collection, key }) => rowId(collection, key));
  expect(ids).toEqual(ids.toSorted());
  expect(ids.map(rowNameOf)).toEqual(names);
});
