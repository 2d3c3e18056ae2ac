/** Sockets without a network: the test plays the relay. Each keeps what was sent, and says what it is told to say. */
import {
  type ClientMessage,
  decodeClientMessage,
  encodeMessage,
  type RefusalCode,
  type RelayMessage,
} from '../../src/protocol/sync/index.ts';
import type { SocketEvents, SyncSocket } from '../../worker/sync/platform.ts';

export class ScriptedSocket implements SyncSocket {
  readonly url: string;
  readonly events: SocketEvents;
  readonly sent: ClientMessage[] = [];
  isClosed = false;
  bufferedBytes = 0;

  constructor(url: string, events: SocketEvents) {
    this.url = url;
    this.events = events;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(decodeClientMessage(bytes));
  }

  close(): void {
    this.isClosed = true;
  }

  say(message: RelayMessage): void {
    this.events.onFrame(encodeMessage(message));
  }

  welcome(head = 0): void {
    this.events.onOpen();
    this.say({
      type: 'welcome',
      version: 1,
      epoch: 'e',
      head,
      floor: 0,
      frameBytesMax: 1_048_576,
      batchBytesMax: 33_554_432,
    });
  }

  refuse(code: RefusalCode, closeCode: number): void {
    this.say({ type: 'refuse', code, about: 100, request: 0, writer: '', retryAfterMs: 0, text: `about ${code}` });
    this.events.onClose(closeCode, code);
  }
}

/** Opens scripted sockets, and keeps them. */
export function scriptSockets(): {
  readonly sockets: ScriptedSocket[];
  openSocket(url: string, events: SocketEvents): SyncSocket;
} {
  const sockets: ScriptedSocket[] = [];
  return {
    sockets,
    openSocket(url, events) {
      const socket = new ScriptedSocket(url, events);
      sockets.push(socket);
      return socket;
    },
  };
}
