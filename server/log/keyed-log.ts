/**
 * The relay's log on an ordered store. It owns the names of stores and the one group commit that all of them share;
 * a store's own log is in keyed-store-log.ts. Layout: FORMAT.md.
 */

import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { GroupCommit } from './group-commit.ts';
import { KeyedStoreLog } from './keyed-store-log.ts';
import { formatKey, storeKey, storeNameOf, storesRange } from './log-keys.ts';
import {
  decodeFormat,
  decodeStoreRecord,
  encodeFormat,
  encodeStoreRecord,
  FORMAT_VERSION,
  type StoreRecord,
} from './log-values.ts';
import type { OrderedStore } from './ordered-store.ts';
import type { RelayLog, StoreLog } from './relay-log.ts';

/** A relay serves a few applications. Names come from clients, so something must end them. */
export const STORES_MAX = 10_000;
const EPOCH_BYTES = 12;

/** Takes the store over, and closes it. `platform` gives epochs and times. */
export async function openKeyedLog(store: OrderedStore, platform: Platform): Promise<RelayLog> {
  const found = await store.withView((view) => view.getMany([formatKey]));
  if (found[0] === undefined) await store.write([{ type: 'put', key: formatKey, value: encodeFormat() }], 'flushed');
  else assertFormat(decodeFormat(found[0]));
  const everything = { bytesMax: Number.MAX_SAFE_INTEGER, countMax: STORES_MAX };
  const entries = await store.withView((view) => view.range(storesRange, everything));
  const records = new Map(
    entries.map(([key, value]) => {
      const name = storeNameOf(key);
      return [name, decodeStoreRecord(value, `store ${name}`)];
    }),
  );
  return new KeyedLog(store, platform, records);
}

function assertFormat(version: number): void {
  if (version === FORMAT_VERSION) return;
  throw new StoreError('log/unknown-format', `The log has format ${version}; this relay reads ${FORMAT_VERSION}.`, {
    details: { version, known: FORMAT_VERSION },
    hint: 'Start the version of the relay that wrote it.',
  });
}

class KeyedLog implements RelayLog {
  readonly #store: OrderedStore;
  readonly #platform: Platform;
  readonly #records: Map<string, StoreRecord>;
  readonly #commit: GroupCommit;
  readonly #opened = new Map<string, Promise<KeyedStoreLog>>();
  readonly #touched = new Set<KeyedStoreLog>();
  #isClosed = false;

  constructor(store: OrderedStore, platform: Platform, records: Map<string, StoreRecord>) {
    this.#store = store;
    this.#platform = platform;
    this.#records = records;
    this.#commit = new GroupCommit(store, () => this.#publish());
  }

  get pendingBytes(): number {
    return this.#commit.pendingBytes;
  }

  get failure(): Error | undefined {
    return this.#commit.failure;
  }

  open(name: string): Promise<StoreLog> {
    const opened = this.#opened.get(name) ?? this.#open(name);
    this.#opened.set(name, opened);
    // A failed opening may be tried again.
    opened.catch(() => this.#opened.delete(name));
    return opened;
  }

  async stores(): Promise<readonly string[]> {
    return [...this.#records.keys()].sort();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#commit.settle();
    for (const opened of this.#opened.values()) await opened.then((log) => log.settle()).catch(() => undefined);
    await this.#store.close();
  }

  async #open(name: string): Promise<KeyedStoreLog> {
    const record = this.#records.get(name) ?? (await this.#create(name));
    const { id, epoch } = record;
    const parts = { store: this.#store, commit: this.#commit, platform: this.#platform, touched: this.#touched };
    return KeyedStoreLog.open({ ...parts, name, id, epoch });
  }

  async #create(name: string): Promise<StoreRecord> {
    if (this.#records.size >= STORES_MAX) {
      throw new StoreError('log/too-many-stores', `The relay has ${STORES_MAX} stores.`, { details: { name } });
    }
    const bytes = new Uint8Array(EPOCH_BYTES);
    this.#platform.random(bytes);
    const ids = [...this.#records.values()].map(({ id }) => id);
    const record = { id: Math.max(0, ...ids) + 1, epoch: Buffer.from(bytes).toString('hex') };
    // Taken at once: two names opened together must not get one id.
    this.#records.set(name, record);
    try {
      await this.#store.write([{ type: 'put', key: storeKey(name), value: encodeStoreRecord(record) }], 'flushed');
    } catch (error) {
      this.#records.delete(name);
      throw error;
    }
    return record;
  }

  #publish(): void {
    const touched = [...this.#touched];
    this.#touched.clear();
    for (const log of touched) log.publish();
  }
}
