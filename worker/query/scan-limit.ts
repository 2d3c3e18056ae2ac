/** The bound on rows that are read because no index serves. */
import { StoreError } from '../../src/base/store-error.ts';
import { type FindPlan, hintFor } from './planner/index.ts';

/** Throws `query/too-many-rows` when no index serves, and the plan reads more rows than allowed. */
export function checkScan(plan: FindPlan, rowsMax: number): void {
  if (plan.access !== 'scan') return;
  // An index serves, and reading all is the cheaper way nevertheless: for most of the rows, or for many values.
  if (plan.considered.some((other) => other.access !== 'scan' && other.residual.length < plan.residual.length)) return;
  const isPrefix = plan.isSorted && plan.residual.length === 0;
  const rows = isPrefix ? Math.min(plan.rows, plan.skip + plan.limit) : plan.rows;
  if (rows <= rowsMax) return;
  const { collection } = plan;
  throw new StoreError('query/too-many-rows', `A query of ${collection} would read ${rows} rows without an index.`, {
    details: { collection, rows, limit: rowsMax },
    hint: `${hintFor(plan) ?? 'Give it a limit, or a condition on an indexed path.'} Or raise scanRowsMax.`,
  });
}
