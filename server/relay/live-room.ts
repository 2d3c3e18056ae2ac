/**
 * One document that stock clients have open: a row, or a room. It holds what is durable and nothing else: an update of a
 * client is stored first, and comes back from the log as everybody else's do (R1). It is loaded wholly before it answers
 * anybody, and let go when the last client has left (R11).
 */
import type { Platform } from '../../src/base/platform.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { condensed, LiveDocument } from '../documents/index.ts';
import type { StoreLog } from '../log/index.ts';
import { changesOf } from './batch-frames.ts';
import { updateFrame } from './carrier.ts';
import { Presence } from './presence.ts';
import { rowId } from './row-id.ts';

/** Of batches behind the folded state, at once. */
const READ_BYTES = 1024 * 1024;
/** The log may be trimmed between two reads of a load, which then begins again. */
const LOADS_MAX = 5;

export interface RoomMember {
  send(frame: Uint8Array): void;
}

export class LiveRoom {
  readonly row: RowName;
  readonly presence: Presence;
  readonly #log: StoreLog;
  readonly #members = new Set<RoomMember>();
  readonly #document = new LiveDocument();
  #loading: Promise<void> | undefined;
  /** Told while the document is loaded; what was read as well is merged twice, which changes nothing. */
  #early: Uint8Array[] = [];
  #isLoaded = false;

  constructor(row: RowName, log: StoreLog, platform: Platform) {
    this.row = row;
    this.#log = log;
    this.presence = new Presence(platform, (frame) => this.broadcast(frame));
  }

  get memberCount(): number {
    return this.#members.size;
  }

  /** Joins at once, so that the room is not let go; the document may be used when the promise resolves. */
  join(member: RoomMember): Promise<LiveDocument> {
    this.#members.add(member);
    this.#loading ??= this.#load();
    return this.#loading.then(() => this.#document);
  }

  leave(member: RoomMember): void {
    this.#members.delete(member);
    const gone = this.presence.leave(member);
    if (gone !== undefined) this.broadcast(gone);
    if (this.#members.size === 0) this.#document.destroy();
  }

  /**
   * Updates that one flush has made durable. Everybody gets them, also who sent them: the echo is their acknowledgement.
   * Small ones go out as one, since a frame for each of many clients is what costs the most here.
   */
  take(updates: readonly Uint8Array[]): void {
    if (!this.#isLoaded) this.#early.push(...updates);
    const applied = this.#isLoaded ? this.#document.apply(updates) : updates;
    for (const update of condensed(applied)) this.broadcast(updateFrame(update));
  }

  broadcast(frame: Uint8Array): void {
    for (const member of this.#members) member.send(frame);
  }

  async #load(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#read();
        break;
      } catch (error) {
        const isTrimmed = error instanceof StoreError && error.code === 'log/trimmed';
        if (!isTrimmed || attempt === LOADS_MAX) throw error;
      }
    }
    this.#isLoaded = true;
    this.#document.apply(this.#early);
    this.#early = [];
  }

  async #read(): Promise<void> {
    // First the place from which batches are read, then the state: it may be newer, never older.
    let after = this.#log.folded;
    const folded = await this.#log.state(this.row);
    if (folded !== undefined) this.#document.apply([folded.state]);
    const id = rowId(this.row);
    while (after < this.#log.head) {
      const batches = await this.#log.read(after, READ_BYTES);
      const changes = batches.flatMap(changesOf).filter((row) => rowId(row) === id);
      this.#document.apply(changes.map(({ update }) => update));
      after = batches.at(-1)?.sequence ?? this.#log.head;
    }
  }
}
