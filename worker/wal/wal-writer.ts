/**
 * Splits groups into frames and appends them, one append in flight. It must not know what a payload means. A group is
 * appended in one transaction of the log store, so it is stored whole or not at all.
 */
import { assert } from '../../src/base/assert.ts';
import { type Lsn, toLsn } from '../../src/base/ids.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { AppendDurability, BlobWrite, LogRecord, LogStore } from '../storage/index.ts';
import type { Compression } from './compression.ts';
import {
  FLAG_COMPRESSED,
  FLAG_GROUP_END,
  FLAG_GROUP_START,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  RAW_LENGTH_BYTES,
  sealFrame,
} from './wal-format.ts';

/** Groups of at least this many payload bytes are compressed, by a writer that compresses; FORMAT.md has the figures. */
export const COMPRESS_BYTES_MIN: number = 64 * 1024;
/** A compressed group that is not at least this much smaller is stored as it is. */
const COMPRESS_RATIO_MAX = 0.9;

export type WalGroupWrite = {
  /** The payload in parts, which are joined. They must not change until the append has settled. */
  readonly payload: readonly Uint8Array[];
  readonly blobs: readonly BlobWrite[];
  readonly durability: AppendDurability;
};

export type WalAppended = {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Bytes of the frames, headers included and after compression; blobs are not counted. */
  readonly bytes: number;
};

export interface WalWriter {
  /** The LSN of the next frame. Advances only when an append has succeeded. */
  readonly nextLsn: Lsn;
  /**
   * Stores one group. At most one append may be in flight, which is half of the fence (T2). Rejects as LogStore.append
   * does; then nothing was written and the writer may be used again, except after `storage/log-collision` (another
   * writer has the store) and `storage/outcome-unknown`: after these every append rejects with `wal/stopped`.
   */
  append(group: WalGroupWrite): Promise<WalAppended>;
}

export type WalWriterOptions = {
  readonly log: LogStore;
  readonly epoch: number;
  readonly nextLsn: Lsn;
  /** `undefined` stores every group as it is, which is faster; with it large groups take about 70 % less space. */
  readonly compression: Compression | undefined;
};

export function createWalWriter({ log, epoch, nextLsn, compression }: WalWriterOptions): WalWriter {
  let next = nextLsn;
  let state: 'ready' | 'appending' | 'stopped' = 'ready';
  let stopCause: unknown;

  const store = async ({ payload, blobs, durability }: WalGroupWrite): Promise<WalAppended> => {
    const byteLength = lengthOf(payload);
    const packed =
      compression && byteLength >= COMPRESS_BYTES_MIN ? await pack(payload, byteLength, compression) : undefined;
    const records = toFrames({
      parts: packed ?? payload,
      byteLength: packed ? lengthOf(packed) : byteLength,
      flags: packed ? FLAG_COMPRESSED : 0,
      firstLsn: next,
      epoch,
    });
    await log.append({ records, blobs, durability });
    const lastLsn = records.at(-1)!.lsn;
    // Advance last: a failed append wrote nothing, so the next one must reuse these LSNs. A gap would end replay there.
    next = toLsn(lastLsn + 1);
    let bytes = 0;
    for (const record of records) bytes += record.bytes.byteLength;
    return { firstLsn: records[0]!.lsn, lastLsn, bytes };
  };

  return {
    get nextLsn() {
      return next;
    },
    append(group) {
      assert(state !== 'appending', 'One append is in flight at a time.');
      if (state === 'stopped') return Promise.reject(stoppedError(stopCause));
      state = 'appending';
      return store(group).then(
        (appended) => {
          state = 'ready';
          return appended;
        },
        (error: unknown) => {
          const isFinal = error instanceof StoreError && FINAL_CODES.has(error.code);
          state = isFinal ? 'stopped' : 'ready';
          stopCause = error;
          throw error;
        },
      );
    },
  };
}

/** After these the log is another writer's, or its end is not known. */
const FINAL_CODES: ReadonlySet<string> = new Set(['storage/log-collision', 'storage/outcome-unknown']);

function stoppedError(cause: unknown): StoreError {
  return new StoreError('wal/stopped', 'The log takes no more: an earlier append ended it.', {
    hint: 'Reopen the store.',
    cause,
  });
}

/** The compressed payload behind its raw length, or `undefined` when that saves too little. */
async function pack(
  payload: readonly Uint8Array[],
  byteLength: number,
  compression: Compression,
): Promise<readonly Uint8Array[] | undefined> {
  const pieces = await compression.compress(payload);
  if (lengthOf(pieces) + RAW_LENGTH_BYTES > byteLength * COMPRESS_RATIO_MAX) return undefined;
  const rawLength = new Uint8Array(RAW_LENGTH_BYTES);
  new DataView(rawLength.buffer).setUint32(0, byteLength, true);
  return [rawLength, ...pieces];
}

type FramesToMake = {
  readonly parts: readonly Uint8Array[];
  readonly byteLength: number;
  readonly flags: number;
  readonly firstLsn: Lsn;
  readonly epoch: number;
};

/** Copies each payload byte once, straight into its frame. */
function toFrames({ parts, byteLength, flags, firstLsn, epoch }: FramesToMake): readonly LogRecord[] {
  const count = Math.max(1, Math.ceil(byteLength / FRAME_PAYLOAD_BYTES_MAX));
  const take = partReader(parts);
  return Array.from({ length: count }, (_, index) => {
    const rest = byteLength - index * FRAME_PAYLOAD_BYTES_MAX;
    const bytes = new Uint8Array(FRAME_HEADER_BYTES + Math.min(rest, FRAME_PAYLOAD_BYTES_MAX));
    take(bytes.subarray(FRAME_HEADER_BYTES));
    const lsn = toLsn(firstLsn + index);
    const edges = (index === 0 ? FLAG_GROUP_START : 0) | (index === count - 1 ? FLAG_GROUP_END : 0);
    sealFrame(bytes, { flags: flags | edges, epoch, lsn });
    return { lsn, bytes };
  });
}

/** Fills one target after the other from the parts. */
function partReader(parts: readonly Uint8Array[]): (target: Uint8Array) => void {
  let part = 0;
  let offset = 0;
  return (target) => {
    let filled = 0;
    while (filled < target.byteLength) {
      const source = parts[part]!;
      const count = Math.min(source.byteLength - offset, target.byteLength - filled);
      const isWhole = offset === 0 && count === source.byteLength;
      target.set(isWhole ? source : source.subarray(offset, offset + count), filled);
      filled += count;
      offset += count;
      if (offset === source.byteLength) {
        part++;
        offset = 0;
      }
    }
  };
}

function lengthOf(parts: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const part of parts) bytes += part.byteLength;
  return bytes;
}
