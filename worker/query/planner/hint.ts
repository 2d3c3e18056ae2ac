/** Advice on indexes: which one would have answered a question that had to read or to sort many rows. */
import { conditionsOf } from './conditions.ts';
import type { FindPlan } from './plan.ts';

/** Collections of fewer rows are read as fast as an index. */
const ROWS_MIN = 1_000;

export function hintFor(plan: FindPlan): string | undefined {
  const { parts, rows, keyField } = plan;
  if (rows < ROWS_MIN) return undefined;
  const readsAll = plan.access === 'scan' && plan.residual.length > 0;
  if (!readsAll && plan.isSorted) return undefined;
  // Values first, then the order, or else one range.
  const conditions = parts.flatMap(conditionsOf).filter(({ path }) => path !== keyField);
  const equal = conditions.filter(({ type }) => type === 'equals').map(({ path }) => path);
  const ranges = conditions.filter(({ type }) => type === 'range').map(({ path }) => path);
  // The key stands at the end of every index.
  const sort = plan.sort.filter(([path]) => path !== keyField);
  const isOneWay = sort.length > 0 && plan.sort.every(([, direction]) => direction === plan.sort[0]![1]);
  const order = isOneWay ? sort.map(([path]) => path) : ranges.slice(0, 1);
  const paths = [...new Set([...equal, ...order])];
  if (paths.length === 0) return undefined;
  const index = paths.length === 1 ? `'${paths[0]}'` : `[${paths.map((path) => `'${path}'`).join(', ')}]`;
  return `An index on ${index} would spare ${readsAll ? `reading all ${rows} rows` : 'sorting in memory'}.`;
}
