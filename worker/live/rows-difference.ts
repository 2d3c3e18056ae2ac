/**
 * The step from one result to another. Both are in the same order, so one walk along both finds it; rows that are the
 * very same are passed by without a look at their values.
 */
import { identical } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { ADD, CHANGE, DROP, KEEP, type RowsUpdate } from '../../src/protocol/live.ts';
import type { Entry, RowOrder } from './row-order.ts';

/** Undefined when nothing differs that a reader could see. */
export function rowsDifference(order: RowOrder, from: readonly Entry[], to: readonly Entry[]): RowsUpdate | undefined {
  const script: number[] = [];
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
    note(script, step);
  }
  // What stays at the end goes without saying.
  if (stepOf(script) === KEEP) script.pop();
  while (script.length % 4 > 0) script.push(0);
  return script.length === 0 ? undefined : { script, rows };
}

/** One more of a kind: in the four numbers at the end if they are not past it, else in new ones. */
function note(script: number[], step: number): void {
  while (script.length === 0 || stepOf(script) !== step) script.push(0);
  script[script.length - 1]! += 1;
}

const stepOf = (script: readonly number[]): number => (script.length - 1) % 4;
