/**
 * Who is here: the awareness of y-protocols, kept for one room or one store. A state belongs to the socket that brought it
 * first; what other sockets say of it is an echo, which y-websocket clients make of all that they hear.
 */
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { PRESENCE_PER_SECOND, presenceProblem } from '../../src/protocol/presence-state.ts';
import { AWARENESS_BYTES_MAX, awarenessFrame, GONE, readAwareness, type Told } from '../../src/protocol/sync/index.ts';
import { Rate } from './rate.ts';

/** Ids of one socket: an application may keep several awareness instances behind one. */
const IDS_PER_SOCKET_MAX = 16;
const IDS_MAX = 5_000;
/** y-protocols renews a state every 15 s and forgets it after 30. */
const EXPIRY_MS = 30_000;
/** What a socket says too often is told so much later, as the last of it. */
const LATE_MS = 250;

type Entry = { readonly clock: number; readonly state: string; readonly owner: object; readonly heardMs: number };

export class Presence {
  readonly #platform: Platform;
  readonly #tell: (frame: Uint8Array) => void;
  readonly #entries = new Map<number, Entry>();
  readonly #rates = new WeakMap<object, Rate>();
  /** Accepted, and not told yet. */
  #late = new Map<number, Told>();

  /** `tell`: to everybody, what was said too often to be told at once. */
  constructor(platform: Platform, tell: (frame: Uint8Array) => void) {
    this.#platform = platform;
    this.#tell = tell;
  }

  /** All who are here, as a frame; undefined when nobody is. */
  all(): Uint8Array | undefined {
    if (this.#entries.size === 0) return undefined;
    return awarenessFrame([...this.#entries].map(([id, { clock, state }]) => ({ id, clock, state })));
  }

  /** Takes what a socket says, behind the type of the frame. Answers a frame for everybody when something changed. */
  take(body: Uint8Array, owner: object): Uint8Array | undefined {
    if (body.length > AWARENESS_BYTES_MAX) throw new StoreError('sync/malformed', 'An awareness update is too large.');
    const told = readAwareness(body).filter((entry) => this.#accept(entry, owner));
    if (told.length === 0) return undefined;
    if (this.#rateOf(owner).take(1) === 0) {
      for (const { id } of told) this.#late.delete(id);
      return awarenessFrame(told);
    }
    if (this.#late.size === 0) this.#platform.setTimer(() => this.#tellLate(), LATE_MS);
    for (const entry of told) this.#late.set(entry.id, entry);
    return undefined;
  }

  #tellLate(): void {
    const late = [...this.#late.values()];
    this.#late = new Map();
    if (late.length > 0) this.#tell(awarenessFrame(late));
  }

  #rateOf(owner: object): Rate {
    const rate = this.#rates.get(owner) ?? new Rate(this.#platform, PRESENCE_PER_SECOND);
    this.#rates.set(owner, rate);
    return rate;
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
    // Everybody would have to read it. It is left out: the socket may have other things to say.
    if (state !== GONE && presenceProblem(JSON.parse(state)) !== undefined) return false;
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
    for (const [id] of gone) {
      this.#entries.delete(id);
      this.#late.delete(id);
    }
    if (gone.length === 0) return undefined;
    return awarenessFrame(gone.map(([id, { clock }]) => ({ id, clock, state: GONE })));
  }
}

/** Tells nothing, and shows a y-websocket client that the connection lives. */
export const EMPTY_PRESENCE: Uint8Array = awarenessFrame([]);
