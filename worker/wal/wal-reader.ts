/**
 * Reads the log after a crash: the longest contiguous prefix of sound groups, and a report of what follows it (B7). Bad
 * bytes never throw; they end the prefix. Only the storage itself can fail a reading.
 */
import { assert } from '../../src/base/assert.ts';
import { type Lsn, toLsn } from '../../src/base/ids.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { LogRecord, LogStore } from '../storage/index.ts';
import type { Compression } from './compression.ts';
import {
  FLAG_COMPRESSED,
  FLAG_GROUP_END,
  FLAG_GROUP_START,
  type Frame,
  type FrameFault,
  openFrame,
  RAW_LENGTH_BYTES,
} from './wal-format.ts';

/** Records of the first two batches; the size of those that follow is chosen by the bytes of what came before. */
const FIRST_BATCH_RECORDS = 128;
/** With two batches in memory, and all records of the largest size after small ones, 192 MiB. */
const BATCH_RECORDS_MAX = 2048;
const BATCH_BYTES_AIM = 4 * 1024 * 1024;

export type WalGroup = {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  readonly epoch: number;
  /** May be a view into a stored record; it is the reader's to keep. */
  readonly payload: Uint8Array;
};

/** Why the prefix ended before the log did. Stable: it reaches recovery reports. */
export type WalFault =
  | FrameFault
  /** An LSN is missing. */
  | 'gap'
  | 'epoch-decreased'
  /** Group flags that no writer sets in this place. */
  | 'broken-group'
  /** The log ends inside a group. */
  | 'unfinished-group'
  | 'bad-compression';

export type WalReport = {
  readonly framesKept: number;
  /** All records behind the prefix, sound or not. */
  readonly framesDropped: number;
  readonly bytesDropped: number;
  /** The last LSN of the prefix; the `after` of the reading when it is empty. */
  readonly lastLsn: Lsn;
  /** The epoch of the last frame kept; 0 when there is none. */
  readonly epoch: number;
  /** `undefined` when the whole log is sound. */
  readonly reason: WalFault | undefined;
};

/** One pass over the log; iterate it once. */
export interface WalReading extends AsyncIterable<WalGroup> {
  /** After the iteration has reached its end. */
  report(): WalReport;
}

export type ReadWalOptions = {
  readonly log: LogStore;
  /** The log floor: the first group begins at the LSN that follows. */
  readonly after: Lsn;
  /** Needed as soon as a group is compressed; without it the reading rejects with `wal/no-decompression`. */
  readonly compression: Compression | undefined;
};

export function readWal(options: ReadWalOptions): WalReading {
  const pass = new WalPass(options);
  return {
    [Symbol.asyncIterator]: () => pass.groups(),
    report: () => pass.report(),
  };
}

/**
 * Moves what a reading dropped out of the log, bytes intact, so that it neither replays later nor collides with new
 * frames. Answers how many records there were.
 */
export async function quarantineTail(options: { readonly log: LogStore; readonly report: WalReport }): Promise<number> {
  const { log, report } = options;
  return report.framesDropped === 0 ? 0 : log.quarantine(report.lastLsn);
}

class WalPass {
  readonly #log: LogStore;
  readonly #compression: Compression | undefined;
  #state: 'fresh' | 'reading' | 'ended' = 'fresh';
  #lastLsn: Lsn;
  #epoch = 0;
  #framesKept = 0;
  #framesSeen = 0;
  #bytesSeen = 0;
  #bytesKept = 0;
  #reason: WalFault | undefined;
  /** Frames of the group that has begun and not ended. */
  #open: Frame[] = [];
  #openBytes = 0;

  constructor({ log, after, compression }: ReadWalOptions) {
    this.#log = log;
    this.#lastLsn = after;
    this.#compression = compression;
  }

  report(): WalReport {
    assert(this.#state === 'ended', 'The report is there after the last group.');
    return {
      framesKept: this.#framesKept,
      framesDropped: this.#framesSeen - this.#framesKept,
      bytesDropped: this.#bytesSeen - this.#bytesKept,
      lastLsn: this.#lastLsn,
      epoch: this.#epoch,
      reason: this.#reason,
    };
  }

  async *groups(): AsyncGenerator<WalGroup, void, void> {
    assert(this.#state === 'fresh', 'A reading is iterated once.');
    this.#state = 'reading';
    for await (const records of batches(this.#log, this.#lastLsn)) {
      for (const record of records) {
        this.#framesSeen++;
        this.#bytesSeen += record.bytes.byteLength;
        // The rest is only counted: whatever it holds, it stands behind a hole.
        if (this.#reason !== undefined) continue;
        const end = this.#accept(record);
        if (end === undefined) continue;
        const group = end.flags & FLAG_COMPRESSED ? await this.#closeCompressed(end) : this.#close(end);
        if (group !== undefined) yield group;
      }
    }
    if (this.#open.length > 0) this.#reason ??= 'unfinished-group';
    this.#state = 'ended';
  }

  /** Takes the next record up; answers the frame when it ends a group. */
  #accept({ lsn, bytes }: LogRecord): Frame | undefined {
    const expected = this.#lastLsn + this.#open.length + 1;
    const frame = lsn === expected ? openFrame(bytes, lsn) : 'gap';
    const fault = typeof frame === 'string' ? frame : this.#faultInOrder(frame);
    if (fault !== undefined) {
      this.#reason = fault;
      return undefined;
    }
    const sound = frame as Frame;
    this.#open.push(sound);
    this.#openBytes += bytes.byteLength;
    return sound.flags & FLAG_GROUP_END ? sound : undefined;
  }

  #faultInOrder({ flags, epoch }: Frame): WalFault | undefined {
    const first = this.#open[0];
    if (first === undefined) {
      if (epoch < this.#epoch) return 'epoch-decreased';
      return flags & FLAG_GROUP_START ? undefined : 'broken-group';
    }
    const isSameGroup =
      !(flags & FLAG_GROUP_START) && epoch === first.epoch && !((flags ^ first.flags) & FLAG_COMPRESSED);
    return isSameGroup ? undefined : 'broken-group';
  }

  #close(end: Frame): WalGroup {
    return this.#keep(end, joinPayloads(this.#open));
  }

  async #closeCompressed(end: Frame): Promise<WalGroup | undefined> {
    // Not damage but a missing ability: dropping the group would lose sound data.
    if (this.#compression === undefined) {
      throw new StoreError('wal/no-decompression', 'The log is compressed and this platform cannot read it.', {
        details: { lsn: end.lsn },
        hint: 'Nothing was changed. Use a browser with DecompressionStream.',
      });
    }
    const packed = joinPayloads(this.#open);
    const payload = await decompress(packed, this.#compression);
    if (payload !== undefined) return this.#keep(end, payload);
    this.#reason = 'bad-compression';
    return undefined;
  }

  #keep(end: Frame, payload: Uint8Array): WalGroup {
    const firstLsn = this.#open[0]!.lsn;
    this.#framesKept += this.#open.length;
    this.#bytesKept += this.#openBytes;
    this.#lastLsn = end.lsn;
    this.#epoch = end.epoch;
    this.#open = [];
    this.#openBytes = 0;
    return { firstLsn, lastLsn: end.lsn, epoch: end.epoch, payload };
  }
}

/**
 * The records in batches of a bounded size. The next batch is asked for before the one before has come: a log without
 * gaps tells where it begins, and the database fetches while we check and replay.
 */
async function* batches(log: LogStore, after: Lsn): AsyncGenerator<readonly LogRecord[], void, void> {
  let limit = FIRST_BATCH_RECORDS;
  let current = fetchBatch(log, after, limit);
  for (;;) {
    const end = toLsn(current.after + current.limit);
    let next = fetchBatch(log, end, limit);
    const records = await current.records;
    if (records.length > 0) yield records;
    if (records.length < current.limit) return;
    const last = records.at(-1)!.lsn;
    limit = nextLimit(records);
    if (last !== end) next = fetchBatch(log, last, limit);
    current = next;
  }
}

type PendingBatch = { readonly after: Lsn; readonly limit: number; readonly records: Promise<readonly LogRecord[]> };

function fetchBatch(log: LogStore, after: Lsn, limit: number): PendingBatch {
  const records = log.read(after, limit);
  // One that turns out not to be needed is not waited for; the failure of one that is shows where it is awaited.
  records.catch(() => {});
  return { after, limit, records };
}

function nextLimit(records: readonly LogRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += record.bytes.byteLength;
  const aim = Math.floor((BATCH_BYTES_AIM * records.length) / (bytes + 1));
  // At most a few times more than before: the records that follow may be larger.
  return Math.max(1, Math.min(aim, records.length * 8, BATCH_RECORDS_MAX));
}

function joinPayloads(frames: readonly Frame[]): Uint8Array {
  if (frames.length === 1) return frames[0]!.payload;
  let length = 0;
  for (const { payload } of frames) length += payload.byteLength;
  const joined = new Uint8Array(length);
  let at = 0;
  for (const { payload } of frames) {
    joined.set(payload, at);
    at += payload.byteLength;
  }
  return joined;
}

/** Deflate gains at most about 1,030 times: a length beyond that is damage, and not to be allocated. */
const INFLATE_FACTOR_MAX = 1_040;

async function decompress(packed: Uint8Array, compression: Compression): Promise<Uint8Array | undefined> {
  if (packed.byteLength < RAW_LENGTH_BYTES) return undefined;
  const byteLength = new DataView(packed.buffer, packed.byteOffset, packed.byteLength).getUint32(0, true);
  const deflated = packed.subarray(RAW_LENGTH_BYTES);
  if (byteLength > deflated.byteLength * INFLATE_FACTOR_MAX) return undefined;
  return compression.decompress(deflated, byteLength);
}
