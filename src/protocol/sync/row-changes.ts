/**
 * Changes as bytes: in push and deliver frames, and in the relay's log, which stores them as they came. So a batch is
 * encoded once, by the device that made it.
 */
import { ByteWriter } from '../../base/bytes.ts';
import type { Key } from '../../base/row.ts';
import type { RowChange, RowName } from './messages.ts';
import { COLLECTION_BYTES_MAX, KEY_BYTES_MAX } from './wire.ts';
import { malformed, type WireReader } from './wire-reader.ts';

const KEY_TEXT = 0;
const KEY_NUMBER = 1;
/** Collection, kind of key, key, length of the update: none is shorter than a byte. */
const CHANGE_BYTES_MIN = 5;

export function encodeChanges(changes: readonly RowChange[]): Uint8Array {
  const writer = new ByteWriter();
  writeChanges(writer, changes);
  return writer.finish();
}

export function writeChanges(writer: ByteWriter, changes: readonly RowChange[]): void {
  writer.varint(changes.length);
  for (const change of changes) {
    writeRowName(writer, change);
    writer.varint(change.update.length);
    writer.bytes(change.update);
  }
}

/** Updates are views of what is read. A batch changes each row once: its updates of one row are merged by the sender. */
export function readChanges(reader: WireReader, countMax: number): readonly RowChange[] {
  const count = reader.count(CHANGE_BYTES_MIN, countMax, 'The number of changes');
  const changes: RowChange[] = [];
  for (let index = 0; index < count; index++) {
    const { collection, key } = readRowName(reader);
    changes.push({ collection, key, update: reader.block() });
  }
  return changes;
}

export function writeRowName(writer: ByteWriter, { collection, key }: RowName): void {
  writer.text(collection);
  writeKey(writer, key);
}

export function readRowName(reader: WireReader): RowName {
  const collection = reader.text(COLLECTION_BYTES_MAX, 'the name of a collection');
  if (collection === '') throw malformed('A collection has no name.');
  return { collection, key: readKey(reader) };
}

function writeKey(writer: ByteWriter, key: Key): void {
  if (typeof key === 'string') {
    writer.byte(KEY_TEXT);
    writer.text(key);
    return;
  }
  writer.byte(KEY_NUMBER);
  // One number, one name: -0 and 0 are the same key.
  writer.float64(key === 0 ? 0 : key);
}

function readKey(reader: WireReader): Key {
  const kind = reader.byte();
  if (kind === KEY_TEXT) return reader.text(KEY_BYTES_MAX, 'a key');
  if (kind !== KEY_NUMBER) throw malformed(`A key has the unknown kind ${kind}.`);
  const key = reader.float64();
  if (!Number.isFinite(key) || Object.is(key, -0)) throw malformed(`${key} is not a key.`);
  return key;
}
