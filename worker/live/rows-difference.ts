/**
 * The step from one result to another. Both are in the same order, so one walk along both finds it; rows that are the
 * very same are passed by without a look at their values.
 */
import { identical } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { ADD, CHANGE, DROP, KEEP, type RowsUpdate } from '../../src/protocol/live.ts';
import type { Entry, RowOrder } from './row-order.ts';
import { ScriptWriter } from './script-writer.ts';

/** Undefined when nothing differs that a reader could see. */
export function rowsDifference(order: RowOrder, from: readonly Entry[], to: readonly Entry[]): RowsUpdate | undefined {
  const script = new ScriptWriter();
  const rows: Row[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    const old = from[i];
    const entry = to[j];
    const side = old === entry ? 0 : old === undefined ? 1 : entry === undefined ? -1 : order.compare(old, entry);
    const isSame = side === 0 && (old === entry || identical(old!.row, entry!.row));
    const step = side < 0 ? DROP : side > 0 ? ADD : isSame ? KEEP : CHANGE;
    if (step !== ADD) i += 1;
    if (step !== DROP) j += 1;
    if (step === ADD || step === CHANGE) rows.push(entry!.row);
    script.note(step);
  }
  const steps = script.finish();
  return steps.length === 0 ? undefined : { script: steps, rows };
}
