/**
 * What of this store's own changes is not saved at a relay: names in `$sync.changes`, which are not folded yet, and rows
 * of entries of `$sync.outbox`. Counted once, then kept true by what commits change, and told before the call is answered
 * that changed it: nobody who knows of a write can believe it to be saved (R2).
 */
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type { ChangeEvent, EngineApi, RowCursor } from '../../src/protocol/engine-api.ts';
import {
  type ChangesRow,
  type OutboxRow,
  type PendingNews,
  type Refusal,
  SYNC_CHANGES,
  SYNC_CONFLICTS,
  SYNC_OUTBOX,
} from '../../src/protocol/sync-worker.ts';

/** Refusals that are told. */
const UNSYNCED_TOLD_MAX = 20;
/** Entries that are read at a time. */
const CHUNK_ROWS = 1_000;

type Listener = (news: PendingNews) => void;
type Unsynced = PendingNews['unsynced'][number];

export class PendingChanges {
  readonly #engine: Pick<EngineApi, 'find' | 'subscribe' | 'epoch'>;
  /** Whether anything is synchronised. */
  readonly #isSynced: () => boolean;
  readonly #listeners: Set<Listener> = new Set();
  /** Told of each change, before the listeners. */
  readonly #waiters: Set<() => void> = new Set();
  #pending = 0;
  #inboxChanges = 0;
  readonly #unsynced: Map<number, Unsynced> = new Map();
  #counting: Promise<void> | undefined;
  #isCounted = false;
  #isStale = false;

  constructor(engine: Pick<EngineApi, 'find' | 'subscribe' | 'epoch'>, isSynced: () => boolean) {
    this.#engine = engine;
    this.#isSynced = isSynced;
  }

  /** Told once it is known, then of each change; of a change that comes while it is counted, that there is one. */
  watch(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (!this.#isSynced()) listener({ pending: 0, unsynced: [] });
    else if (this.#isCounted) listener(this.#news);
    else this.#counting ??= this.#count();
    return () => void this.#listeners.delete(listener);
  }

  /** After all events of a commit, or of several. */
  told(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    for (const wake of [...this.#waiters]) wake();
    // Still counting: something was changed, and that much is certain.
    const news = this.#isCounted ? this.#news : { ...this.#news, pending: Math.max(1, this.#pending) };
    for (const listener of [...this.#listeners]) listener(news);
  }

  /**
   * Resolves when everything that was changed before this call is acknowledged as durable. Rejects with `sync/refused`
   * when all that is left of it was refused.
   */
  async whenSaved(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#isSynced()) return;
    this.#counting ??= this.#count();
    await this.#counting;
    const lastChange = await this.#edge(SYNC_CHANGES, -1, {});
    if (lastChange !== undefined) {
      const ofThem = { id: { $lte: lastChange['id'] } };
      await this.#until(signal, async () => (await this.#edge(SYNC_CHANGES, 1, ofThem)) === undefined);
    }
    const lastEntry = await this.#edge(SYNC_OUTBOX, -1, {});
    if (lastEntry === undefined) return;
    const ofThem = { id: { $lte: lastEntry['id'] } };
    await this.#until(signal, async () => {
      const first = (await this.#edge(SYNC_OUTBOX, 1, ofThem)) as OutboxRow | undefined;
      if (first === undefined) return true;
      if (first.refusal === undefined) return false;
      if ((await this.#edge(SYNC_OUTBOX, 1, { ...ofThem, refusal: { $exists: false } })) !== undefined) return false;
      throw refused(first.refusal, this.#unsynced.size);
    });
  }

  get #news(): PendingNews {
    return {
      pending: this.#pending,
      unsynced: [...this.#unsynced.values()].slice(0, UNSYNCED_TOLD_MAX),
      conflicts: `${this.#engine.epoch}.${this.#inboxChanges}`,
    };
  }

  /** Looks now, and again after each change, until it is so. */
  async #until(signal: AbortSignal | undefined, isSo: () => Promise<boolean>): Promise<void> {
    for (;;) {
      let wake!: () => void;
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      this.#waiters.add(wake);
      signal?.addEventListener('abort', wake);
      try {
        if (await isSo()) return;
        if (signal?.aborted !== true) await changed;
        if (signal?.aborted === true) throw new StoreError('call/aborted', 'flush was aborted.');
      } finally {
        this.#waiters.delete(wake);
        signal?.removeEventListener('abort', wake);
      }
    }
  }

  /** The first or last entry that a selector finds, without what makes it large. */
  async #edge(collection: string, direction: 1 | -1, selector: Selector): Promise<Row | undefined> {
    const project = { id: 1, count: 1, refusal: 1 };
    const cursor = this.#engine.find(collection, { selector, sort: [['id', direction]], limit: 1, skip: 0, project });
    const rows: Row[] = [];
    await drain(cursor, (row) => rows.push(row));
    return rows[0];
  }

  /** Cursors and subscriptions begin in one turn: what is not in the snapshot comes as an event. */
  async #count(): Promise<void> {
    const all = { selector: {}, sort: [], limit: undefined, skip: 0 } as const;
    const changes = this.#engine.find(SYNC_CHANGES, all);
    const outbox = this.#engine.find(SYNC_OUTBOX, { ...all, project: { id: 1, count: 1, refusal: 1 } });
    this.#engine.subscribe(SYNC_CONFLICTS, () => {
      this.#inboxChanges += 1;
      this.#isStale = true;
    });
    this.#engine.subscribe(SYNC_CHANGES, (events) => this.#take(events, changesCount));
    this.#engine.subscribe(SYNC_OUTBOX, (events) => this.#take(events, (row) => this.#outboxCount(row)));
    const gone = new Set<number>();
    const stop = this.#engine.subscribe(SYNC_OUTBOX, (events) => {
      for (const { type, key } of events) if (type !== 'create') gone.add(key as number);
    });
    await drain(changes, (row) => {
      this.#pending += changesCount(row);
    });
    await drain(outbox, (row) => {
      this.#pending += (row as OutboxRow).count;
      if (!gone.has((row as OutboxRow).id)) this.#note(row as OutboxRow);
    });
    stop();
    this.#isCounted = true;
    this.#isStale = true;
    this.told();
  }

  #take(events: readonly ChangeEvent[], countOf: (row: Row) => number): void {
    this.#isStale = true;
    for (const { key, row, before } of events) {
      if (before !== undefined) {
        this.#pending -= countOf(before);
        this.#unsynced.delete(key as number);
      }
      if (row !== undefined) this.#pending += countOf(row);
    }
  }

  #outboxCount(row: Row): number {
    this.#note(row as OutboxRow);
    return (row as OutboxRow).count;
  }

  #note({ id, count, refusal }: OutboxRow): void {
    if (refusal !== undefined) this.#unsynced.set(id, { count, refusal });
  }
}

const changesCount = (row: Row): number => (row as ChangesRow).rows.length;

async function drain(cursor: RowCursor, take: (row: Row) => void): Promise<void> {
  try {
    for (let isDone = false; !isDone; ) {
      const { rows, done } = await cursor.next(CHUNK_ROWS);
      rows.forEach(take);
      isDone = done;
    }
  } finally {
    cursor.close();
  }
}

const refused = ({ code, message }: Refusal, entries: number): StoreError =>
  new StoreError('sync/refused', `The relay has refused changes of this store: ${message}`, {
    details: { code, entries },
    hint: 'They are kept here; store.sync.status$ tells why.',
  });
