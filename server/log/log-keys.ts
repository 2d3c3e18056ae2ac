/** Keys of the log: FORMAT.md. The first byte is permanent, and so is the order of what follows. */
import { ByteWriter } from '../../src/base/bytes.ts';
import {
  type RowCursor,
  type RowName,
  type WriterId,
  writeRowName,
  writerBytes,
} from '../../src/protocol/sync/index.ts';
import type { KeyRange } from './ordered-store.ts';

const KIND = {
  format: 0x01,
  store: 0x02,
  batch: 0x10,
  state: 0x11,
  changed: 0x12,
  writer: 0x13,
  progress: 0x14,
} as const;

export const formatKey: Uint8Array = Uint8Array.of(KIND.format);

export function storeKey(name: string): Uint8Array {
  return Uint8Array.of(KIND.store, ...new TextEncoder().encode(name));
}
export const storesRange: KeyRange = { from: Uint8Array.of(KIND.store), to: Uint8Array.of(KIND.store + 1) };
export const storeNameOf = (key: Uint8Array): string => new TextDecoder().decode(key.subarray(1));

export const batchKey = (store: number, sequence: number): Uint8Array => numbered(KIND.batch, store, sequence);
export const batchesRange = (store: number, after: number): KeyRange => ({
  from: batchKey(store, after + 1),
  to: kindEnd(KIND.batch, store),
});
export const batchesUpTo = (store: number, upTo: number): KeyRange => ({
  from: batchKey(store, 0),
  to: batchKey(store, upTo + 1),
});
export const sequenceOf = (key: Uint8Array): number => readNumber(key, 5);

/** The row's name as the wire has it. Also the value of `changed` entries. */
export function rowBytes(row: RowName): Uint8Array {
  const writer = new ByteWriter();
  writeRowName(writer, row);
  return writer.finish();
}
export function stateKey(store: number, row: Uint8Array): Uint8Array {
  const key = new Uint8Array(5 + row.length);
  writeHead(key, KIND.state, store);
  key.set(row, 5);
  return key;
}

/** Rows behind one, in the order of their bytes. */
export const statesRange = (store: number, after: Uint8Array | undefined): KeyRange => ({
  from: after === undefined ? kindStart(KIND.state, store) : Uint8Array.of(...stateKey(store, after), 0),
  to: kindEnd(KIND.state, store),
});
/** The row of a state's key. */
export const rowBytesOf = (key: Uint8Array): Uint8Array => key.subarray(5);

export function changedKey(store: number, { sequence, ordinal }: RowCursor): Uint8Array {
  const key = new Uint8Array(17);
  writeHead(key, KIND.changed, store);
  writeNumber(key, 5, sequence);
  new DataView(key.buffer).setUint32(13, ordinal);
  return key;
}
/** Behind the cursor itself. */
export function changedRange(store: number, after: RowCursor): KeyRange {
  const last = changedKey(store, after);
  return { from: Uint8Array.of(...last, 0), to: kindEnd(KIND.changed, store) };
}

export function writerKey(store: number, writer: WriterId): Uint8Array {
  const name = writerBytes(writer);
  const key = new Uint8Array(5 + name.length);
  writeHead(key, KIND.writer, store);
  key.set(name, 5);
  return key;
}
export const writersRange = (store: number): KeyRange => ({
  from: kindStart(KIND.writer, store),
  to: kindEnd(KIND.writer, store),
});

export const progressKey = (store: number): Uint8Array => kindStart(KIND.progress, store);

function kindStart(kind: number, store: number): Uint8Array {
  const key = new Uint8Array(5);
  writeHead(key, kind, store);
  return key;
}

const kindEnd = (kind: number, store: number): Uint8Array => kindStart(kind, store + 1);

function numbered(kind: number, store: number, value: number): Uint8Array {
  const key = new Uint8Array(13);
  writeHead(key, kind, store);
  writeNumber(key, 5, value);
  return key;
}

function writeHead(key: Uint8Array, kind: number, store: number): void {
  key[0] = kind;
  new DataView(key.buffer).setUint32(1, store);
}

/** 64 bits, big-endian, so that bytes compare as numbers do. */
function writeNumber(key: Uint8Array, at: number, value: number): void {
  const view = new DataView(key.buffer);
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

function readNumber(key: Uint8Array, at: number): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}
