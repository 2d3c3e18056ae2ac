/**
 * One connection to a relay, kept up: says hello, beats, notices that the other side is gone, and comes again. It knows
 * frames and codes, and nothing of rows. Its owner is told of a welcome, of each message after it, and of the end.
 *
 * CON-1: whatever a socket says that is no longer the connection's own is ignored. CON-2: a connection that says nothing
 * for `SILENCE_MS` is given up. CON-3: after a close code of 4400 to 4499 nothing is tried until somebody asks for it.
 */
import { StoreError } from '../../src/base/store-error.ts';
import {
  CLOSE,
  type ClientMessage,
  decodeRelayMessage,
  encodeMessage,
  FRAME,
  frameType,
  type Refuse,
  type RelayMessage,
  SYNC_VERSION_MAX,
  SYNC_VERSION_MIN,
  type Welcome,
} from '../../src/protocol/sync/index.ts';
import { backoffMs } from './backoff.ts';
import type { SyncPlatform, SyncSocket } from './platform.ts';
import { type ConnectionRefusal, isFinal, refusalOfClose, remedyOf } from './remedies.ts';

/** From the begin of an attempt to the welcome. */
const WELCOME_TIMEOUT_MS = 15_000;
/** How long the application may take for a token. */
const TOKEN_TIMEOUT_MS = 30_000;
/** The relay beats every 15 s. Who has heard nothing for that long asks it to say something. */
const ASK_MS = 16_000;
/** Who has still heard nothing then gives the connection up: within the 30 s of R9, timers being late. */
const SILENCE_MS = 26_000;
const LOOK_MS = 2_000;
/** A browser that says it is offline is mostly right. */
const OFFLINE_RETRY_MS = 60_000;
/** Tokens that the relay may refuse one after the other. */
const TOKENS_MAX = 3;
/** Types below are y-websocket's own. */
const OWN_TYPES_FROM = 100;

export type ConnectionState =
  | { readonly type: 'connecting'; readonly attempt: number }
  | { readonly type: 'open' }
  /** Comes again by itself. `offline`: the browser says that there is no network. */
  | { readonly type: 'waiting'; readonly attempt: number; readonly delayMs: number; readonly why: string }
  | { readonly type: 'offline' }
  /** Does not come again before `retry`. */
  | { readonly type: 'refused'; readonly code: ConnectionRefusal; readonly text: string; readonly hint: string }
  | { readonly type: 'stopped' };

export interface ConnectionOwner {
  /** The epoch of the cursor, for the hello. */
  epoch(): string;
  /** `refused`: the token that the relay did not accept, when it has said so. */
  token(refused: string | undefined): Promise<string>;
  welcomed(welcome: Welcome): void;
  /** After the welcome, in the order of the socket. */
  received(message: RelayMessage, bytes: number): void;
  /** Awareness of y-protocols, behind the type of its frame. Throws `sync/malformed`. */
  carried(body: Uint8Array): void;
  /** Of a connection that was welcomed. */
  lost(): void;
  changed(state: ConnectionState): void;
}

type Sent = Exclude<ClientMessage, { readonly type: 'foreign-hello' }>;
type Attempt = { socket: SyncSocket | undefined; token: string; isWelcome: boolean; refusal: Refuse | undefined };

export class Connection {
  readonly #platform: SyncPlatform;
  readonly #url: string;
  readonly #store: string;
  readonly #owner: ConnectionOwner;
  #state: ConnectionState = { type: 'stopped' };
  #attempt: Attempt | undefined;
  /** Since the last welcome. */
  #failures = 0;
  #tokensRefused = 0;
  #refusedToken: string | undefined;
  #isOffline = false;
  #heardAt = 0;
  #stopTimer: () => void = () => {};

  /** `url`: of the relay. Whether it ends with the path of the protocol, `/sync`, makes no difference. */
  constructor(options: { platform: SyncPlatform; url: string; store: string; owner: ConnectionOwner }) {
    this.#platform = options.platform;
    this.#url = `${options.url.replace(/(\/sync)?\/*$/, '')}/sync/${encodeURIComponent(options.store)}`;
    this.#store = options.store;
    this.#owner = options.owner;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Bytes that have not left yet. */
  get bufferedBytes(): number {
    return this.#attempt?.socket?.bufferedBytes ?? 0;
  }

  start(): void {
    if (this.#state.type === 'stopped') this.#connect();
  }

  /** Tries at once, also after a refusal. */
  retry(): void {
    const { type } = this.#state;
    if (type === 'stopped' || type === 'open' || type === 'connecting') return;
    this.#failures = 0;
    this.#tokensRefused = 0;
    this.#refusedToken = undefined;
    this.#connect();
  }

  /** For ever. */
  stop(): void {
    this.#drop();
    this.#become({ type: 'stopped' });
  }

  /** Ends the connection and begins another one at once: for a cursor that is no longer good. */
  restart(): void {
    if (this.#state.type !== 'open') return;
    this.#drop();
    this.#connect();
  }

  /** What the browser says of the network. It is a hint: a socket that works is kept. */
  hint(network: 'online' | 'offline'): void {
    this.#isOffline = network === 'offline';
    const { type } = this.#state;
    if (network === 'offline' && type === 'waiting') this.#wait('The browser is offline.');
    else if (network === 'online' && (type === 'waiting' || type === 'offline')) this.#connect();
  }

  /** False when there is nobody to send to. */
  send(message: Sent): boolean {
    const attempt = this.#attempt;
    if (attempt?.isWelcome !== true) return false;
    attempt.socket!.send(encodeMessage(message));
    return true;
  }

  /** A frame of awareness. It is lost when there is nobody to send to. */
  carry(frame: Uint8Array): void {
    if (this.#attempt?.isWelcome === true) this.#attempt.socket!.send(frame);
  }

  #connect(): void {
    this.#stopTimer();
    const attempt: Attempt = { socket: undefined, token: '', isWelcome: false, refusal: undefined };
    this.#attempt = attempt;
    this.#become({ type: 'connecting', attempt: this.#failures + 1 });
    this.#stopTimer = this.#platform.setTimer(
      () => this.#lose(attempt, 'The application has given no token in time.'),
      TOKEN_TIMEOUT_MS,
    );
    this.#owner.token(this.#refusedToken).then(
      (token) => this.#open(attempt, token),
      (error) => this.#lose(attempt, `There is no token: ${error}`),
    );
  }

  #open(attempt: Attempt, token: string): void {
    if (this.#attempt !== attempt) return;
    if (token === this.#refusedToken || this.#tokensRefused > TOKENS_MAX) {
      this.#refuse('unauthorised', 'The relay does not accept the token.');
      return;
    }
    this.#stopTimer();
    this.#stopTimer = this.#platform.setTimer(
      () => this.#lose(attempt, 'The relay does not answer.'),
      WELCOME_TIMEOUT_MS,
    );
    attempt.token = token;
    attempt.socket = this.#platform.openSocket(this.#url, {
      onOpen: () => {
        if (this.#attempt === attempt) this.#greet(attempt);
      },
      onFrame: (bytes) => {
        if (this.#attempt === attempt) this.#receive(attempt, bytes);
      },
      onClose: (code, reason) => {
        if (this.#attempt === attempt) this.#closed(attempt, code, reason);
      },
    });
  }

  #greet({ socket, token }: Attempt): void {
    const versions = { versionMin: SYNC_VERSION_MIN, versionMax: SYNC_VERSION_MAX };
    const epoch = this.#owner.epoch();
    socket!.send(encodeMessage({ type: 'hello', ...versions, store: this.#store, token, epoch }));
  }

  #receive(attempt: Attempt, bytes: Uint8Array): void {
    this.#heardAt = this.#platform.now();
    let message: RelayMessage;
    try {
      const type = frameType(bytes);
      if (type === FRAME.awareness && attempt.isWelcome) this.#owner.carried(bytes.subarray(1));
      if (type < OWN_TYPES_FROM) return;
      message = decodeRelayMessage(bytes);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      // What was damaged on its way is told again on the next connection.
      this.#lose(attempt, error.message);
      return;
    }
    if (message.type === 'refuse') attempt.refusal = message;
    if (attempt.isWelcome) this.#owner.received(message, bytes.length);
    else if (message.type === 'welcome') this.#welcome(attempt, message);
  }

  #welcome(attempt: Attempt, welcome: Welcome): void {
    if (welcome.version < SYNC_VERSION_MIN || welcome.version > SYNC_VERSION_MAX) {
      this.#refuse('client-too-old', `The relay speaks version ${welcome.version}.`);
      return;
    }
    attempt.isWelcome = true;
    this.#failures = 0;
    this.#tokensRefused = 0;
    this.#refusedToken = undefined;
    this.#stopTimer();
    this.#look(attempt);
    this.#become({ type: 'open' });
    this.#owner.welcomed(welcome);
  }

  /** Now and then: whether the other side still says something. */
  #look(attempt: Attempt): void {
    this.#stopTimer = this.#platform.setTimer(() => {
      if (this.#attempt !== attempt) return;
      const silentMs = this.#platform.now() - this.#heardAt;
      if (silentMs >= SILENCE_MS) return this.#lose(attempt, 'The relay has fallen silent.');
      if (silentMs >= ASK_MS) attempt.socket!.send(encodeMessage({ type: 'beat', head: 0 }));
      this.#look(attempt);
    }, LOOK_MS);
  }

  #closed(attempt: Attempt, code: number, reason: string): void {
    const { refusal, token } = attempt;
    const text = refusal?.text ?? reason;
    if (code === CLOSE.unauthorised) {
      this.#refusedToken = token;
      this.#tokensRefused += 1;
      this.#drop();
      // Another token may do. The first is asked for at once; the open then sees whether it is another.
      if (this.#tokensRefused === 1) this.#connect();
      else this.#wait(text);
    } else if (isFinal(code)) {
      // A refusal says more than its close code, when it is the one that closed the socket.
      const named = refusal?.code;
      const closes = named === 'relay-too-old' || named === 'unknown-store' || named === 'hello-expected';
      this.#refuse(closes ? named : refusalOfClose(code), text);
    } else this.#lose(attempt, text === '' ? `The connection has ended (${code}).` : text);
  }

  #refuse(code: ConnectionRefusal, text: string): void {
    this.#drop();
    this.#become({ type: 'refused', code, text, hint: remedyOf(code) });
  }

  /** The attempt, or the connection, is given up. */
  #lose(attempt: Attempt, why: string): void {
    if (this.#attempt !== attempt) return;
    this.#drop();
    this.#wait(why);
  }

  #wait(why: string): void {
    this.#stopTimer();
    if (this.#isOffline) {
      this.#become({ type: 'offline' });
      this.#stopTimer = this.#platform.setTimer(() => this.#connect(), OFFLINE_RETRY_MS);
      return;
    }
    this.#failures += 1;
    const delayMs = backoffMs(this.#failures, this.#platform);
    this.#become({ type: 'waiting', attempt: this.#failures, delayMs, why });
    this.#stopTimer = this.#platform.setTimer(() => this.#connect(), delayMs);
  }

  /** Lets go of the socket: what it says from now on is nobody's. */
  #drop(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#stopTimer();
    attempt?.socket?.close();
    if (attempt?.isWelcome === true) this.#owner.lost();
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#owner.changed(state);
  }
}
