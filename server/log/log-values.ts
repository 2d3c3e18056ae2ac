/** Values of the log: FORMAT.md. Each begins with the CRC-32C of what follows. */
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { crc32c } from '../../src/base/crc32c.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { WRITER_BYTES, writerBytes, writerName } from '../../src/protocol/sync/index.ts';
import type { Batch, RowState } from './relay-log.ts';
import type { WriterRecord } from './writer-record.ts';

export const FORMAT_VERSION = 1;

export type StoreRecord = { readonly id: number; readonly epoch: string };
export type Progress = { readonly folded: number; readonly floor: number; readonly rowCount: number };

export const encodeStoreRecord = ({ id, epoch }: StoreRecord): Uint8Array =>
  sealed((writer) => {
    writer.varint(id);
    writer.text(epoch);
  });
export const decodeStoreRecord = (value: Uint8Array, what: string): StoreRecord =>
  opened(value, what, (reader) => ({ id: reader.varint(), epoch: reader.text() }));

export const encodeBatch = (batch: Omit<Batch, 'sequence'>): Uint8Array =>
  sealed((writer) => {
    writer.bytes(writerBytes(batch.writer));
    writer.varint(batch.writerSequence);
    writer.varint(batch.timeMs);
    writer.bytes(batch.body);
  });
export const decodeBatch = (sequence: number, value: Uint8Array, what: string): Batch =>
  opened(value, what, (reader) => ({
    sequence,
    writer: writerName(reader.bytes(WRITER_BYTES)),
    writerSequence: reader.varint(),
    timeMs: reader.varint(),
    body: reader.rest(),
  }));

export const encodeState = ({ at, state, projection }: RowState): Uint8Array =>
  sealed((writer) => {
    writer.varint(at.sequence);
    writer.varint(at.ordinal);
    writer.varint(state.length);
    writer.bytes(state);
    // An empty rest stands for no projection: no value has an encoding without bytes.
    writer.bytes(projection ?? new Uint8Array());
  });
export const decodeState = (value: Uint8Array, what: string): RowState =>
  opened(value, what, (reader) => {
    const at = { sequence: reader.varint(), ordinal: reader.varint() };
    const state = reader.bytes(reader.varint());
    const projection = reader.rest();
    return { at, state, projection: projection.length === 0 ? undefined : projection };
  });

export const encodeWriter = ({ last, logSequence, gaps, timeMs }: WriterRecord): Uint8Array =>
  sealed((writer) => {
    writer.varint(last);
    writer.varint(logSequence);
    writer.varint(timeMs);
    writer.varint(gaps.length);
    for (const gap of gaps) writer.varint(gap);
  });
export const decodeWriter = (value: Uint8Array, what: string): WriterRecord =>
  opened(value, what, (reader) => {
    const [last, logSequence, timeMs] = [reader.varint(), reader.varint(), reader.varint()];
    const gaps = Array.from({ length: reader.count(1) }, () => reader.varint());
    return { last, logSequence, timeMs, gaps };
  });

export const encodeProgress = ({ folded, floor, rowCount }: Progress): Uint8Array =>
  sealed((writer) => {
    writer.varint(folded);
    writer.varint(floor);
    writer.varint(rowCount);
  });
export const decodeProgress = (value: Uint8Array, what: string): Progress =>
  opened(value, what, (reader) => ({ folded: reader.varint(), floor: reader.varint(), rowCount: reader.varint() }));

export const encodeFormat = (): Uint8Array => sealed((writer) => writer.varint(FORMAT_VERSION));
export const decodeFormat = (value: Uint8Array): number => opened(value, 'the format', (reader) => reader.varint());

function sealed(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  writer.uint32(0);
  write(writer);
  const value = writer.finish();
  new DataView(value.buffer).setUint32(0, crc32c(value.subarray(4)), true);
  return value;
}

function opened<T>(value: Uint8Array, what: string, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(value);
  if (value.length < 4 || reader.uint32() !== crc32c(value.subarray(4))) throw damaged(what);
  return read(reader);
}

const damaged = (what: string): StoreError =>
  new StoreError('log/damaged', `${what} in the relay's log fails its checksum.`, {
    details: { record: what },
    hint: 'Restore the folder of the log from a copy, and let devices push their states again.',
  });
