/** Writers of a store that were heard lately, with what is known of their batches. The others are read when they come. */
import type { WriterId } from '../../src/protocol/sync/index.ts';
import { writerKey } from './log-keys.ts';
import { decodeWriter } from './log-values.ts';
import type { OrderedStore } from './ordered-store.ts';
import type { Appended } from './relay-log.ts';
import { hasStored, NEW_WRITER, type WriterRecord, withStored } from './writer-record.ts';

/** About 200 bytes each. */
const WRITERS_KEPT_MAX = 10_000;

export class WriterTable {
  readonly #store: OrderedStore;
  readonly #id: number;
  readonly #writers = new Map<WriterId, KnownWriter>();
  readonly #loading = new Map<WriterId, Promise<KnownWriter>>();

  constructor({ store, id }: { readonly store: OrderedStore; readonly id: number }) {
    this.#store = store;
    this.#id = id;
  }

  find(name: WriterId): KnownWriter | undefined {
    const writer = this.#writers.get(name);
    if (writer === undefined) return undefined;
    // To the end: the first of the map is the one that was used longest ago.
    this.#writers.delete(name);
    this.#writers.set(name, writer);
    return writer;
  }

  load(name: WriterId): Promise<KnownWriter> {
    const loading = this.#loading.get(name) ?? this.#load(name).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  /** Whether a writer could be forgotten: not while its batches are on their way. */
  forget(key: Uint8Array): boolean {
    for (const [name, writer] of this.#writers) {
      if (Buffer.compare(writer.key, key) !== 0) continue;
      if (writer.isBusy) return false;
      this.#writers.delete(name);
    }
    return true;
  }

  async #load(name: WriterId): Promise<KnownWriter> {
    const key = writerKey(this.#id, name);
    const [value] = await this.#store.withView((view) => view.getMany([key]));
    const writer = new KnownWriter(key, value === undefined ? NEW_WRITER : decodeWriter(value, `writer ${name}`));
    this.#evict();
    this.#writers.set(name, writer);
    return writer;
  }

  #evict(): void {
    for (const [name, writer] of this.#writers) {
      if (this.#writers.size < WRITERS_KEPT_MAX) return;
      if (!writer.isBusy) this.#writers.delete(name);
    }
  }
}

export class KnownWriter {
  readonly key: Uint8Array;
  readonly #pending = new Map<number, Promise<Appended>>();
  #record: WriterRecord;

  constructor(key: Uint8Array, record: WriterRecord) {
    this.key = key;
    this.#record = record;
  }

  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /** The answer to a batch that was appended before; it waits when that is not durable yet. */
  appended(writerSequence: number): Promise<Appended> | Appended | undefined {
    const pending = this.#pending.get(writerSequence);
    if (pending !== undefined) return pending.then((appended) => ({ ...appended, isRepeated: true }));
    if (!hasStored(this.#record, writerSequence)) return undefined;
    return { sequence: writerSequence === this.#record.last ? this.#record.logSequence : 0, isRepeated: true };
  }

  store(writerSequence: number, logSequence: number, timeMs: number): WriterRecord {
    this.#record = withStored(this.#record, { writerSequence, logSequence, timeMs });
    return this.#record;
  }

  pending(writerSequence: number, appended: Promise<Appended>): Promise<Appended> {
    this.#pending.set(writerSequence, appended);
    const done = (): boolean => this.#pending.delete(writerSequence);
    appended.then(done, done);
    return appended;
  }
}
