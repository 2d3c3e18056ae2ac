/**
 * The inbox of conflicts, `$sync.conflicts`: written in the transaction that stores what a conflict came to, so nobody sees
 * one without the other (CONF-6). What was met on this device is told on this device; rows of it never travel.
 */
import type { Row } from '../../src/base/row.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { type ConflictRow, SYNC_CONFLICTS } from '../../src/protocol/sync-worker.ts';
import type { ConflictNote, ConflictRows } from './conflict-rules.ts';
import type { StoreVerbs } from './store-client.ts';

/** Entries that are kept; of more the oldest go. Each holds up to four versions of a document. */
export const INBOX_ENTRIES_MAX = 200;
/** After that nobody remembers what it was about. */
export const INBOX_AGE_MS_MAX: number = 30 * 24 * 3_600_000;

export type InboxDraft = RowName & Omit<ConflictRows, 'merged'> & { readonly note: ConflictNote };

/** Adds entries, and drops those that are too many or too old. `now`: ms since 1970. */
export async function writeInbox(tx: StoreVerbs, drafts: readonly InboxDraft[], now: number): Promise<void> {
  if (drafts.length === 0) return;
  const known = (await tx.find(SYNC_CONFLICTS, {}, { project: { id: 1, at: 1 } })) as unknown as ConflictRow[];
  // Not the lowest free number: whoever has an entry in hand must not resolve another one under its name.
  let id = Math.max(now, known.at(-1)?.id ?? 0);
  // Of many at once only the last would be kept.
  const added = drafts.slice(-INBOX_ENTRIES_MAX).map((draft) => entryOf(draft, ++id, now));
  const kept = INBOX_ENTRIES_MAX - added.length;
  const gone = known.filter(({ at }, place) => now - at > INBOX_AGE_MS_MAX || place < known.length - kept);
  if (gone.length > 0)
    await tx.delete(
      SYNC_CONFLICTS,
      gone.map((entry) => entry.id),
    );
  await tx.put(SYNC_CONFLICTS, added as unknown as Row[]);
}

function entryOf({ collection, key, base, local, remote, note }: InboxDraft, id: number, at: number): ConflictRow {
  const { kind, fields, dropped, reason } = note;
  return {
    ...{ id, collection, key, kind, fields, dropped, at },
    base: base ?? null,
    local: local ?? null,
    remote: remote ?? null,
    ...(reason === undefined ? {} : { reason }),
  };
}
