/** The running relay: takes sockets, says which connection they become, beats, and ends. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Platform } from '../../src/base/platform.ts';
import { BEAT_MS, CLOSE } from '../../src/protocol/sync/index.ts';
import type { Authorise } from '../auth/index.ts';
import type { RelayLimits } from '../limits/index.ts';
import type { RelayLog } from '../log/index.ts';
import { type Gauges, Metrics, type Observe } from '../observe/index.ts';
import type { Connection } from './connection.ts';
import { DocumentConnection } from './document-connection.ts';
import { type Route, routeOf } from './route.ts';
import { RelaySocket } from './socket.ts';
import { StoreHub } from './store-hub.ts';
import { SyncConnection } from './sync-connection.ts';

/** Sockets have that long to say goodbye when the relay ends. */
const GOODBYE_MS = 2_000;

export type RelayParts = {
  readonly log: RelayLog;
  readonly platform: Platform;
  readonly limits: RelayLimits;
  readonly observe: Observe;
  readonly authorise: Authorise;
  readonly isOriginAllowed: (origin: string | undefined, host: string | undefined) => boolean;
};

type Held = { readonly connection: Connection; readonly socket: RelaySocket };

export class RunningRelay {
  readonly metrics: Metrics = new Metrics();
  readonly #parts: RelayParts;
  readonly #sockets: WebSocketServer;
  readonly #hubs = new Map<string, Promise<StoreHub>>();
  readonly #held = new Map<WebSocket, Held>();
  #stopBeat: () => void = () => {};
  #connectionCount = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #closing: Promise<void> | undefined;
  #hasToldOfFailure = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
    const maxPayload = 2 * parts.limits.frameBytesMax;
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload,
      perMessageDeflate: false,
      clientTracking: false,
    });
    // Without a listener a malformed request ends the process.
    this.#sockets.on('wsClientError', (_error, socket) => socket.destroy());
    this.#beatLater();
  }

  get isHealthy(): boolean {
    return this.#state === 'open' && this.#parts.log.failure === undefined;
  }

  async gauges(): Promise<Gauges> {
    const hubs = await Promise.all(this.#hubs.values());
    const sum = (figure: (hub: StoreHub) => number): number => hubs.reduce((total, hub) => total + figure(hub), 0);
    return {
      connections: this.#held.size,
      stores_open: hubs.length,
      documents_open: sum(({ roomCount }) => roomCount),
      batches_unfolded: sum(({ log }) => log.head - log.folded),
      append_bytes_pending: this.#parts.log.pendingBytes,
      memory_rss_bytes: process.memoryUsage.rss(),
    };
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // The peer may reset the connection at any moment of the handshake.
    socket.on('error', () => socket.destroy());
    if (this.#state !== 'open' || this.#held.size >= this.#parts.limits.connectionsMax) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#take(opened, request));
  }

  /** Waits until all that is stored is folded into rows. For tests, and before a copy of the folder is made. */
  async settle(): Promise<void> {
    for (const hub of this.#hubs.values()) await (await hub).settle();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closing';
    this.#stopBeat();
    for (const { socket } of this.#held.values()) socket.close(CLOSE.restarting, 'the relay restarts');
    await this.#goodbye();
    for (const hub of this.#hubs.values()) await hub.then((opened) => opened.stop()).catch(() => undefined);
    await this.#parts.log.close();
    this.#state = 'closed';
  }

  /** What was pushed before is stored and acknowledged meanwhile. */
  async #goodbye(): Promise<void> {
    const { platform } = this.#parts;
    const until = platform.now() + GOODBYE_MS;
    while (this.#held.size > 0 && platform.now() < until) {
      await new Promise<void>((resolve) => platform.setTimer(resolve, 10));
    }
    for (const socket of this.#held.keys()) socket.terminate();
  }

  /** A socket that is refused is opened first: only a close code tells a browser not to come again. */
  #take(opened: WebSocket, request: IncomingMessage): void {
    opened.on('error', () => opened.terminate());
    const url = new URL(request.url ?? '/', 'http://relay');
    const refusal = this.#refusalOf(request, url);
    if (refusal !== undefined) {
      this.#parts.observe({ event: 'rejected', ...refusal, path: url.pathname.slice(0, 200) });
      opened.close(refusal.code, refusal.reason);
      // Closes are answered in time or not at all.
      this.#parts.platform.setTimer(() => opened.terminate(), GOODBYE_MS);
      return;
    }
    this.#hold(opened, routeOf(url.pathname, url.searchParams)!, url.pathname);
  }

  #refusalOf(request: IncomingMessage, url: URL): { readonly code: number; readonly reason: string } | undefined {
    const { origin, host, authorization } = request.headers;
    if (!this.#parts.isOriginAllowed(origin, host)) return { code: CLOSE.foreignOrigin, reason: 'origin not allowed' };
    const route = routeOf(url.pathname, url.searchParams);
    if (route === undefined) return { code: CLOSE.unknownPath, reason: 'no such path' };
    // Ours say hello; stock clients can only put the token into the URL, or into a header outside of browsers.
    if (route.type === 'sync') return undefined;
    const token = authorization?.replace(/^Bearer /i, '') ?? url.searchParams.get('token') ?? '';
    return this.#parts.authorise(token) ? undefined : { code: CLOSE.unauthorised, reason: 'the token is wrong' };
  }

  #hold(opened: WebSocket, route: Route, path: string): void {
    const { platform, limits, observe, authorise } = this.#parts;
    const id = ++this.#connectionCount;
    const socket = new RelaySocket(opened, this.metrics, limits);
    const hub = (store: string): Promise<StoreHub> => this.#hub(store);
    const parts = { id, socket, platform, limits, metrics: this.metrics, observe, authorise, hub };
    const connection =
      route.type === 'sync'
        ? new SyncConnection(parts, route.store)
        : new DocumentConnection(parts, route.store, route.row);
    this.#held.set(opened, { connection, socket });
    this.metrics.add('connections_total', 1);
    observe({ event: 'connected', connection: id, kind: route.type, target: path.slice(0, 200) });
    opened.on('message', (data: Buffer, isBinary) => {
      socket.heard(data.length);
      if (isBinary) connection.receive(data);
      else socket.close(CLOSE.malformed, 'frames are binary');
    });
    opened.on('close', (code, reason) => {
      this.#held.delete(opened);
      connection.closed();
      observe({ event: 'disconnected', connection: id, code, reason: String(reason) });
    });
  }

  #hub(store: string): Promise<StoreHub> {
    const hub = this.#hubs.get(store) ?? this.#openHub(store);
    this.#hubs.set(store, hub);
    hub.catch(() => this.#hubs.delete(store));
    return hub;
  }

  async #openHub(store: string): Promise<StoreHub> {
    const { platform, limits, observe } = this.#parts;
    const log = await this.#parts.log.open(store);
    return new StoreHub({ log, platform, limits, observe, metrics: this.metrics });
  }

  #beatLater(): void {
    this.#stopBeat = this.#parts.platform.setTimer(() => {
      this.#beat();
      this.#beatLater();
    }, BEAT_MS);
  }

  #beat(): void {
    for (const { connection, socket } of this.#held.values()) socket.beat(connection.beat());
    for (const hub of this.#hubs.values()) {
      hub.then(
        (opened) => opened.expirePresence(),
        () => undefined,
      );
    }
    const { failure } = this.#parts.log;
    if (failure === undefined || this.#hasToldOfFailure) return;
    this.#hasToldOfFailure = true;
    this.#parts.observe({ event: 'log-failed', reason: String(failure.cause ?? failure) });
  }
}

export type { IncomingMessage, ServerResponse };
