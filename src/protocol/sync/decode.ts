/**
 * Frames to messages. Each side has one way in; both throw `sync/malformed` and nothing else, whatever the bytes are,
 * and neither keeps memory or time that the frame's own length does not pay for.
 */
import { DIGEST_BYTES } from './digest.ts';
import type {
  Ack,
  ClientMessage,
  DeliveredBatch,
  FoldedRow,
  RelayMessage,
  RowChange,
  RowCursor,
  RowDigest,
  RowName,
  WriterId,
} from './messages.ts';
import { readChanges, readRowName } from './row-changes.ts';
import {
  ACKS_MAX,
  BATCH_CHANGES_MAX,
  BATCHES_MAX,
  DIGEST_ROWS_MAX,
  EPOCH_BYTES_MAX,
  FRAME,
  PAGE_BYTES_MAX,
  PAGE_ROWS_MAX,
  PART_CHANGES_MAX,
  REFUSAL_NUMBERS,
  REFUSAL_TEXT_BYTES_MAX,
  type RefusalCode,
  STORE_NAME_BYTES_MAX,
  SYNC_VERSION_MAX,
  SYNC_VERSION_MIN,
  TOKEN_BYTES_MAX,
  WRITER_BYTES,
} from './wire.ts';
import { malformed, WireReader } from './wire-reader.ts';

const REFUSALS: ReadonlyMap<number, RefusalCode> = new Map(
  (Object.entries(REFUSAL_NUMBERS) as [RefusalCode, number][]).map(([code, number]) => [number, code]),
);

const ACK_BYTES_MIN = WRITER_BYTES + 2;
const BATCH_BYTES_MIN = WRITER_BYTES + 3;
const ROW_BYTES_MIN = 8;
/** Of a row's name: a letter of a collection, the kind of key, and a key. */
const NAME_BYTES_MIN = 4;

/** The type of a frame, without reading further. */
export const frameType = (bytes: Uint8Array): number => new WireReader(bytes).varint();

/** What a client has sent, of the types from 100. */
export function decodeClientMessage(bytes: Uint8Array): ClientMessage {
  return decodeWhole(bytes, CLIENT_DECODERS);
}

/** What a relay has sent, of the types from 100. */
export function decodeRelayMessage(bytes: Uint8Array): RelayMessage {
  return decodeWhole(bytes, RELAY_DECODERS);
}

function decodeWhole<M>(bytes: Uint8Array, decoders: ReadonlyMap<number, (reader: WireReader) => M>): M {
  const reader = new WireReader(bytes);
  const type = reader.varint();
  const decode = decoders.get(type);
  if (decode === undefined) throw malformed(`Frames of type ${type} do not go this way.`);
  const message = decode(reader);
  // A hello of another version may have anything behind its versions.
  if ((message as { readonly type: string }).type !== 'foreign-hello') reader.end();
  return message;
}

const CLIENT_DECODERS: ReadonlyMap<number, (reader: WireReader) => ClientMessage> = new Map([
  [FRAME.hello, readHello],
  [FRAME.push, readPush],
  [FRAME.pull, readPull],
  [FRAME.rows, readRows],
  [FRAME.beat, readBeat],
  [FRAME.digest, readDigest],
  [FRAME.states, readStates],
] as [number, (reader: WireReader) => ClientMessage][]);

const RELAY_DECODERS: ReadonlyMap<number, (reader: WireReader) => RelayMessage> = new Map([
  [FRAME.welcome, readWelcome],
  [FRAME.ack, readAcks],
  [FRAME.refuse, readRefuse],
  [FRAME.deliver, readDeliver],
  [FRAME.rowPage, readRowPage],
  [FRAME.beat, readBeat],
  [FRAME.digests, readDigests],
  [FRAME.statePage, readStatePage],
] as [number, (reader: WireReader) => RelayMessage][]);

function readHello(reader: WireReader): ClientMessage {
  const versionMin = reader.varint();
  const versionMax = reader.varint();
  if (versionMin > versionMax) throw malformed('The versions of the hello are in the wrong order.');
  if (versionMax < SYNC_VERSION_MIN || versionMin > SYNC_VERSION_MAX) {
    return { type: 'foreign-hello', versionMin, versionMax };
  }
  return {
    type: 'hello',
    versionMin,
    versionMax,
    store: reader.text(STORE_NAME_BYTES_MAX, 'the name of the store'),
    token: reader.text(TOKEN_BYTES_MAX, 'the token'),
    epoch: reader.text(EPOCH_BYTES_MAX, 'the epoch'),
  };
}

function readPush(reader: WireReader): ClientMessage {
  const writer = readWriter(reader);
  const sequence = positive(reader, 'The sequence of a push');
  const hasMore = reader.flag('The mark of further parts');
  return { type: 'push', writer, sequence, hasMore, changes: readChanges(reader, PART_CHANGES_MAX) };
}

function readPull(reader: WireReader): ClientMessage {
  return {
    type: 'pull',
    request: positive(reader, 'The number of a request'),
    after: reader.varint(),
    bytesMax: reader.bounded(PAGE_BYTES_MAX, 'The size of a page'),
    follow: reader.flag('The wish to follow'),
  };
}

function readRows(reader: WireReader): ClientMessage {
  return {
    type: 'rows',
    request: positive(reader, 'The number of a request'),
    after: readCursor(reader),
    bytesMax: reader.bounded(PAGE_BYTES_MAX, 'The size of a page'),
  };
}

function readDigest(reader: WireReader): ClientMessage {
  return {
    type: 'digest',
    request: positive(reader, 'The number of a request'),
    after: reader.flag('The mark of a place') ? readRowName(reader) : undefined,
    rowsMax: reader.bounded(DIGEST_ROWS_MAX, 'The number of rows'),
  };
}

function readDigests(reader: WireReader): RelayMessage {
  const request = reader.varint();
  const isLast = reader.flag('The mark of the end');
  const through = reader.varint();
  const head = reader.varint();
  const rowCount = reader.varint();
  const count = reader.count(NAME_BYTES_MIN + DIGEST_BYTES, DIGEST_ROWS_MAX, 'The number of digests');
  const rows: RowDigest[] = [];
  for (let index = 0; index < count; index++) {
    rows.push({ ...readRowName(reader), digest: reader.bytes(DIGEST_BYTES) });
  }
  return { type: 'digests', request, isLast, through, head, rowCount, rows };
}

function readStates(reader: WireReader): ClientMessage {
  const request = positive(reader, 'The number of a request');
  const count = reader.count(NAME_BYTES_MIN, DIGEST_ROWS_MAX, 'The number of rows');
  const rows: RowName[] = [];
  for (let index = 0; index < count; index++) rows.push(readRowName(reader));
  return { type: 'states', request, rows };
}

function readStatePage(reader: WireReader): RelayMessage {
  return { type: 'state-page', request: reader.varint(), rows: readChanges(reader, DIGEST_ROWS_MAX) };
}

function readBeat(reader: WireReader): { readonly type: 'beat'; readonly head: number } {
  return { type: 'beat', head: reader.varint() };
}

function readWelcome(reader: WireReader): RelayMessage {
  return {
    type: 'welcome',
    version: reader.varint(),
    epoch: reader.text(EPOCH_BYTES_MAX, 'the epoch'),
    head: reader.varint(),
    floor: reader.varint(),
    frameBytesMax: reader.varint(),
    batchBytesMax: reader.varint(),
  };
}

function readAcks(reader: WireReader): RelayMessage {
  const count = reader.count(ACK_BYTES_MIN, ACKS_MAX, 'The number of acknowledgements');
  const acks: Ack[] = [];
  for (let index = 0; index < count; index++) {
    acks.push({ writer: readWriter(reader), sequence: reader.varint(), logSequence: reader.varint() });
  }
  return { type: 'ack', acks };
}

function readRefuse(reader: WireReader): RelayMessage {
  const number = reader.varint();
  const code = REFUSALS.get(number);
  if (code === undefined) throw malformed(`The refusal ${number} is unknown: the relay is newer than this client.`);
  const about = reader.varint();
  const request = reader.varint();
  const hasWriter = reader.varint();
  if (hasWriter !== 0 && hasWriter !== WRITER_BYTES) throw malformed('The name of a writer has a wrong length.');
  return {
    type: 'refuse',
    code,
    about,
    request,
    writer: hasWriter === 0 ? '' : readWriter(reader),
    retryAfterMs: reader.varint(),
    text: reader.text(REFUSAL_TEXT_BYTES_MAX, 'the text of a refusal'),
  };
}

function readDeliver(reader: WireReader): RelayMessage {
  const request = reader.varint();
  const isComplete = reader.flag('The mark of the end');
  const head = reader.varint();
  const count = reader.count(BATCH_BYTES_MIN, BATCHES_MAX, 'The number of batches');
  const batches: DeliveredBatch[] = [];
  let before = 0;
  for (let index = 0; index < count; index++) {
    const batch = readBatch(reader);
    if (batch.sequence <= before) throw malformed('Batches are not in the order of their sequences.');
    before = batch.sequence;
    batches.push(batch);
  }
  return { type: 'deliver', request, isComplete, head, batches };
}

function readBatch(reader: WireReader): DeliveredBatch {
  const sequence = positive(reader, 'The sequence of a batch');
  const writer = readWriter(reader);
  const writerSequence = reader.varint();
  const hasChanges = reader.flag('The mark of changes');
  const changes: readonly RowChange[] | undefined = hasChanges ? readChanges(reader, BATCH_CHANGES_MAX) : undefined;
  return { sequence, writer, writerSequence, changes };
}

function readRowPage(reader: WireReader): RelayMessage {
  const request = reader.varint();
  const isComplete = reader.flag('The mark of the end');
  const through = reader.varint();
  const rowCount = reader.varint();
  const count = reader.count(ROW_BYTES_MIN, PAGE_ROWS_MAX, 'The number of rows');
  const rows: FoldedRow[] = [];
  for (let index = 0; index < count; index++) rows.push(readFoldedRow(reader));
  return { type: 'row-page', request, isComplete, through, rowCount, rows };
}

function readFoldedRow(reader: WireReader): FoldedRow {
  const at = readCursor(reader);
  const { collection, key } = readRowName(reader);
  const state = reader.block();
  const projection = reader.block();
  return { at, collection, key, state, projection: projection.length === 0 ? undefined : projection };
}

function readCursor(reader: WireReader): RowCursor {
  return { sequence: reader.varint(), ordinal: reader.bounded(0xffff_ffff, 'The place in a batch') };
}

function positive(reader: WireReader, what: string): number {
  const value = reader.varint();
  if (value === 0) throw malformed(`${what} is 0.`);
  return value;
}

function readWriter(reader: WireReader): WriterId {
  return writerName(reader.bytes(WRITER_BYTES));
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function writerName(bytes: Uint8Array): WriterId {
  let name = '';
  for (const byte of bytes) name += HEX[byte];
  return name;
}
