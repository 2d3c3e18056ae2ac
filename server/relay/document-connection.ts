/**
 * A stock y-websocket client on one document. It knows nothing of refusals, so what would be refused closes the socket:
 * for good (44xx) or for a while (1013). Its updates are batches of one change, by a writer of the connection's own.
 */
import { StoreError } from '../../src/base/store-error.ts';
import {
  CLOSE,
  encodeChanges,
  FRAME,
  frameType,
  type RowName,
  WRITER_BYTES,
  type WriterId,
  writerName,
} from '../../src/protocol/sync/index.ts';
import type { LiveDocument } from '../documents/index.ts';
import { deniedFrame, readSyncMessage, step1Frame, step2Frame } from './carrier.ts';
import type { ConnectionParts } from './connection.ts';
import type { LiveRoom } from './live-room.ts';
import { EMPTY_PRESENCE } from './presence.ts';
import { Rate } from './rate.ts';
import type { RelaySocket } from './socket.ts';
import type { StoreHub } from './store-hub.ts';

export class DocumentConnection {
  readonly #parts: ConnectionParts;
  readonly #socket: RelaySocket;
  readonly #row: RowName;
  readonly #writer: WriterId;
  readonly #frames: Rate;
  readonly #bytes: Rate;
  #hub: StoreHub | undefined;
  #room: LiveRoom | undefined;
  #document: LiveDocument | undefined;
  /** Frames that came while the document was loaded. The socket is paused, so there are few. */
  #early: Uint8Array[] = [];
  #sequence = 0;
  #isClosed = false;

  constructor(parts: ConnectionParts, store: string, row: RowName) {
    this.#parts = parts;
    this.#socket = parts.socket;
    this.#row = row;
    const name = new Uint8Array(WRITER_BYTES);
    parts.platform.random(name);
    this.#writer = writerName(name);
    this.#frames = new Rate(parts.platform, parts.limits.framesPerSecond);
    this.#bytes = new Rate(parts.platform, parts.limits.bytesPerSecond);
    void this.#open(store);
  }

  async #open(store: string): Promise<void> {
    this.#socket.pause();
    try {
      this.#hub = await this.#parts.hub(store);
      if (this.#isClosed) return;
      this.#room = this.#hub.room(this.#row);
      const document = await this.#room.join(this);
      if (this.#isClosed) return;
      this.#document = document;
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.send(step1Frame(this.#document.stateVector()));
    const others = this.#room.presence.all();
    if (others !== undefined) this.send(others);
    const early = this.#early;
    this.#early = [];
    for (const frame of early) this.receive(frame);
    this.#socket.resume();
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  beat(): Uint8Array {
    return EMPTY_PRESENCE;
  }

  closed(): void {
    this.#isClosed = true;
    this.#early = [];
    if (this.#room === undefined) return;
    this.#room.leave(this);
    this.#hub!.closeRoom(this.#room);
  }

  receive(frame: Uint8Array): void {
    if (this.#isClosed || !this.#socket.isOpen) return;
    if (this.#document === undefined) {
      this.#early.push(frame);
      return;
    }
    try {
      this.#receive(frame, this.#document);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      const isUpdate = error.code === 'sync/invalid-update';
      this.#end(isUpdate ? CLOSE.invalidUpdate : CLOSE.malformed, error.message);
    }
  }

  #receive(frame: Uint8Array, document: LiveDocument): void {
    if (frame.length > this.#parts.limits.frameBytesMax) return this.#end(CLOSE.tooLarge, 'a frame is too large');
    if (Math.max(this.#frames.take(1), this.#bytes.take(frame.length)) > 0) {
      return this.#end(CLOSE.tryLater, 'too much at once');
    }
    const room = this.#room!;
    const body = frame.subarray(1);
    switch (frameType(frame)) {
      case FRAME.sync:
        return this.#sync(body, document);
      case FRAME.awareness: {
        const told = room.presence.take(body, this);
        if (told !== undefined) room.broadcast(told);
        return;
      }
      case FRAME.queryAwareness: {
        const all = room.presence.all();
        if (all !== undefined) this.send(all);
        return;
      }
      default:
        return this.#end(CLOSE.malformed, 'an unknown type of frame');
    }
  }

  #sync(body: Uint8Array, document: LiveDocument): void {
    const message = readSyncMessage(body);
    if (message.type === 'step-1') {
      this.send(step2Frame(document.missing(message.stateVector)));
      return;
    }
    const { structCount, deletionCount } = message.facts;
    if (structCount + deletionCount === 0) return;
    // The answer to our step 1 repeats all deletions of the document, at each reconnection.
    if (message.type === 'step-2' && document.contains(message.update)) return;
    if (this.#hub!.isOversized(this.#row)) {
      this.send(deniedFrame('The document has grown too large.'));
      this.#end(CLOSE.tooLarge, 'the document has grown too large');
      return;
    }
    void this.#append(message.update);
  }

  async #append(update: Uint8Array): Promise<void> {
    this.#sequence++;
    const body = encodeChanges([{ ...this.#row, update }]);
    this.#socket.hold(body.length);
    try {
      // The room hears of it from the log, when it is durable.
      await this.#hub!.append({ writer: this.#writer, writerSequence: this.#sequence, body });
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#socket.hold(-body.length);
    }
  }

  #fail(error: unknown): void {
    if (!(error instanceof StoreError)) throw error;
    this.#end(CLOSE.tryLater, error.message);
  }

  #end(code: number, reason: string): void {
    this.#parts.metrics.add('refusals_total', 1);
    this.#parts.observe({ event: 'refused', connection: this.#parts.id, code: String(code), reason });
    this.#socket.close(code, reason);
  }
}
