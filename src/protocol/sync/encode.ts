/** Messages to frames. What is encoded here is ours: a value that the wire cannot hold is a bug, not an error. */
import { assert } from '../../base/assert.ts';
import { ByteWriter } from '../../base/bytes.ts';
import type {
  Acks,
  Beat,
  ClientMessage,
  Deliver,
  DeliveredBatch,
  Digest,
  Digests,
  FoldedRow,
  Hello,
  Pull,
  Push,
  Refuse,
  RelayMessage,
  RowPage,
  Rows,
  StatePage,
  States,
  Welcome,
  WriterId,
} from './messages.ts';
import { writeChanges, writeRowName } from './row-changes.ts';
import { FRAME, REFUSAL_NUMBERS, REFUSAL_TEXT_BYTES_MAX, WRITER_BYTES } from './wire.ts';

type Sent = Exclude<ClientMessage | RelayMessage, { readonly type: 'foreign-hello' }>;

export function encodeMessage(message: Sent): Uint8Array {
  const writer = new ByteWriter();
  // The table is total over the union: a new message does not compile until it has an encoder.
  const encode = ENCODERS[message.type] as (writer: ByteWriter, message: Sent) => void;
  encode(writer, message);
  return writer.finish();
}

const ENCODERS: { readonly [T in Sent['type']]: (writer: ByteWriter, message: Extract<Sent, { type: T }>) => void } = {
  hello: writeHello,
  push: writePush,
  pull: writePull,
  rows: writeRows,
  beat: writeBeat,
  welcome: writeWelcome,
  ack: writeAcks,
  refuse: writeRefuse,
  deliver: writeDeliver,
  'row-page': writeRowPage,
  digest: writeDigest,
  digests: writeDigests,
  states: writeStates,
  'state-page': writeStatePage,
};

function writeHello(writer: ByteWriter, { versionMin, versionMax, store, token, epoch }: Hello): void {
  writer.varint(FRAME.hello);
  writer.varint(versionMin);
  writer.varint(versionMax);
  writer.text(store);
  writer.text(token);
  writer.text(epoch);
}

function writePush(writer: ByteWriter, { writer: name, sequence, hasMore, changes }: Push): void {
  writer.varint(FRAME.push);
  writer.bytes(writerBytes(name));
  writer.varint(sequence);
  writeFlag(writer, hasMore);
  writeChanges(writer, changes);
}

function writePull(writer: ByteWriter, { request, after, bytesMax, follow }: Pull): void {
  writer.varint(FRAME.pull);
  writer.varint(request);
  writer.varint(after);
  writer.varint(bytesMax);
  writeFlag(writer, follow);
}

function writeRows(writer: ByteWriter, { request, after, bytesMax }: Rows): void {
  writer.varint(FRAME.rows);
  writer.varint(request);
  writer.varint(after.sequence);
  writer.varint(after.ordinal);
  writer.varint(bytesMax);
}

function writeBeat(writer: ByteWriter, { head }: Beat): void {
  writer.varint(FRAME.beat);
  writer.varint(head);
}

function writeWelcome(writer: ByteWriter, welcome: Welcome): void {
  writer.varint(FRAME.welcome);
  writer.varint(welcome.version);
  writer.text(welcome.epoch);
  writer.varint(welcome.head);
  writer.varint(welcome.floor);
  writer.varint(welcome.frameBytesMax);
  writer.varint(welcome.batchBytesMax);
}

function writeAcks(writer: ByteWriter, { acks }: Acks): void {
  writer.varint(FRAME.ack);
  writer.varint(acks.length);
  for (const { writer: name, sequence, logSequence } of acks) {
    writer.bytes(writerBytes(name));
    writer.varint(sequence);
    writer.varint(logSequence);
  }
}

function writeRefuse(writer: ByteWriter, refuse: Refuse): void {
  writer.varint(FRAME.refuse);
  writer.varint(REFUSAL_NUMBERS[refuse.code]);
  writer.varint(refuse.about);
  writer.varint(refuse.request);
  const name = refuse.writer === '' ? new Uint8Array() : writerBytes(refuse.writer);
  writer.varint(name.length);
  writer.bytes(name);
  writer.varint(refuse.retryAfterMs);
  // A character of UTF-16 takes at most three bytes.
  writer.text(refuse.text.slice(0, Math.floor(REFUSAL_TEXT_BYTES_MAX / 3)));
}

function writeDeliver(writer: ByteWriter, { request, isComplete, head, batches }: Deliver): void {
  writeDeliverStart(writer, { request, isComplete, head, batchCount: batches.length });
  for (const batch of batches) {
    writeBatchStart(writer, batch);
    if (batch.changes !== undefined) writeChanges(writer, batch.changes);
  }
}

/** What precedes the batches of a deliver frame: the relay appends batches as its log has them. */
export function writeDeliverStart(
  writer: ByteWriter,
  { request, isComplete, head, batchCount }: Omit<Deliver, 'type' | 'batches'> & { readonly batchCount: number },
): void {
  writer.varint(FRAME.deliver);
  writer.varint(request);
  writeFlag(writer, isComplete);
  writer.varint(head);
  writer.varint(batchCount);
}

/** What precedes the changes of a batch; `changes` itself is not written. */
export function writeBatchStart(
  writer: ByteWriter,
  batch: Omit<DeliveredBatch, 'changes'> & { readonly changes: unknown },
): void {
  writer.varint(batch.sequence);
  writer.bytes(writerBytes(batch.writer));
  writer.varint(batch.writerSequence);
  writeFlag(writer, batch.changes !== undefined);
}

function writeRowPage(writer: ByteWriter, { request, isComplete, through, rowCount, rows }: RowPage): void {
  writer.varint(FRAME.rowPage);
  writer.varint(request);
  writeFlag(writer, isComplete);
  writer.varint(through);
  writer.varint(rowCount);
  writer.varint(rows.length);
  for (const row of rows) writeFoldedRow(writer, row);
}

function writeFoldedRow(writer: ByteWriter, row: FoldedRow): void {
  writer.varint(row.at.sequence);
  writer.varint(row.at.ordinal);
  writeRowName(writer, row);
  writer.varint(row.state.length);
  writer.bytes(row.state);
  // No value is encoded in no bytes, so an empty projection says that there is none.
  const projection = row.projection ?? new Uint8Array();
  writer.varint(projection.length);
  writer.bytes(projection);
}

function writeDigest(writer: ByteWriter, { request, after, rowsMax }: Digest): void {
  writer.varint(FRAME.digest);
  writer.varint(request);
  writeFlag(writer, after !== undefined);
  if (after !== undefined) writeRowName(writer, after);
  writer.varint(rowsMax);
}

function writeDigests(writer: ByteWriter, { request, isLast, through, head, rowCount, rows }: Digests): void {
  writer.varint(FRAME.digests);
  writer.varint(request);
  writeFlag(writer, isLast);
  writer.varint(through);
  writer.varint(head);
  writer.varint(rowCount);
  writer.varint(rows.length);
  for (const row of rows) {
    writeRowName(writer, row);
    writer.bytes(row.digest);
  }
}

function writeStates(writer: ByteWriter, { request, rows }: States): void {
  writer.varint(FRAME.states);
  writer.varint(request);
  writer.varint(rows.length);
  for (const row of rows) writeRowName(writer, row);
}

function writeStatePage(writer: ByteWriter, { request, rows }: StatePage): void {
  writer.varint(FRAME.statePage);
  writer.varint(request);
  writeChanges(writer, rows);
}

function writeFlag(writer: ByteWriter, isSet: boolean): void {
  writer.byte(isSet ? 1 : 0);
}

export function writerBytes(name: WriterId): Uint8Array {
  assert(name.length === 2 * WRITER_BYTES, `Not the name of a writer: ${name}.`);
  const bytes = new Uint8Array(WRITER_BYTES);
  for (let at = 0; at < WRITER_BYTES; at++) bytes[at] = Number.parseInt(name.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}
