/** Sockets of the browser, or of whatever has its interface. */
import type { SocketEvents, SyncSocket } from './platform.ts';

/** What is used of a WebSocket. */
type Socket = {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(): void;
};

const OPEN = 1;
/** As of a connection that ended without a close frame. */
const ABNORMAL = 1006;

/** `Constructor`: the thread's own, unless a test has another one. */
export function createSocketOpener(
  Constructor: new (url: string) => unknown = WebSocket,
): (url: string, events: SocketEvents) => SyncSocket {
  return (url, events) => {
    let socket: Socket;
    try {
      socket = new Constructor(url) as Socket;
    } catch (error) {
      // A URL that is none, or one that the page's policy forbids. Told later, as any other close.
      queueMicrotask(() => events.onClose(ABNORMAL, String(error)));
      return { bufferedBytes: 0, send: () => {}, close: () => {} };
    }
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => events.onOpen();
    // A frame of text is none of this protocol.
    socket.onmessage = ({ data }) =>
      events.onFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array());
    socket.onclose = ({ code, reason }) => events.onClose(code, reason);
    // It is followed by a close, which says as much as a page may know.
    socket.onerror = () => {};
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send(bytes) {
        if (socket.readyState === OPEN) socket.send(bytes as Uint8Array<ArrayBuffer>);
      },
      close: () => socket.close(),
    };
  };
}
