/** What the port tells of calls that it cannot take, or cannot go on with. */
import { StoreError } from '../../src/base/store-error.ts';
import type { Call } from '../../src/protocol/messages.ts';
import { isHidden, SYNC_CONFLICTS } from '../../src/protocol/sync-worker.ts';

/** Calls that may wait for migrations. */
export const PARKED_MAX = 100_000;
/** Events of one subscription that may wait for its page. They are references to rows that the engine has anyway. */
export const EVENTS_WAITING_MAX = 1_000_000;

export const closedMeanwhile = (collection: string): StoreError =>
  new StoreError('store/closed', `The store was closed while ${collection} was migrated.`, {
    details: { collection },
    hint: 'Nothing of this call was stored. The migration goes on where it was when the store is opened again.',
  });

export const abortedParked = (collection: string): StoreError =>
  new StoreError('call/aborted', `The call was aborted while it waited for the migration of ${collection}.`, {
    details: { collection },
  });

export const tooManyParked = (collection: string): StoreError =>
  new StoreError('engine/overloaded', `${PARKED_MAX} calls are waiting for the migration of ${collection}.`, {
    details: { collection, limit: PARKED_MAX },
    hint: 'Await migrate() of the collection before more calls are made.',
  });

export const eventsOverflow = (collection: string): StoreError =>
  new StoreError('subscription/overflow', `A subscription of ${collection} has too many changes waiting.`, {
    details: { collection, waitingMax: EVENTS_WAITING_MAX },
    hint: 'The page has not taken changes for too long. Subscribe again, and read anew.',
  });

export const notInside = (call: string): StoreError =>
  new StoreError('transaction/unsupported-call', `A transaction takes no ${call}.`, {
    details: { call },
    hint: 'Inside of one there are reads and writes of documents. Live queries and indexes are of the store.',
  });

/** Hidden collections are no collections to whoever is not the sync worker. */
export const isNoCollection = (collection: string): StoreError =>
  new StoreError('store/unknown-collection', `There is no collection ${JSON.stringify(collection)} in this store.`, {
    details: { collection },
    hint: 'Name it in openStore({ collections }).',
  });

/** Refuses a call on a hidden collection. */
export function assertNamable(call: Call): void {
  const name = call[0] === 'lock' ? call[3] : call[0] === 'plain' ? call[3].collection : call[2];
  // The inbox of conflicts is the page's, too: `store.conflicts$` is made of it.
  if (typeof name === 'string' && isHidden(name) && name !== SYNC_CONFLICTS) throw isNoCollection(name);
  const locks = call[0] === 'begin' ? (call[2].locks ?? []) : [];
  for (const [collection] of locks) if (isHidden(collection)) throw isNoCollection(collection);
}
