/**
 * Checks what devices saw of each other for causal consistency: each device reads all that it has seen and written before,
 * what it reads holds everything that those who wrote it had seen, transactions whole, and in the end all read the same. The
 * history is that of transactions that each write some rows of their own, and of reads of everything, by devices that say
 * what they saw. Stronger orders (who was first of two that did not know of each other) are not asked for.
 */

export type CausalWrite = {
  readonly type: 'write';
  readonly device: string;
  readonly transaction: string;
  readonly rows: readonly string[];
};
/** Of everything, in one snapshot. */
export type CausalRead = { readonly type: 'read'; readonly device: string; readonly rows: readonly string[] };
/** In the order in which it happened at each device. A write depends on the reads and writes of its device before it. */
export type CausalHistory = readonly (CausalWrite | CausalRead)[];

export type CausalAnomalyType =
  /** A row that nobody has written. */
  | 'unexplained-row'
  /** Some rows of a transaction. */
  | 'half-transaction'
  /** A device does not see what it wrote itself. */
  | 'own-write-unseen'
  /** A device does not see any more what it has seen. */
  | 'unseen-again'
  /** A row is there, and something that its writer had seen is not. */
  | 'effect-before-cause'
  /** The last reads of two devices differ. */
  | 'no-convergence'
  /** The last read of a device lacks a write. */
  | 'lost-write';

export type CausalAnomaly = { readonly type: CausalAnomalyType; readonly explanation: string };

/** `isHealed`: the last read of each device was made when nothing was under way any more. */
export function findCausalAnomalies(
  history: CausalHistory,
  { isHealed }: { readonly isHealed: boolean },
): readonly CausalAnomaly[] {
  const anomalies: CausalAnomaly[] = [];
  const add = (type: CausalAnomalyType, explanation: string): void => void anomalies.push({ type, explanation });
  const writes = history.filter((event): event is CausalWrite => event.type === 'write');
  const writerOf = new Map(writes.flatMap((write) => write.rows.map((row) => [row, write.transaction] as const)));
  const rowsOf = new Map(writes.map(({ transaction, rows }) => [transaction, rows]));

  /** What each device has seen so far, its own writes among it. */
  const seen = new Map<string, Set<string>>();
  const own = new Map<string, Set<string>>();
  /** What the writer of a transaction had seen. */
  const causes = new Map<string, ReadonlySet<string>>();
  const last = new Map<string, ReadonlySet<string>>();
  const of = (sets: Map<string, Set<string>>, device: string): Set<string> => {
    const set = sets.get(device) ?? new Set();
    sets.set(device, set);
    return set;
  };

  for (const event of history) {
    const { device } = event;
    if (event.type === 'write') {
      causes.set(event.transaction, new Set(of(seen, device)));
      of(seen, device).add(event.transaction);
      of(own, device).add(event.transaction);
      continue;
    }
    const read = new Set<string>();
    const rows = new Set(event.rows);
    for (const row of rows) {
      const transaction = writerOf.get(row);
      if (transaction === undefined) add('unexplained-row', `${device} reads ${row}, which nobody has written.`);
      else read.add(transaction);
    }
    for (const transaction of read) {
      const missing = rowsOf.get(transaction)!.find((row) => !rows.has(row));
      if (missing !== undefined)
        add('half-transaction', `${device} reads a part of ${transaction}, and not ${missing}.`);
    }
    for (const transaction of of(seen, device)) {
      if (read.has(transaction)) continue;
      const isOwn = of(own, device).has(transaction);
      add(isOwn ? 'own-write-unseen' : 'unseen-again', `${device} does not read ${transaction} any more.`);
    }
    for (const transaction of read) {
      for (const cause of causes.get(transaction) ?? []) {
        if (!read.has(cause))
          add('effect-before-cause', `${device} reads ${transaction}, and not ${cause}, which its writer had seen.`);
      }
    }
    for (const transaction of read) of(seen, device).add(transaction);
    last.set(device, read);
  }
  if (!isHealed) return anomalies;
  const all = writes.map(({ transaction }) => transaction);
  const [[first, reference] = [undefined, undefined], ...others] = last;
  for (const [device, read] of last) {
    const lost = all.find((transaction) => !read.has(transaction));
    if (lost !== undefined) add('lost-write', `${device} does not read ${lost} in the end.`);
  }
  for (const [device, read] of others) {
    if (read.size !== reference!.size || [...read].some((transaction) => !reference!.has(transaction)))
      add('no-convergence', `${first} and ${device} read different things in the end.`);
  }
  return anomalies;
}
