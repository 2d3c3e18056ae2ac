/**
 * Frames of awareness, type 1, as y-protocols has them: who is here, as states in JSON. A state has the id of who is
 * meant and a clock that grows with each of its states; the state `null` says that its owner has gone.
 */
import { ByteWriter } from '../../base/bytes.ts';
import { FRAME } from './wire.ts';
import { malformed, WireReader } from './wire-reader.ts';

/** Of one frame, behind its type (R17). */
export const AWARENESS_BYTES_MAX: number = 16 * 1024;
/** States in one frame of the relay, which tells of a whole store at once. */
const STATES_MAX = 5_000;
export const GONE = 'null';

export type Told = {
  readonly id: number;
  readonly clock: number;
  /** JSON. */
  readonly state: string;
};

export function awarenessFrame(told: readonly Told[]): Uint8Array {
  const body = new ByteWriter();
  body.varint(told.length);
  for (const { id, clock, state } of told) {
    body.varint(id);
    body.varint(clock);
    body.text(state);
  }
  const frame = new ByteWriter();
  frame.varint(FRAME.awareness);
  frame.varint(body.length);
  frame.bytes(body.finish());
  return frame.finish();
}

/** Reads what follows the type of the frame. Throws `sync/malformed`. */
export function readAwareness(body: Uint8Array): readonly Told[] {
  const outer = new WireReader(body);
  const reader = new WireReader(outer.block());
  outer.end();
  const count = reader.count(3, STATES_MAX, 'The number of states');
  const told: Told[] = [];
  for (let index = 0; index < count; index++) {
    const entry = { id: reader.varint(), clock: reader.varint(), state: reader.text(AWARENESS_BYTES_MAX, 'a state') };
    if (!isJson(entry.state)) throw malformed('A state is not JSON.');
    told.push(entry);
  }
  return told;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
