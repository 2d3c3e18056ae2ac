/**
 * Batches that wait for the relay: one row of `$sync.outbox` each, under the writer and the sequence that it keeps until
 * it is acknowledged. Owns their numbers, and knows which rows the relay has refused.
 *
 * A number is given with the transaction that stores its batch, and taken back when that lost its race. When nobody can
 * tell whether it was stored, the run ends: two batches under one number would make the relay drop the second (R1).
 */
import { assert } from '../../src/base/assert.ts';
import type { Platform } from '../../src/base/platform.ts';
import type { Key } from '../../src/base/row.ts';
import {
  BATCH_CHANGES_MAX,
  encodeChanges,
  type RowChange,
  type RowName,
  readChanges,
  WireReader,
} from '../../src/protocol/sync/index.ts';
import type { OutboxRow } from '../../src/protocol/sync-worker.ts';
import { SYNC_OUTBOX } from '../../src/protocol/sync-worker.ts';
import { rowId } from './row-id.ts';
import type { StoreVerbs } from './store-client.ts';
import { drawWriter } from './writer-name.ts';

/** A row of `$sync.outbox`. */
export type OutboxEntry = OutboxRow & {
  /** Who made it, and its number there: permanent, unless the relay has refused that number. */
  readonly writer: string;
  readonly sequence: number;
  /** `encodeChanges`. */
  readonly changes: Uint8Array;
  /** Rows that belong to it and cannot travel as they are. */
  readonly unfit?: readonly (readonly [collection: string, key: Key])[];
};
/** Without what makes it large. */
export type OutboxHead = Omit<OutboxEntry, 'changes'>;

/** Entries that one page of heads has. */
const HEADS_MAX = 1_000;

export class Outbox {
  readonly #platform: Pick<Platform, 'random'>;
  #writer: string;
  #sequence = 0;
  #lastId = 0;
  /** Rows of refused entries, by their ids; and the entries of each row. */
  readonly #refused = new Map<number, ReadonlyMap<string, RowName>>();
  readonly #refusedByRow = new Map<string, Set<number>>();

  constructor(platform: Pick<Platform, 'random'>) {
    this.#platform = platform;
    this.#writer = drawWriter(platform);
  }

  /** Reads what earlier runs have left. */
  async load(store: StoreVerbs): Promise<void> {
    for (;;) {
      const heads = await headsAfter(store, this.#lastId, HEADS_MAX);
      const refused = heads.filter(({ refusal }) => refusal !== undefined).map(({ id }) => id);
      for (const entry of await store.getMany(SYNC_OUTBOX, refused)) this.noteRefused(entry as OutboxEntry);
      this.#lastId = heads.at(-1)?.id ?? this.#lastId;
      if (heads.length < HEADS_MAX) return;
    }
  }

  /** Begins to number batches for one attempt of a transaction. */
  draft(): OutboxDraft {
    return new OutboxDraft({
      writer: this.#writer,
      sequence: this.#sequence,
      lastId: this.#lastId,
      done: (sequence, lastId) => {
        this.#sequence = sequence;
        this.#lastId = lastId;
      },
    });
  }

  /** Batches that this run has made. */
  get made(): number {
    return this.#lastId;
  }

  get writer(): string {
    return this.#writer;
  }

  /** For an entry whose own number the relay does not take. Never given again, whether it is used or not. */
  nextNumber(): { readonly writer: string; readonly sequence: number } {
    this.#sequence += 1;
    return { writer: this.#writer, sequence: this.#sequence };
  }

  /** Begins as another writer: the relay takes no more of this one. */
  changeWriter(): void {
    this.#writer = drawWriter(this.#platform);
    this.#sequence = 0;
  }

  /** The entry will not be sent again by itself. */
  noteRefused(entry: OutboxEntry): void {
    const rows = rowsOf(entry);
    this.#refused.set(entry.id, rows);
    for (const id of rows.keys()) {
      const entries = this.#refusedByRow.get(id) ?? new Set();
      this.#refusedByRow.set(id, entries.add(entry.id));
    }
  }

  forgetRefused(entry: number): void {
    for (const id of this.#refused.get(entry)?.keys() ?? []) {
      const entries = this.#refusedByRow.get(id)!;
      entries.delete(entry);
      if (entries.size === 0) this.#refusedByRow.delete(id);
    }
    this.#refused.delete(entry);
  }

  /**
   * All refused entries that share rows with these, or with each other, and all of their rows: what comes after a change
   * that the relay does not have would wait for it for ever, so it is sent again with the next one.
   */
  refusedWith(rows: Iterable<string>): {
    readonly entries: ReadonlySet<number>;
    readonly rows: ReadonlyMap<string, RowName>;
  } {
    const entries = new Set<number>();
    const found = new Map<string, RowName>();
    if (this.#refusedByRow.size === 0) return { entries, rows: found };
    const waiting = [...rows];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      for (const entry of this.#refusedByRow.get(id) ?? []) {
        if (entries.has(entry)) continue;
        entries.add(entry);
        for (const [other, name] of this.#refused.get(entry)!) {
          found.set(other, name);
          waiting.push(other);
        }
      }
    }
    return { entries, rows: found };
  }
}

type DraftParts = {
  readonly writer: string;
  readonly sequence: number;
  readonly lastId: number;
  readonly done: (sequence: number, lastId: number) => void;
};

export class OutboxDraft {
  readonly entries: OutboxEntry[] = [];
  readonly #parts: DraftParts;

  constructor(parts: DraftParts) {
    this.#parts = parts;
  }

  add(changes: readonly RowChange[], more: Pick<OutboxEntry, 'unfit' | 'refusal'> = {}): void {
    const place = this.entries.length + 1;
    this.entries.push({
      id: this.#parts.lastId + place,
      count: changes.length + (more.unfit?.length ?? 0),
      writer: this.#parts.writer,
      sequence: this.#parts.sequence + place,
      changes: encodeChanges(changes),
      ...more,
    });
  }

  /** Of the batch that is added next. */
  get nextSequence(): number {
    return this.#parts.sequence + this.entries.length + 1;
  }

  /** In the transaction that was drafted for. */
  write(tx: StoreVerbs): Promise<void> {
    return tx.create(SYNC_OUTBOX, this.entries);
  }

  /** That transaction is stored. */
  commit(): void {
    const { sequence, lastId, done } = this.#parts;
    done(sequence + this.entries.length, lastId + this.entries.length);
  }
}

/** Entries behind one, without their changes. */
export async function headsAfter(store: StoreVerbs, id: number, limit: number): Promise<readonly OutboxHead[]> {
  const rows = await store.find(SYNC_OUTBOX, { id: { $gt: id } }, { limit, project: { changes: 0 } });
  return rows as unknown as readonly OutboxHead[];
}

export function changesOf({ changes }: Pick<OutboxEntry, 'changes'>): readonly RowChange[] {
  const reader = new WireReader(changes);
  const read = readChanges(reader, BATCH_CHANGES_MAX);
  assert(reader.remaining === 0, 'An entry of the outbox ends with its changes.');
  return read;
}

/** Rows of an entry by their ids. */
export function rowsOf(entry: OutboxEntry): ReadonlyMap<string, RowName> {
  const rows = new Map<string, RowName>();
  for (const { collection, key } of changesOf(entry)) rows.set(rowId(collection, key), { collection, key });
  for (const [collection, key] of entry.unfit ?? []) rows.set(rowId(collection, key), { collection, key });
  return rows;
}
