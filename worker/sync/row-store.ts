/** Rows and their states, as the sync worker reads and writes them: many at once, and those that are refused one by one. */
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { type Refusal, SYNC_STATES } from '../../src/protocol/sync-worker.ts';
import type { OwnChange } from './own-runs.ts';
import type { StoreVerbs } from './store-client.ts';
import type { Synced } from './sync-context.ts';

/** A row of `$sync.states`. */
export type StateRow = {
  /** `rowId` */
  readonly id: string;
  readonly state: Uint8Array;
  /** Generation of the relay's log in which it had this row (`$sync.meta`). */
  readonly seen?: number;
  /** Own changes that the log was not seen to have, oldest first. Some may be told since; they go when it is next written. */
  readonly own?: readonly OwnChange[];
};

export type LoadedRow = { readonly name: RowName; readonly row: Row | undefined; readonly state: StateRow | undefined };

/** Rows of collections that are not synchronised here have their state alone. Keys are such as can travel. */
export async function loadRows(
  tx: StoreVerbs,
  names: ReadonlyMap<string, RowName>,
  collections: ReadonlyMap<string, Synced>,
): Promise<Map<string, LoadedRow>> {
  const keys = new Map<string, Key[]>();
  for (const { collection, key } of names.values()) {
    if (!collections.has(collection)) continue;
    addTo(keys, collection, key);
  }
  const reading = [...keys].map(async ([collection, own]) => [collection, await tx.getMany(collection, own)] as const);
  const [states, ...read] = await Promise.all([tx.getMany(SYNC_STATES, [...names.keys()]), ...reading]);
  const rows = new Map(read);
  const places = new Map<string, number>();
  const loaded = new Map<string, LoadedRow>();
  let at = 0;
  for (const [id, name] of names) {
    const place = places.get(name.collection) ?? 0;
    places.set(name.collection, place + 1);
    const row = rows.get(name.collection)?.[place];
    loaded.set(id, { name, row, state: states[at++] as StateRow | undefined });
  }
  return loaded;
}

/** A row as it is to be stored; undefined deletes it. `before`: what is there. */
export type RowWrite = {
  readonly id: string;
  readonly name: RowName;
  readonly row: Row | undefined;
  readonly before: Row | undefined;
};

/** Writes what can be written. Answers which rows were refused, by their ids, and why. */
export async function storeRows(tx: StoreVerbs, writes: readonly RowWrite[]): Promise<ReadonlyMap<string, Refusal>> {
  const refused = new Map<string, Refusal>();
  const gone = new Map<string, Key[]>();
  const put = new Map<string, RowWrite[]>();
  for (const write of writes) {
    const { collection, key } = write.name;
    if (write.row === undefined) addTo(gone, collection, key);
    else addTo(put, collection, write);
  }
  // What is deleted may hold a value of a unique index that another row has now.
  await Promise.all([...gone].map(([collection, keys]) => tx.delete(collection, keys)));
  for (const [collection, own] of put) await putAll(tx, collection, own, refused);
  return refused;
}

/** Together, so that rows may exchange values of a unique index; and halves of what is refused. */
async function putAll(
  tx: StoreVerbs,
  collection: string,
  writes: readonly RowWrite[],
  refused: Map<string, Refusal>,
): Promise<void> {
  try {
    await tx.put(
      collection,
      writes.map(({ row }) => row!),
    );
  } catch (error) {
    if (!isRowRefusal(error)) throw error;
    if (writes.length === 1) {
      refused.set(writes[0]!.id, { code: error.code, message: error.message });
      return;
    }
    const middle = writes.length >> 1;
    await putAll(tx, collection, writes.slice(0, middle), refused);
    await putAll(tx, collection, writes.slice(middle), refused);
  }
}

/** Of a row that the collection does not take; anything else ends the transaction. */
const isRowRefusal = (error: unknown): error is StoreError =>
  error instanceof StoreError && /^(collection|codec|index)\//.test(error.code) && error.code !== 'collection/unknown';

function addTo<T>(lists: Map<string, T[]>, name: string, value: T): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [value]);
  else list.push(value);
}
