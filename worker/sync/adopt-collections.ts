/**
 * Collections that this device did not know when their rows came, of a newer version of the application: only the states
 * were kept. Once they are defined their rows are stored from there.
 */
import { SYNC_META, SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import type { RowArrival } from './apply.ts';
import { applyArrivals } from './apply.ts';
import type { Fold } from './fold.ts';
import { rowNameOf, statesOf } from './row-id.ts';
import type { SyncContext } from './sync-context.ts';

/** Key in `$sync.meta` of the names of collections whose rows are stored. Permanent. */
const KNOWN = 'collections';
const STATES_MAX = 500;

/** In turn. What a worker that is killed has begun is done again. */
export async function adoptCollections(context: SyncContext, fold: Fold): Promise<void> {
  const { store, collections } = context;
  const [row] = await store.getMany(SYNC_META, [KNOWN]);
  const known = new Set((row?.['names'] as readonly string[] | undefined) ?? []);
  const names = [...collections.keys()].toSorted();
  if (names.length === known.size && names.every((name) => known.has(name))) return;
  // A row that was deleted here has a state that says so.
  while (await fold.step());
  for (const name of names) if (!known.has(name)) await adopt(context, fold, name);
  await store.put(SYNC_META, [{ id: KNOWN, names }]);
}

async function adopt(context: SyncContext, fold: Fold, collection: string): Promise<void> {
  const { from: first, to } = statesOf(collection);
  let from = first;
  for (;;) {
    const selector = { id: { $gt: from, $lt: to } };
    const states = await context.store.find(SYNC_STATES, selector, { limit: STATES_MAX, project: { id: 1 } });
    const rows = new Map<string, RowArrival>();
    for (const { id } of states) rows.set(id as string, { name: rowNameOf(id as string), updates: [] });
    if (rows.size > 0) await applyArrivals(context, fold, { rows, isAdoption: true, also: async () => {} });
    if (states.length < STATES_MAX) return;
    from = states.at(-1)!['id'] as string;
  }
}
