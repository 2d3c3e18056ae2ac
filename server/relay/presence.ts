/**
 * Who is here: the awareness of y-protocols, kept for one room or one store. A state belongs to the socket that brought it
 * first; what other sockets say of it is an echo, which y-websocket clients make of all that they hear.
 */
import { ByteWriter } from '../../src/base/bytes.ts';
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { FRAME, WireReader } from '../../src/protocol/sync/index.ts';

const PRESENCE_BYTES_MAX = 16 * 1024;
/** Ids of one socket: an application may keep several awareness instances behind one. */
const IDS_PER_SOCKET_MAX = 16;
const IDS_MAX = 5_000;
/** y-protocols renews a state every 15 s and forgets it after 30. */
const EXPIRY_MS = 30_000;
const GONE = 'null';

type Entry = { readonly clock: number; readonly state: string; readonly owner: object; readonly heardMs: number };
type Told = { readonly id: number; readonly clock: number; readonly state: string };

export class Presence {
  readonly #platform: Platform;
  readonly #entries = new Map<number, Entry>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** All who are here, as a frame; undefined when nobody is. */
  all(): Uint8Array | undefined {
    if (this.#entries.size === 0) return undefined;
    return frameOf([...this.#entries].map(([id, { clock, state }]) => ({ id, clock, state })));
  }

  /** Takes what a socket says, behind the type of the frame. Answers a frame for everybody when something changed. */
  take(body: Uint8Array, owner: object): Uint8Array | undefined {
    if (body.length > PRESENCE_BYTES_MAX) throw refused('An awareness update is too large.');
    const told = readTold(body).filter((entry) => this.#accept(entry, owner));
    return told.length === 0 ? undefined : frameOf(told);
  }

  #accept({ id, clock, state }: Told, owner: object): boolean {
    const known = this.#entries.get(id);
    if (known === undefined) {
      if (state === GONE || this.#entries.size >= IDS_MAX || this.#countOf(owner) >= IDS_PER_SOCKET_MAX) return false;
    } else {
      if (known.owner !== owner) return false;
      const isNewer = clock > known.clock || (clock === known.clock && state === GONE);
      if (!isNewer) return false;
    }
    if (state === GONE) this.#entries.delete(id);
    else this.#entries.set(id, { clock, state, owner, heardMs: this.#platform.now() });
    return true;
  }

  #countOf(owner: object): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.owner === owner) count++;
    return count;
  }

  /** A socket has gone: a frame that tells the others. */
  leave(owner: object): Uint8Array | undefined {
    return this.#remove((entry) => entry.owner === owner);
  }

  expire(): Uint8Array | undefined {
    const now = this.#platform.now();
    return this.#remove(({ heardMs }) => now - heardMs > EXPIRY_MS);
  }

  #remove(isGone: (entry: Entry) => boolean): Uint8Array | undefined {
    const gone = [...this.#entries].filter(([, entry]) => isGone(entry));
    for (const [id] of gone) this.#entries.delete(id);
    if (gone.length === 0) return undefined;
    return frameOf(gone.map(([id, { clock }]) => ({ id, clock, state: GONE })));
  }
}

/** Tells nothing, and shows a y-websocket client that the connection lives. */
export const EMPTY_PRESENCE: Uint8Array = frameOf([]);

function frameOf(told: readonly Told[]): Uint8Array {
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

function readTold(body: Uint8Array): readonly Told[] {
  const outer = new WireReader(body);
  const reader = new WireReader(outer.block());
  outer.end();
  const count = reader.count(3, IDS_MAX, 'The number of states');
  const told: Told[] = [];
  for (let index = 0; index < count; index++) {
    const entry = { id: reader.varint(), clock: reader.varint(), state: reader.text(PRESENCE_BYTES_MAX, 'a state') };
    if (!isJson(entry.state)) throw refused('A state is not JSON.');
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

const refused = (text: string): StoreError => new StoreError('sync/malformed', text);
