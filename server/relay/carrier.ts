/** Frames of y-protocols' sync messages, type 0: what is written, and a bounded reader. */
import { ByteWriter } from '../../src/base/bytes.ts';
import { checkStateVector, checkUpdate, FRAME, type UpdateFacts, WireReader } from '../../src/protocol/sync/index.ts';

const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

export type SyncMessage =
  | { readonly type: 'step-1'; readonly stateVector: Uint8Array }
  | { readonly type: 'step-2' | 'update'; readonly update: Uint8Array; readonly facts: UpdateFacts };

/** An update that changes nothing: no structs, no deletions. */
export const EMPTY_UPDATE: Uint8Array = Uint8Array.of(0, 0);

/** Reads and checks what follows the type of the frame. */
export function readSyncMessage(body: Uint8Array): SyncMessage {
  const reader = new WireReader(body);
  const kind = reader.bounded(UPDATE, 'The kind of a sync message');
  const bytes = reader.block();
  reader.end();
  if (kind === STEP_1) {
    checkStateVector(bytes);
    return { type: 'step-1', stateVector: bytes };
  }
  return { type: kind === STEP_2 ? 'step-2' : 'update', update: bytes, facts: checkUpdate(bytes) };
}

export const step1Frame = (stateVector: Uint8Array): Uint8Array => syncFrame(STEP_1, stateVector);
export const step2Frame = (update: Uint8Array): Uint8Array => syncFrame(STEP_2, update);
export const updateFrame = (update: Uint8Array): Uint8Array => syncFrame(UPDATE, update);

function syncFrame(kind: number, bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(FRAME.sync);
  writer.varint(kind);
  writer.varint(bytes.length);
  writer.bytes(bytes);
  return writer.finish();
}

/** y-protocols' "permission denied", which y-websocket shows in its console. */
export function deniedFrame(reason: string): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(FRAME.auth);
  writer.varint(0);
  writer.text(reason);
  return writer.finish();
}
