/**
 * A row's digest: 8 bytes that are the same on both sides when both have the same of the row. Made of what is in a Yjs
 * state, and not of its bytes: two sides may encode one document in different ways. Permanent: PROTOCOL.md.
 */
import { ByteWriter } from '../../base/bytes.ts';
import { StoreError } from '../../base/store-error.ts';
import type { RowName } from './messages.ts';
import { writeRowName } from './row-changes.ts';
import { walkUpdate } from './update-check.ts';

export const DIGEST_BYTES = 8;
/** Of a state that cannot be looked through: no side can tell what is in it. */
const UNKNOWN: Uint8Array = new Uint8Array(DIGEST_BYTES);

type Range = { readonly from: number; to: number };

export function rowDigest(name: RowName, state: Uint8Array): Uint8Array {
  const there = new Map<number, Range[]>();
  const deleted = new Map<number, Range[]>();
  try {
    walkUpdate(state, {
      struct: (client, from, length) => add(there, client, from, length),
      deleted: (client, from, length) => add(deleted, client, from, length),
    });
  } catch (error) {
    if (error instanceof StoreError) return UNKNOWN;
    throw error;
  }
  const writer = new ByteWriter();
  writeRowName(writer, name);
  writeRanges(writer, there);
  writeRanges(writer, deleted);
  return hash(writer.finish());
}

export const isSameDigest = (a: Uint8Array, b: Uint8Array): boolean => a.every((byte, at) => byte === b[at]);

function add(ranges: Map<number, Range[]>, client: number, from: number, length: number): void {
  const own = ranges.get(client);
  const last = own?.at(-1);
  if (last?.to === from) last.to = from + length;
  else if (own === undefined) ranges.set(client, [{ from, to: from + length }]);
  else own.push({ from, to: from + length });
}

/** Clients ascending, the ranges of each ascending, those that touch as one. */
function writeRanges(writer: ByteWriter, ranges: ReadonlyMap<number, readonly Range[]>): void {
  writer.varint(ranges.size);
  for (const [client, own] of [...ranges].sort(([a], [b]) => a - b)) {
    const merged: Range[] = [];
    for (const { from, to } of own.toSorted((a, b) => a.from - b.from)) {
      const last = merged.at(-1);
      if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
      else merged.push({ from, to });
    }
    writer.varint(client);
    writer.varint(merged.length);
    for (const { from, to } of merged) {
      writer.varint(from);
      writer.varint(to);
    }
  }
}

/** Two lanes of multiplication, each mixed with the other at the end. Against accidents, not against forgers. */
function hash(bytes: Uint8Array): Uint8Array {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x9e3779b1);
    b = Math.imul(b ^ byte, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  const digest = new Uint8Array(DIGEST_BYTES);
  const view = new DataView(digest.buffer);
  view.setUint32(0, a >>> 0);
  view.setUint32(4, b >>> 0);
  return digest;
}
