/** What the sync worker is given instead of reaching for it: time, randomness, and sockets. Simulations give their own. */
import type { Platform } from '../../src/base/platform.ts';

export interface SyncPlatform extends Platform {
  /** Begins to connect. Never throws for what the network does: that is told as a close. */
  openSocket(url: string, events: SocketEvents): SyncSocket;
}

/** In order: at most one `onOpen`, frames, one `onClose`. Nothing after that. */
export interface SocketEvents {
  onOpen(): void;
  onFrame(bytes: Uint8Array): void;
  /** `code`: of the close frame; 1006 when there was none. */
  onClose(code: number, reason: string): void;
}

export interface SyncSocket {
  /** Bytes that were sent and have not left yet. */
  readonly bufferedBytes: number;
  /** A frame. Nothing happens when the socket is not open. The bytes must not change afterwards. */
  send(bytes: Uint8Array): void;
  /** Ends it. Events may still come: whoever has ended it does not listen any more. */
  close(): void;
}
