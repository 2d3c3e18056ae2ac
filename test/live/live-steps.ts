/** Applying what live queries tell, as a page does, and asking again, as nobody has to. */
import type { Row } from '../../src/base/row.ts';
import type { LiveUpdate } from '../../src/protocol/live.ts';

/** The new result, from the old one and a step. Written for clearness, not as the client has it. */
export function applyUpdate(old: readonly Row[], update: LiveUpdate): readonly Row[] {
  if ('count' in update) throw new Error('A count is no step of rows.');
  const { script, rows } = update;
  const next: Row[] = [];
  const rest = [...old];
  const news = [...rows];
  if (script.length % 4 !== 0) throw new Error(`A script of ${script.length} numbers.`);
  for (let i = 0; i < script.length; i += 4) {
    const [kept, changed, dropped, added] = script.slice(i, i + 4) as [number, number, number, number];
    next.push(...rest.splice(0, kept), ...news.splice(0, changed + added));
    rest.splice(0, changed + dropped);
  }
  if (news.length > 0) throw new Error(`${news.length} rows too many came.`);
  return [...next, ...rest];
}

/** Places that hold other objects although the rows are the same: what a page would render for nothing. */
export const lostIdentities = (
  old: readonly Row[],
  next: readonly Row[],
  same: (a: Row, b: Row) => boolean,
): number => {
  const kept = new Set(old);
  return next.filter((row) => !kept.has(row) && old.some((before) => same(before, row))).length;
};
