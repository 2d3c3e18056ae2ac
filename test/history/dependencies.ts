/** Which transactions must come before which, as the lists tell. */
import type { Edge, Read, Transaction } from './history.ts';

/** The value's place: who appended it, and whether that one appended more to the same list after it. */
export type Writer = { readonly transaction: Transaction; readonly isLast: boolean };

/** By `key value`. A value that was appended twice keeps its first writer. */
export function writersOf(history: readonly Transaction[]): ReadonlyMap<string, Writer> {
  const writers = new Map<string, Writer>();
  for (const transaction of history) {
    const last = new Map<string, number>();
    for (const operation of transaction.operations)
      if (operation.type === 'append') last.set(operation.key, operation.value);
    for (const operation of transaction.operations) {
      if (operation.type !== 'append') continue;
      const { key, value } = operation;
      if (!writers.has(nameOf(key, value)))
        writers.set(nameOf(key, value), { transaction, isLast: last.get(key) === value });
    }
  }
  return writers;
}

export const nameOf = (key: string, value: number): string => `${key} ${value}`;

/** Reads of what others had written: of each list the first, before the transaction has appended to it itself. */
export function externalReads({ operations }: Transaction): readonly Read[] {
  const touched = new Set<string>();
  return operations.filter((operation): operation is Read => {
    const isFirst = operation.type === 'read' && !touched.has(operation.key);
    touched.add(operation.key);
    return isFirst;
  });
}

/** The order of the writes of each list: the longest that was read. */
export function ordersOf(history: readonly Transaction[]): ReadonlyMap<string, readonly number[]> {
  const orders = new Map<string, readonly number[]>();
  for (const { outcome, operations } of history) {
    if (outcome === 'aborted') continue;
    for (const operation of operations) {
      if (operation.type !== 'read') continue;
      if (operation.list.length >= (orders.get(operation.key)?.length ?? 0)) orders.set(operation.key, operation.list);
    }
  }
  return orders;
}

/** `ww`, `wr` and `rw` edges between transactions that were, or may have been, committed. */
export function edgesOf(history: readonly Transaction[]): readonly Edge[] {
  const writers = writersOf(history);
  const orders = ordersOf(history);
  const edges: Edge[] = [];
  const add = (type: Edge['type'], from: Transaction | undefined, to: Transaction | undefined, why: string): void => {
    if (from === undefined || to === undefined || from === to) return;
    if (from.outcome === 'aborted' || to.outcome === 'aborted') return;
    edges.push({ type, from: from.id, to: to.id, why });
  };
  const writerOf = (key: string, value: number | undefined): Transaction | undefined =>
    value === undefined ? undefined : writers.get(nameOf(key, value))?.transaction;
  for (const [key, order] of orders) {
    for (let at = 1; at < order.length; at += 1)
      add('ww', writerOf(key, order[at - 1]), writerOf(key, order[at]), `${key}: ${order[at - 1]} before ${order[at]}`);
  }
  for (const transaction of history) {
    if (transaction.outcome !== 'committed') continue;
    for (const { key, list } of externalReads(transaction)) {
      add('wr', writerOf(key, list.at(-1)), transaction, `${key}: read ${list.at(-1)}`);
      const next = orders.get(key)?.[list.length];
      add('rw', transaction, writerOf(key, next), `${key}: read before ${next}`);
    }
  }
  return edges;
}
