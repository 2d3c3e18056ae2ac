/** Layout of a tail file, permanent (see FORMAT.md). It knows nothing of what a record holds. */
import { crc32c } from '../../../src/base/crc32c.ts';
import { type Lsn, toLsn } from '../../../src/base/ids.ts';
import type { LogRecord } from '../log-store.ts';

/** "CSTB" in the order of the bytes. */
export const TAIL_MAGIC: number = 0x42545343;
export const TAIL_HEADER_BYTES: number = 24;
const FIRST_MAGIC_BYTE = TAIL_MAGIC & 0xff;
const LENGTH_BYTES = 4;
const CRC_OFFSET = 20;
const TWO_TO_32 = 0x100000000;

/** The records of one append, which stand in a file whole or not at all. */
export type TailBatch = {
  readonly firstLsn: Lsn;
  readonly lastLsn: Lsn;
  /** Position in the file. */
  readonly at: number;
  /** With the header. */
  readonly byteLength: number;
};

/** Bytes that these records take as a batch. */
export function tailBytesOf(records: readonly LogRecord[]): number {
  let total = TAIL_HEADER_BYTES;
  for (const { bytes } of records) total += LENGTH_BYTES + bytes.byteLength;
  return total;
}

/** Records of consecutive LSNs as a batch. */
export function encodeTailBatch(records: readonly LogRecord[]): Uint8Array {
  const batch = new Uint8Array(tailBytesOf(records));
  const view = new DataView(batch.buffer);
  const firstLsn = records[0]!.lsn;
  view.setUint32(0, TAIL_MAGIC, true);
  view.setUint32(4, batch.byteLength, true);
  view.setUint32(8, firstLsn % TWO_TO_32, true);
  view.setUint32(12, Math.floor(firstLsn / TWO_TO_32), true);
  view.setUint32(16, records.length, true);
  let at = TAIL_HEADER_BYTES;
  for (const { bytes } of records) {
    view.setUint32(at, bytes.byteLength, true);
    batch.set(bytes, at + LENGTH_BYTES);
    at += LENGTH_BYTES + bytes.byteLength;
  }
  view.setUint32(CRC_OFFSET, checksum(batch), true);
  return batch;
}

/** The records of a batch that was found sound; views into it. */
export function decodeTailBatch(batch: Uint8Array, firstLsn: Lsn): readonly LogRecord[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const records: LogRecord[] = [];
  for (let at = TAIL_HEADER_BYTES; at < batch.byteLength; ) {
    const start = at + LENGTH_BYTES;
    at = start + view.getUint32(at, true);
    records.push({ lsn: toLsn(firstLsn + records.length), bytes: batch.subarray(start, at) });
  }
  return records;
}

/**
 * All sound batches of a file, in the order of their positions. Bytes that are none are passed over: a batch that was
 * being written when the browser died, what an earlier use of the place left behind, or damage, which shows as a gap
 * between the batches around it.
 */
export function scanTail(bytes: Uint8Array): readonly TailBatch[] {
  const batches: TailBatch[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (;;) {
    at = bytes.indexOf(FIRST_MAGIC_BYTE, at);
    if (at < 0 || at + TAIL_HEADER_BYTES > bytes.byteLength) return batches;
    const batch = batchAt(bytes, view, at);
    if (batch === undefined) {
      at += 1;
      continue;
    }
    batches.push(batch);
    at += batch.byteLength;
  }
}

function batchAt(bytes: Uint8Array, view: DataView, at: number): TailBatch | undefined {
  if (view.getUint32(at, true) !== TAIL_MAGIC) return undefined;
  const byteLength = view.getUint32(at + 4, true);
  if (byteLength <= TAIL_HEADER_BYTES || at + byteLength > bytes.byteLength) return undefined;
  const firstLsn = view.getUint32(at + 8, true) + view.getUint32(at + 12, true) * TWO_TO_32;
  const lastLsn = firstLsn + view.getUint32(at + 16, true) - 1;
  if (firstLsn === 0 || lastLsn < firstLsn || !Number.isSafeInteger(lastLsn)) return undefined;
  if (view.getUint32(at + CRC_OFFSET, true) !== checksum(bytes.subarray(at, at + byteLength))) return undefined;
  return { firstLsn: toLsn(firstLsn), lastLsn: toLsn(lastLsn), at, byteLength };
}

function checksum(batch: Uint8Array): number {
  return crc32c(batch.subarray(TAIL_HEADER_BYTES), crc32c(batch.subarray(0, CRC_OFFSET)));
}
