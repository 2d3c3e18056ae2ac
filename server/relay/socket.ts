/** One WebSocket, from the relay's side: what goes out is bounded, and who is silent is dropped. */
import type { WebSocket } from 'ws';
import { CLOSE } from '../../src/protocol/sync/index.ts';
import { type RelayLimits, SILENT_BEATS_MAX } from '../limits/index.ts';
import type { Metrics } from '../observe/index.ts';

const REASON_BYTES_MAX = 120;

type Limits = Pick<RelayLimits, 'pendingBytesMax' | 'waitingBytesMax'>;

export class RelaySocket {
  readonly #socket: WebSocket;
  readonly #metrics: Metrics;
  readonly #limits: Limits;
  #pendingBytes = 0;
  #silentBeats = 0;
  #isClosing = false;

  constructor(socket: WebSocket, metrics: Metrics, limits: Limits) {
    this.#socket = socket;
    this.#metrics = metrics;
    this.#limits = limits;
    socket.on('pong', () => {
      this.#silentBeats = 0;
    });
  }

  get isOpen(): boolean {
    return !this.#isClosing && this.#socket.readyState === this.#socket.OPEN;
  }

  /** Counts a frame that came. */
  heard(bytes: number): void {
    this.#silentBeats = 0;
    this.#metrics.add('frames_received_total', 1);
    this.#metrics.add('bytes_received_total', bytes);
  }

  /** The bytes must not change afterwards: one frame may go to many. */
  send(frame: Uint8Array): void {
    if (!this.isOpen) return;
    if (this.#socket.bufferedAmount > this.#limits.waitingBytesMax) {
      this.#metrics.add('slow_readers_total', 1);
      this.close(CLOSE.tryLater, 'reads too slowly');
      // The close frame would stand behind what is waiting.
      this.#socket.terminate();
      return;
    }
    this.#metrics.add('frames_sent_total', 1);
    this.#metrics.add('bytes_sent_total', frame.length);
    this.#socket.send(frame);
  }

  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.close(code, reason.slice(0, REASON_BYTES_MAX));
  }

  /** At each beat: a peer that has vanished without a word is noticed by its silence. */
  beat(frame: Uint8Array): void {
    if (this.#silentBeats >= SILENT_BEATS_MAX) {
      this.#isClosing = true;
      this.#socket.terminate();
      return;
    }
    this.#silentBeats++;
    this.#socket.ping();
    this.send(frame);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Counts bytes that came and are not stored. With too many it stops reading, so that the sender's own buffers fill. */
  hold(bytes: number): void {
    const { pendingBytesMax } = this.#limits;
    const was = this.#pendingBytes;
    this.#pendingBytes += bytes;
    if (was <= pendingBytesMax && this.#pendingBytes > pendingBytesMax) this.#socket.pause();
    if (was > pendingBytesMax && this.#pendingBytes <= pendingBytesMax) this.#socket.resume();
  }

  terminate(): void {
    this.#isClosing = true;
    this.#socket.terminate();
  }
}
