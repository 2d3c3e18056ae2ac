/** Which changes get times, and which ones: those of fields whose conflicts are decided by `last-write-wins`. */
import { strategyOf } from '../../src/protocol/conflict-options.ts';
import type { ChangeTimes, RowDocument } from '../documents/index.ts';
import { timeAfter } from './hybrid-clock.ts';
import type { SyncContext } from './sync-context.ts';

/** Whether rows of the collection have any. */
export function hasTimes({ collections }: Pick<SyncContext, 'collections'>, collection: string): boolean {
  const { conflict = 'merge' } = collections.get(collection)!;
  const names = typeof conflict === 'string' ? [conflict] : Object.values(conflict);
  return names.includes('last-write-wins');
}

/** For a change of a document that is made now. */
export function changeTimes(
  context: Pick<SyncContext, 'collections' | 'platform'>,
  collection: string,
  document: RowDocument,
): ChangeTimes | undefined {
  if (!hasTimes(context, collection)) return undefined;
  const { conflict = 'merge' } = context.collections.get(collection)!;
  return {
    isTimed: (field) => strategyOf(conflict, field) === 'last-write-wins',
    now: timeAfter(document.latestTime, context.platform),
  };
}
