/**
 * What turns one sequence into another, as few insertions and removals: the greedy algorithm of Myers, "An O(ND)
 * difference algorithm and its variations" (1986), on what is left between the common ends.
 */

/** At `at` of the old sequence, `removed` elements go, and those of the new one from `from` to `to` come. */
export type Edit = { readonly at: number; readonly removed: number; readonly from: number; readonly to: number };

/** Insertions and removals that are looked for. Time and memory go with its square; beyond, the middle is replaced. */
const STEPS_MAX = 256;

/** Ascending, not touching each other. Applied from the last to the first, their positions stay right. */
export function editsBetween<T>(
  before: ArrayLike<T>,
  after: ArrayLike<T>,
  isSame: (a: T, b: T) => boolean,
): readonly Edit[] {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isSame(before[start]!, after[start]!)) start += 1;
  let end = 0;
  while (end < shorter - start && isSame(before[before.length - 1 - end]!, after[after.length - 1 - end]!)) end += 1;
  const n = before.length - start - end;
  const m = after.length - start - end;
  if (n === 0 && m === 0) return [];
  const whole: Edit = { at: start, removed: n, from: start, to: start + m };
  if (n === 0 || m === 0) return [whole];
  const rounds = findPath(n, m, (x, y) => isSame(before[start + x]!, after[start + y]!));
  return rounds === undefined ? [whole] : walkBack(rounds, n, m, start);
}

/** The furthest x on each diagonal, by the number of steps; undefined when there are too many. */
function findPath(n: number, m: number, isSameAt: (x: number, y: number) => boolean): Int32Array[] | undefined {
  const stepsMax = Math.min(n + m, STEPS_MAX);
  const furthest = new Int32Array(2 * stepsMax + 3);
  const zero = stepsMax + 1;
  const rounds: Int32Array[] = [];
  for (let steps = 0; steps <= stepsMax; steps += 1) {
    rounds.push(furthest.slice(zero - steps - 1, zero + steps + 2));
    for (let diagonal = -steps; diagonal <= steps; diagonal += 2) {
      const at = zero + diagonal;
      let x = isDown(furthest, at, diagonal, steps) ? furthest[at + 1]! : furthest[at - 1]! + 1;
      while (x < n && x - diagonal < m && isSameAt(x, x - diagonal)) x += 1;
      furthest[at] = x;
      if (x >= n && x - diagonal >= m) return rounds;
    }
  }
  return undefined;
}

/** Whether the way to a diagonal comes from the one above it, by an insertion. */
const isDown = (furthest: Int32Array, at: number, diagonal: number, steps: number): boolean =>
  diagonal === -steps || (diagonal !== steps && furthest[at - 1]! < furthest[at + 1]!);

function walkBack(rounds: readonly Int32Array[], n: number, m: number, start: number): readonly Edit[] {
  const edits: Edit[] = [];
  let x = n;
  let y = m;
  for (let steps = rounds.length - 1; steps > 0; steps -= 1) {
    const diagonal = x - y;
    const furthest = rounds[steps]!;
    const at = steps + 1 + diagonal;
    const wasInserted = isDown(furthest, at, diagonal, steps);
    const from = wasInserted ? furthest[at + 1]! : furthest[at - 1]!;
    const above = from - (wasInserted ? diagonal + 1 : diagonal - 1);
    const edit = {
      at: start + from,
      removed: wasInserted ? 0 : 1,
      from: start + above,
      to: start + above + (wasInserted ? 1 : 0),
    };
    const next = edits.at(-1);
    // Steps without anything common between them are one edit.
    if (next !== undefined && next.at === edit.at + edit.removed && next.from === edit.to) {
      edits[edits.length - 1] = { at: edit.at, removed: edit.removed + next.removed, from: edit.from, to: next.to };
    } else edits.push(edit);
    x = from;
    y = above;
  }
  return edits.reverse();
}
