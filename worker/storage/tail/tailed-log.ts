/**
 * A log whose newest records may stand in a tail instead of its store. An append to a tail is done when the file has
 * taken the bytes, which survives a killed browser and costs a tenth of a transaction. Large appends, those with blobs
 * and those that ask for `strict` go to the store, and take with them what the tail still holds.
 *
 * Invariants
 * - The store holds a prefix of the log, and the tail what follows it; no record is only in memory.
 * - Records leave the tail when the store has them, or when a checkpoint no longer needs them.
 * - One writer at a time has the log, by the store's lock. The fence of the store's keys (T2) sees only what reaches
 *   the store: a writer that can be superseded without ending must not answer from its tail unless it knows that it
 *   has not been.
 */
import { assert } from '../../../src/base/assert.ts';
import { type Lsn, toLsn } from '../../../src/base/ids.ts';
import { StoreError } from '../../../src/base/store-error.ts';
import type { LogAppend, LogRecord, LogStore } from '../log-store.ts';
import type { MetaStore } from '../meta-store.ts';
import type { TailFile, TailFolder } from '../tail-folder.ts';
import { assertAppend } from '../write-rules.ts';
import { Tail } from './tail.ts';

/** Name in the meta store of the file that is the tail. Permanent. */
const TAIL_KEY = 'tail';
/**
 * Appends of more bytes go to the store: writing to the file blocks the thread, a transaction does not. Up to here the file
 * is faster all the same: 2 MiB take 2 to 8 ms, and a bulk insert of 20,000 rows a seventh less time.
 */
const TAIL_APPEND_BYTES_MAX = 4 * 1024 * 1024;
/** Records that go from the tail to the store in one transaction, and about how many bytes. */
const MOVE_RECORDS_MAX = 1_000;
const MOVE_BYTES_MAX = 4 * 1024 * 1024;
/**
 * A file that is no faster than this at its best costs more than a transaction. Chromium's private windows keep such
 * files in another process: 0.6 ms for a small write.
 */
const SLOW_MS = 0.4;
/** Writes that are looked at for that. */
const TRIALS = 16;

export type TailedLogOptions = {
  readonly store: LogStore;
  readonly meta: MetaStore;
  /** Rejects where the browser has no such files. */
  readonly folder: Promise<TailFolder>;
  /** A name that no tail has had. */
  readonly createName: () => string;
  readonly now: () => number;
  /**
   * Whether nobody can have taken the log over by now. It is asked after a write: whoever takes over reads the tail
   * after that moment. Default: nobody ever can.
   */
  readonly isLeased?: (() => boolean) | undefined;
};

export class TailedLog implements LogStore {
  readonly #options: TailedLogOptions;
  readonly #store: LogStore;
  readonly #opened: Promise<void>;
  #folder: TailFolder | undefined;
  #tail: Tail | undefined;
  /** Whether appends may go to the tail. `untried`: there is none yet, `off`: there will be none. */
  #state: 'untried' | 'creating' | 'ready' | 'off' = 'untried';
  #creating: Promise<void> = Promise.resolve();
  /** What another writer's file held: it goes to the store with the first append. */
  #foreign: readonly LogRecord[] = [];
  /** Whether it is known where the store ends and the tail begins. */
  #isAligned = false;
  #storedLsn = 0;
  /** Of the newest record, wherever it is. */
  #lastLsn = 0;
  /** The reading before this one: what they find is taken up in their order. */
  #reading: Promise<unknown> = Promise.resolve();
  #trials = 0;
  #fastestMs: number = Number.POSITIVE_INFINITY;

  /** Begins to open the tail that the meta store names. The caller holds the store's lock. */
  constructor(options: TailedLogOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#opened = this.#open();
    // Whoever reads or appends first is told.
    this.#opened.catch(() => undefined);
  }

  /** Whether the tail that the store names was not there: writes since the last checkpoint may be lost. */
  isTailMissing = false;

  /** Whether appends go to the tail now. */
  get hasTail(): boolean {
    return this.#state === 'ready';
  }

  /** Records in the tail that the store lacks, and their bytes. */
  get waiting(): { readonly records: number; readonly bytes: number } {
    return {
      records: (this.#tail?.length ?? 0) + this.#foreign.length,
      bytes: (this.#tail?.bytes ?? 0) + this.#foreign.reduce((sum, { bytes }) => sum + bytes.byteLength, 0),
    };
  }

  append(batch: LogAppend): Promise<void> {
    if (!this.#isAligned) return this.#appendLater(copyOf(batch));
    if (this.#state === 'ready' && this.#isForTail(batch)) {
      try {
        // After the write: a thread that was stopped may have been succeeded meanwhile. Then the store's keys tell (T2).
        if (this.#appendToTail(batch))
          return this.#options.isLeased?.() === false ? this.#moveAll() : Promise.resolve();
      } catch (error) {
        return Promise.reject(error);
      }
    }
    return this.#appendToStore(batch);
  }

  async read(after: Lsn, limit: number): Promise<readonly LogRecord[]> {
    const reading = this.#store.read(after, limit);
    const before = this.#reading;
    this.#reading = reading.catch(() => undefined);
    const [stored] = await Promise.all([reading, before, this.#opened]);
    if (this.#isAligned && stored.length === limit) return stored;
    this.#storedLsn = Math.max(this.#storedLsn, stored.at(-1)?.lsn ?? after);
    if (stored.length === limit) return stored;
    if (!this.#isAligned) {
      this.#isAligned = true;
      // Later readings ask ahead of what there is, and tell nothing of the end.
      this.#lastLsn = Math.max(this.#storedLsn, this.#foreign.at(-1)?.lsn ?? 0, this.#tail?.lastLsn ?? 0);
      this.#drop(toLsn(this.#storedLsn));
    }
    const from = stored.at(-1)?.lsn ?? after;
    return [...stored, ...this.#waitingAfter(from, limit - stored.length)];
  }

  async trim(upTo: Lsn, after?: Lsn): Promise<void> {
    await this.#store.trim(upTo, after);
    this.#drop(upTo);
  }

  async quarantine(after: Lsn): Promise<number> {
    await this.#align();
    for (;;) {
      const records = firstRun(this.#waitingFirst());
      if (records.length === 0) break;
      await this.#store.append({ records, blobs: [], durability: 'relaxed' });
      this.#drop(records.at(-1)!.lsn);
    }
    // The LSNs will be used again: nothing of them may be found here.
    this.#tail?.clear();
    this.#lastLsn = after;
    return this.#store.quarantine(after);
  }

  /** Lets the file go. What it holds is read when the log is opened again. */
  async close(): Promise<void> {
    await this.#opened.catch(() => undefined);
    await this.#creating;
    this.#state = 'off';
    this.#tail?.close();
    this.#tail = undefined;
  }

  /** After `close`. */
  async destroy(): Promise<void> {
    await this.#folder?.destroy();
  }

  async #open(): Promise<void> {
    const { meta, folder } = this.#options;
    folder.catch(() => undefined);
    const name = await meta.get(TAIL_KEY);
    const isNamed = typeof name === 'string';
    try {
      this.#folder = await folder;
    } catch (cause) {
      this.#state = 'off';
      if (!isNamed) return;
      throw new StoreError('storage/tail-unreadable', 'The newest writes are in a file that cannot be reached now.', {
        cause,
        hint: 'Nothing was changed. Allow this site to store files, or open the store again later.',
      });
    }
    if (!isNamed) return;
    const file = await this.#folder.open(name);
    if (file === 'absent') this.isTailMissing = true;
    else if (file === 'locked')
      this.#foreign = new Tail(bytesAsFile(await this.#folder.readLocked(name))).records(
        toLsn(0),
        Number.POSITIVE_INFINITY,
        Number.POSITIVE_INFINITY,
      );
    else this.#use(new Tail(file));
  }

  #use(tail: Tail): void {
    this.#tail = tail;
    this.#state = 'ready';
  }

  /** Makes a tail beside the appends, which go to the store until it is there. */
  #create(): void {
    const { meta, createName } = this.#options;
    const folder = this.#folder;
    assert(folder !== undefined && this.#foreign.length === 0, 'A tail begins empty.');
    this.#state = 'creating';
    const make = async (): Promise<void> => {
      const name = createName();
      const file = await folder.create(name);
      try {
        await meta.put(TAIL_KEY, name);
      } catch (error) {
        file.close();
        throw error;
      }
      this.#use(new Tail(file));
      await folder.removeOthers(name);
    };
    this.#creating = make().catch(() => {
      // No space, or a browser that refuses such files here: the store takes everything, as it does without a tail.
      if (this.#state === 'creating') this.#state = 'off';
    });
  }

  #isForTail({ records, blobs, durability }: LogAppend): boolean {
    // What does not follow the newest record is another writer's or a bug: the store finds out.
    if (durability !== 'relaxed' || blobs.length > 0 || records[0]?.lsn !== this.#lastLsn + 1) return false;
    let bytes = 0;
    for (const record of records) bytes += record.bytes.byteLength;
    return bytes <= TAIL_APPEND_BYTES_MAX && this.#tail!.hasRoomFor(records);
  }

  /** Answers whether the tail has taken them. */
  #appendToTail(batch: LogAppend): boolean {
    assertAppend(batch);
    const tail = this.#tail!;
    const { records } = batch;
    const startMs = this.#options.now();
    try {
      tail.append(records);
    } catch {
      // Full, or the file is gone: the store decides. What may have been written must not be found later.
      this.#state = 'off';
      try {
        tail.takeBack(records);
      } catch (cause) {
        throw new StoreError('storage/outcome-unknown', 'A write may or may not have been stored.', {
          cause,
          hint: 'Close the store and open it again: it reads what is there.',
        });
      }
      return false;
    }
    this.#lastLsn = records.at(-1)!.lsn;
    if (this.#trials < TRIALS) this.#judge(this.#options.now() - startMs);
    return true;
  }

  #judge(ms: number): void {
    this.#trials++;
    this.#fastestMs = Math.min(this.#fastestMs, ms);
    if (this.#trials === TRIALS && this.#fastestMs > SLOW_MS) this.#state = 'off';
  }

  /** Nothing has been read yet. */
  async #appendLater(batch: LogAppend): Promise<void> {
    await this.#align();
    await this.append(batch);
  }

  /** Reads the log as a recovery does. */
  async #align(): Promise<void> {
    await this.#opened;
    for (let after = toLsn(0); !this.#isAligned; ) {
      const records = await this.read(after, MOVE_RECORDS_MAX);
      after = records.at(-1)?.lsn ?? after;
    }
  }

  async #moveAll(): Promise<void> {
    for (let records = this.#waitingFirst(); records.length > 0; records = this.#waitingFirst()) {
      try {
        await this.#store.append({ records, blobs: [], durability: 'relaxed' });
      } catch (error) {
        if (error instanceof StoreError && error.code === 'storage/log-collision') throw error;
        throw new StoreError(
          'storage/outcome-unknown',
          'A write is in the tail of the log, and may not be the last word.',
          {
            cause: error,
            hint: 'Close the store and open it again: it reads what is there.',
          },
        );
      }
      this.#drop(records.at(-1)!.lsn);
    }
  }

  async #appendToStore(batch: LogAppend): Promise<void> {
    assertAppend(batch);
    let waiting = this.#waitingFirst();
    while (waiting.length > 0 && this.#waitingAfter(waiting.at(-1)!.lsn, 1).length > 0) {
      await this.#store.append({ records: waiting, blobs: [], durability: batch.durability });
      this.#drop(waiting.at(-1)!.lsn);
      waiting = this.#waitingFirst();
    }
    await this.#store.append(waiting.length === 0 ? batch : { ...batch, records: [...waiting, ...batch.records] });
    const { lsn } = batch.records.at(-1)!;
    this.#drop(lsn);
    this.#lastLsn = Math.max(this.#lastLsn, lsn);
    if (this.#state === 'untried' && batch.durability === 'relaxed') this.#create();
  }

  /** Up to `limit` records; no more are looked for after about `bytes`. */
  #waitingAfter(after: Lsn, limit: number, bytes: number = Number.POSITIVE_INFINITY): readonly LogRecord[] {
    if (this.#foreign.length > 0) return this.#foreign.filter(({ lsn }) => lsn > after).slice(0, limit);
    return this.#tail === undefined || this.#tail.isEmpty ? [] : this.#tail.records(after, limit, bytes);
  }

  /** The oldest that wait, as many as may go in one transaction. */
  #waitingFirst(): readonly LogRecord[] {
    const first: LogRecord[] = [];
    let bytes = 0;
    for (const record of this.#waitingAfter(toLsn(0), MOVE_RECORDS_MAX, MOVE_BYTES_MAX)) {
      if (bytes > MOVE_BYTES_MAX) break;
      first.push(record);
      bytes += record.bytes.byteLength;
    }
    return first;
  }

  #drop(upTo: Lsn): void {
    if (this.#foreign.length > 0) this.#foreign = this.#foreign.filter(({ lsn }) => lsn > upTo);
    this.#tail?.drop(upTo);
    // Chromium counts what a file has had as used until it is closed.
    if (this.#state === 'ready' && this.#tail?.isWaste) {
      this.#tail.close();
      this.#tail = undefined;
      this.#state = 'untried';
    }
  }
}

/** For an append that waits: its caller may use the bytes again at once. */
function copyOf({ records, blobs, durability }: LogAppend): LogAppend {
  return {
    records: records.map(({ lsn, bytes }) => ({ lsn, bytes: bytes.slice() })),
    blobs: blobs.map(({ id, bytes }) => ({ id, bytes: bytes.slice() })),
    durability,
  };
}

/** The first records as far as their LSNs follow each other. */
function firstRun(records: readonly LogRecord[]): readonly LogRecord[] {
  const end = records.findIndex(({ lsn }, index) => lsn !== records[0]!.lsn + index);
  return end < 0 ? records : records.slice(0, end);
}

/** A file that is only read. */
function bytesAsFile(bytes: Uint8Array): TailFile {
  const refuse = (): never => {
    throw new Error('This file is only read.');
  };
  return {
    byteLength: () => bytes.byteLength,
    read: (into, at) => {
      const part = bytes.subarray(at, at + into.byteLength);
      into.set(part);
      return part.byteLength;
    },
    write: refuse,
    truncate: refuse,
    close: () => undefined,
  };
}
