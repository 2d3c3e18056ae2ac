/** Layout of a frame, permanent (see FORMAT.md). It knows nothing of what a payload means. */
import { assert } from '../../src/base/assert.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { type Lsn, toLsn } from '../../src/base/ids.ts';
import { RECORD_BYTES_MAX } from '../../src/base/limits.ts';

/** "CSWF" in the order of the bytes. */
export const FRAME_MAGIC: number = 0x46575343;
export const FRAME_VERSION: number = 1;
export const FRAME_HEADER_BYTES: number = 28;
export const FRAME_PAYLOAD_BYTES_MAX: number = RECORD_BYTES_MAX - FRAME_HEADER_BYTES;
/** Length of the raw payload, in front of a compressed one. */
export const RAW_LENGTH_BYTES: number = 4;

export const FLAG_GROUP_START: number = 1;
export const FLAG_GROUP_END: number = 2;
export const FLAG_COMPRESSED: number = 4;
const FLAGS_KNOWN = FLAG_GROUP_START | FLAG_GROUP_END | FLAG_COMPRESSED;

const CRC_OFFSET = 24;
const EPOCH_MAX = 0xffffffff;
const TWO_TO_32 = 0x100000000;

export type FrameHeader = {
  readonly flags: number;
  readonly epoch: number;
  readonly lsn: Lsn;
};

export type Frame = FrameHeader & {
  /** A view into the record. */
  readonly payload: Uint8Array;
};

/** Why a record is not a frame, or not the next one. Stable: it reaches reports. */
export type FrameFault =
  | 'short-frame'
  | 'bad-magic'
  | 'unknown-version'
  | 'unknown-flags'
  | 'wrong-length'
  | 'bad-checksum'
  | 'wrong-lsn';

/** Writes the header in front of a payload that stands in `record` already, behind the header's place. */
export function sealFrame(record: Uint8Array, { flags, epoch, lsn }: FrameHeader): void {
  assert(Number.isInteger(epoch) && epoch >= 0 && epoch <= EPOCH_MAX, `Not an epoch: ${epoch}.`);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint8(4, FRAME_VERSION);
  view.setUint8(5, flags);
  view.setUint16(6, 0, true);
  view.setUint32(8, epoch, true);
  view.setUint32(12, lsn % TWO_TO_32, true);
  view.setUint32(16, Math.floor(lsn / TWO_TO_32), true);
  view.setUint32(20, record.byteLength - FRAME_HEADER_BYTES, true);
  view.setUint32(CRC_OFFSET, checksum(record), true);
}

/** The frame in a record that was stored under `lsn`, or what is wrong with it. Never throws. */
export function openFrame(record: Uint8Array, lsn: Lsn): Frame | FrameFault {
  if (record.byteLength < FRAME_HEADER_BYTES) return 'short-frame';
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return 'bad-magic';
  if (view.getUint8(4) !== FRAME_VERSION) return 'unknown-version';
  if (view.getUint32(20, true) !== record.byteLength - FRAME_HEADER_BYTES) return 'wrong-length';
  if (view.getUint32(CRC_OFFSET, true) !== checksum(record)) return 'bad-checksum';
  const flags = view.getUint8(5);
  if ((flags & ~FLAGS_KNOWN) !== 0 || view.getUint16(6, true) !== 0) return 'unknown-flags';
  const stored = view.getUint32(12, true) + view.getUint32(16, true) * TWO_TO_32;
  // Sound bytes in the wrong place: a record that was copied or exchanged.
  if (stored !== lsn) return 'wrong-lsn';
  return { flags, epoch: view.getUint32(8, true), lsn: toLsn(stored), payload: record.subarray(FRAME_HEADER_BYTES) };
}

function checksum(record: Uint8Array): number {
  return crc32c(record.subarray(FRAME_HEADER_BYTES), crc32c(record.subarray(0, CRC_OFFSET)));
}
