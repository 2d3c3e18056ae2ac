/**
 * The page's part of an update in a collection whose schema only the page has: the engine sends what the rows would
 * become, and stores what comes back. It repeats that when others were faster.
 */
import { encodeRows } from '../base/codec/index.ts';
import type { Row } from '../base/row.ts';
import type { StoreError } from '../base/store-error.ts';
import type { CollectionContext } from './collection-context.ts';
import type { Pending } from './link.ts';
import { checkSchema, Refusal } from './prepare-row.ts';
import { attributed, invalidDocuments, ROW_PROBLEMS_MAX, type RowProblem } from './row-problem.ts';
import { createPause } from './slices.ts';

/** Checks the rows of a call that was just made. A wrong one ends it; `isOne`: the application has named one row. */
export function checkRows(context: CollectionContext, pending: Pending, isOne: boolean): void {
  const { link } = context;
  pending.onRows = async (rows, [first]) => {
    const problems: RowProblem[] = [];
    const results: Row[] = [];
    const pause = createPause(link.platform);
    try {
      for (const row of rows) {
        await pause();
        const checked = await checkSchema(context, row);
        if (!(checked instanceof Refusal)) results.push(checked);
        else if (isOne) throw checked.error;
        else {
          const { key, issues } = checked;
          problems.push({ row: first! + results.length + problems.length, key, issues });
        }
        if (problems.length === ROW_PROBLEMS_MAX) break;
      }
      if (problems.length > 0) throw invalidDocuments(context, problems);
      link.post(['rows', pending.call[1], results.length, false], encodeRows(results));
    } catch (error) {
      // When all rows were checked, it is the codec that refuses one.
      const isStorage = results.length === rows.length;
      link.cancel(pending, isStorage ? attributed(error as StoreError, context, results, isOne || undefined) : error);
    }
  };
}
