/** What crosses a socket between a device and the relay: PROTOCOL.md. */
export { AWARENESS_BYTES_MAX, awarenessFrame, GONE, readAwareness, type Told } from './awareness.ts';
export { decodeClientMessage, decodeRelayMessage, frameType, writerName } from './decode.ts';
export { DIGEST_BYTES, isSameDigest, rowDigest } from './digest.ts';
export { encodeMessage, writeBatchStart, writeDeliverStart, writerBytes } from './encode.ts';
export type {
  Ack,
  Acks,
  Beat,
  ClientMessage,
  Deliver,
  DeliveredBatch,
  Digest,
  Digests,
  FoldedRow,
  ForeignHello,
  Hello,
  Pull,
  Push,
  Refuse,
  RelayMessage,
  RowChange,
  RowCursor,
  RowDigest,
  RowName,
  RowPage,
  Rows,
  StatePage,
  States,
  Welcome,
  WriterId,
} from './messages.ts';
export { encodeChanges, readChanges, readRowName, writeRowName } from './row-changes.ts';
export { checkStateVector, checkUpdate, STRUCTS_MAX, type UpdateFacts } from './update-check.ts';
export {
  ACKS_MAX,
  BATCH_CHANGES_MAX,
  BATCHES_MAX,
  BEAT_MS,
  CLOSE,
  COLLECTION_BYTES_MAX,
  DIGEST_ROWS_MAX,
  DIGESTS_FROM_VERSION,
  FRAME,
  KEY_BYTES_MAX,
  NAME_PATTERN,
  PAGE_BYTES_MAX,
  PAGE_ROWS_MAX,
  PART_CHANGES_MAX,
  REFUSAL_NUMBERS,
  type RefusalCode,
  STORE_NAME_BYTES_MAX,
  SYNC_VERSION_MAX,
  SYNC_VERSION_MIN,
  WRITER_BYTES,
} from './wire.ts';
export { WireReader } from './wire-reader.ts';
