/**
 * Which calls explain what was found after a kill. Calls take effect in their order, and the log keeps that order: so
 * the state is the one after the first n calls, and no durable answer may lie behind the nth. Only a large createMany
 * has freedom: it takes effect somewhere among the calls that were made while it was under way.
 */
import type { Model } from '../workload/model.ts';
import { describeOperation, type Operation } from '../workload/operation.ts';
import { COLLECTION_NAMES, type CollectionName, digestRow, type KillRow } from '../workload/row.ts';
import type { Workload } from '../workload/workload.ts';

export type FoundRows = { readonly [name in CollectionName]: ReadonlyMap<string, string> };

export type Explanation = {
  /** The first so many calls are in the state. */
  readonly calls: number;
  /** A large createMany among them that is not. */
  readonly isWithoutBulk: boolean;
  readonly model: Model;
};

/** Calls made and not answered, and answers that were on their way to the driver when the page died. */
const CALLS_BEYOND_MAX = 3_000;
const DIFFERENCES_SHOWN_MAX = 8;

/**
 * `workload` begins where the page began. `answered` has the places of calls that were answered under `strict` or
 * `relaxed`. Throws with the differences when nothing explains the state.
 */
export function explainState(workload: Workload, answered: ReadonlySet<number>, found: FoundRows): Explanation {
  const { model } = workload;
  const lastAnswered = Math.max(-1, ...answered);
  const differing: Record<CollectionName, Set<string>> = { items: new Set(), notes: new Set() };
  const compare = (name: CollectionName, key: string): void => {
    const row = model[name].rows.get(key);
    if ((row === undefined ? undefined : digestOf(row)) === found[name].get(key)) differing[name].delete(key);
    else differing[name].add(key);
  };
  for (const name of COLLECTION_NAMES) {
    for (const key of [...model[name].keys, ...found[name].keys()]) compare(name, key);
  }
  const operations: Operation[] = [];
  let bulk: (Extract<Operation, { type: 'createMany' }> & { place: number; without: number; left: number }) | undefined;
  let nearest: { readonly calls: number; readonly count: number; readonly text: string } | undefined;
  for (let calls = 0; calls <= lastAnswered + 1 + CALLS_BEYOND_MAX; calls++) {
    if (calls > lastAnswered) {
      if (differing.items.size + differing.notes.size === 0) return { calls, isWithoutBulk: false, model };
      if (bulk !== undefined && !answered.has(bulk.place)) {
        const other = bulk.collection === 'items' ? 'notes' : 'items';
        if (bulk.without + differing[other].size === 0) {
          for (const { id } of bulk.rows) model[bulk.collection].remove(id);
          return { calls, isWithoutBulk: true, model };
        }
      }
      const count = differing.items.size + differing.notes.size;
      if (nearest === undefined || count < nearest.count) {
        nearest = { calls, count, text: describeDifferences(model, differing, found) };
      }
    }
    if (bulk !== undefined && bulk.left-- === 0) bulk = undefined;
    const operation = workload.next();
    operations.push(operation);
    const without = differing[operation.collection].size;
    for (const key of model.apply(operation).touched) compare(operation.collection, key);
    if (operation.type === 'createMany' && operation.besides > 0) {
      bulk = { ...operation, place: calls, without, left: operation.besides };
    }
  }
  const last = operations[lastAnswered];
  throw new Error(
    `No number of calls explains the state. The last durable answer was for call ${lastAnswered}` +
      `${last === undefined ? '' : ` (${describeOperation(last)})`}. Nearest: the first ${nearest?.calls} calls, with ` +
      `${nearest?.count} rows that differ.\n${nearest?.text}`,
  );
}

const digests = new WeakMap<KillRow, string>();

function digestOf(row: KillRow): string {
  let digest = digests.get(row);
  if (digest === undefined) {
    digest = digestRow(row);
    digests.set(row, digest);
  }
  return digest;
}

function describeDifferences(
  model: Model,
  differing: { readonly [name in CollectionName]: ReadonlySet<string> },
  found: FoundRows,
): string {
  return COLLECTION_NAMES.flatMap((name) =>
    [...differing[name]].slice(0, DIFFERENCES_SHOWN_MAX).map((key) => {
      const row = model[name].rows.get(key);
      const expected =
        row === undefined ? 'no row' : `${digestOf(row)} (batch ${row.batch}, body of ${row.body.length})`;
      return `  ${name} ${key}: expected ${expected}, found ${found[name].get(key) ?? 'no row'}`;
    }),
  ).join('\n');
}
