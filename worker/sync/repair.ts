/**
 * Rows of which the relay has something else than this device: both get what the other one has. What is stored of a row
 * here is not trusted: a change that nobody was told of would be among `$sync.changes`, so the row is what the merged
 * document says.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { isSameDigest, type RowChange, type RowName, rowDigest } from '../../src/protocol/sync/index.ts';
import { SYNC_CHANGES, SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import { RowDocument } from '../documents/index.ts';
import { readDocument } from './local-change.ts';
import { rowId } from './row-id.ts';
import { loadRows, type RowWrite, type StateRow, storeRows } from './row-store.ts';
import type { SyncContext } from './sync-context.ts';
import { isSound } from './updates.ts';

const NOTHING: Uint8Array = Uint8Array.of(0, 0);

/** `states`: of the relay, with keys that a store can hold. In turn. Answers how many rows were not the same; none while something is not folded. */
export async function repairRows(context: SyncContext, states: readonly RowChange[]): Promise<number> {
  const { store, outbox, held, collections, clientId } = context;
  const sound = states.filter((row) => isSound(row.update));
  const names = new Map<string, RowName>();
  for (const { collection, key } of sound) names.set(rowId(collection, key), { collection, key });
  const done = await store.transaction(async (tx) => {
    const drafts = { outbox: outbox.draft(), held: held.draft() };
    if ((await tx.find(SYNC_CHANGES, {}, { limit: 1, project: { id: 1 } })).length > 0) return { ...drafts, count: 0 };
    const loaded = await loadRows(tx, names, collections);
    const stored: StateRow[] = [];
    const writes: RowWrite[] = [];
    const more: RowChange[] = [];
    for (const { update, ...name } of sound) {
      const id = rowId(name.collection, name.key);
      const { row, state } = loaded.get(id)!;
      const theirs = rowDigest(name, update);
      if (isSameDigest(rowDigest(name, state?.state ?? NOTHING), theirs)) continue;
      const synced = collections.get(name.collection);
      const types = synced?.fields ?? {};
      const document = new RowDocument({ name, types, keyField: synced?.key, clientId, state: state?.state });
      document.apply(update);
      const after = document.state;
      stored.push({ ...state, id, state: after });
      if (!isSameDigest(rowDigest(name, after), theirs)) more.push({ ...name, update: after });
      if (synced === undefined) continue;
      const read = readDocument(document);
      if (read instanceof StoreError) drafts.held.hold(name, row, { code: read.code, message: read.message });
      else if (!deepEqual(read, row)) writes.push({ id, name, row: read, before: row });
    }
    const refused = await storeRows(tx, writes);
    for (const { id, name, before } of writes) {
      const reason = refused.get(id);
      if (reason === undefined) drafts.held.release(id);
      else drafts.held.hold(name, before, reason);
    }
    if (more.length > 0) drafts.outbox.add(more);
    await tx.put(SYNC_STATES, stored as unknown as Row[]);
    await Promise.all([drafts.outbox.write(tx), drafts.held.write(tx)]);
    return { ...drafts, count: stored.length };
  });
  done.outbox.commit();
  done.held.commit();
  return done.count;
}
