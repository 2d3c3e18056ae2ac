/** Goal: edits turn the old sequence into the new one, and are few. Method: random sequences against a plain edit distance. */
import { expect, test } from 'vitest';
import { editsBetween } from '../../worker/documents/sequence-edits.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

function applied(before: readonly string[], after: readonly string[]): { result: string[]; cost: number } {
  const result = [...before];
  let cost = 0;
  for (const { at, removed, from, to } of editsBetween(before, after, Object.is).toReversed()) {
    result.splice(at, removed, ...after.slice(from, to));
    cost += removed + to - from;
  }
  return { result, cost };
}

/** Insertions and removals that are needed, by the table that everybody knows. */
function distance(before: readonly string[], after: readonly string[]): number {
  let row = Array.from({ length: after.length + 1 }, (_, at) => at);
  for (let i = 1; i <= before.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= after.length; j += 1) {
      next.push(before[i - 1] === after[j - 1] ? row[j - 1]! : 1 + Math.min(row[j]!, next[j - 1]!));
    }
    row = next;
  }
  return row.at(-1)!;
}

test('random sequences: the result is right and no shorter way exists', () => {
  for (let seed = 1; seed <= 3_000; seed += 1) {
    const random = createSeededRandom(seed);
    const letters = 'abcdefgh'.slice(0, 1 + Math.floor(random() * 8));
    const sequence = (): string[] =>
      Array.from({ length: Math.floor(random() * 20) }, () => letters[Math.floor(random() * letters.length)]!);
    const before = sequence();
    const after = random() < 0.5 ? sequence() : before.filter(() => random() < 0.8).concat(random() < 0.5 ? ['x'] : []);
    const { result, cost } = applied(before, after);
    expect(result, `seed ${seed}`).toEqual(after);
    expect(cost, `seed ${seed}`).toBe(distance(before, after));
  }
});

test('sequences with nothing in common are replaced between their common ends, in time', () => {
  const before = ['first', ...Array.from({ length: 20_000 }, (_, at) => `old ${at}`), 'last'];
  const after = ['first', ...Array.from({ length: 20_000 }, (_, at) => `new ${at}`), 'last'];
  expect(editsBetween(before, after, Object.is)).toEqual([{ at: 1, removed: 20_000, from: 1, to: 20_001 }]);
});
