/** What a page has instead of the package `ws`, of which RxDB's replication takes both sides. */
class NoServer {
  constructor() {
    throw new Error('A page has no server.');
  }
}
export const WebSocket: typeof globalThis.WebSocket = globalThis.WebSocket;
export { NoServer as WebSocketServer };
