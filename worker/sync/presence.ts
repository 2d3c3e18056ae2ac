/**
 * Who is here, between the tabs of this device and the relay: y-protocols' awareness on the carrier of the connection.
 * Tabs say their states on the channel of the store; each is a participant of its own at the relay, under its own id.
 * What the relay tells of others goes to all tabs. Nothing is stored: a worker that starts asks the tabs.
 */
import { createPacer, type Pacer } from '../../src/client/pacer.ts';
import { TabParticipants } from '../../src/client/tab-participants.ts';
import { PRESENCE_PER_SECOND, type PresenceState, presenceProblem } from '../../src/protocol/presence-state.ts';
import { AWARENESS_BYTES_MAX, awarenessFrame, GONE, readAwareness, type Told } from '../../src/protocol/sync/index.ts';
import type { SyncNews } from '../../src/protocol/sync-worker.ts';
import type { SyncPlatform } from './platform.ts';

/** As y-protocols has it: a state is renewed after 15 s, and forgotten when it was not heard for 30. */
const RENEW_MS = 15_000;
const EXPIRY_MS = 30_000;
const LOOK_MS = 3_000;
/** The relay keeps as many for a store. */
const OTHERS_MAX = 5_000;
/** Of a state in a frame beside its JSON: id, clock and length. */
const STATE_OVERHEAD = 20;
const FRAME_OVERHEAD = 16;

type Other = { readonly clock: number; readonly state: PresenceState; heardAt: number };
type Send = (frame: Uint8Array) => void;

export class PresenceCarrier {
  readonly #platform: SyncPlatform;
  readonly #tell: (news: SyncNews) => void;
  readonly #own: TabParticipants;
  readonly #others = new Map<number, Other>();
  /** Own ones that the relay is to be told of, and others that the tabs are. */
  readonly #unsent = new Set<number>();
  readonly #untold = new Set<number>();
  readonly #sending: Pacer;
  readonly #telling: Pacer;
  #send: Send | undefined;
  /** Larger than every clock before it, also than those of a worker before this one. */
  #clock = 0;
  #renewedAt = 0;
  #stopTimer: () => void = () => {};

  constructor(platform: SyncPlatform, tell: (news: SyncNews) => void) {
    this.#platform = platform;
    this.#tell = tell;
    const intervalMs = 1000 / PRESENCE_PER_SECOND;
    this.#own = new TabParticipants(platform, (id) => this.#changed(id));
    this.#sending = createPacer(() => this.#sendSome(), intervalMs, platform);
    this.#telling = createPacer(() => this.#tellSome(), intervalMs, platform);
  }

  /** Asks the tabs, who may have others of a worker before. */
  start(): void {
    this.#tellAll();
    this.#tell({ type: 'ask' });
  }

  stop(): void {
    this.#send = undefined;
    this.#stopTimer();
    this.#sending.stop();
    this.#telling.stop();
    this.#own.stop();
  }

  /** From a tab. */
  heard(news: SyncNews): void {
    if (news.type === 'ask') this.#tellAll();
    else if (news.type === 'presence') this.#own.take(news.id, news.tab, news.state);
  }

  /** Those that have the store open. */
  tabs(tabs: readonly string[]): void {
    this.#own.tabs(tabs);
  }

  connected(send: Send): void {
    this.#send = send;
    this.#renewedAt = this.#platform.now();
    for (const id of this.#own.ids) this.#unsent.add(id);
    if (this.#unsent.size > 0) this.#sending.ask();
    this.#look();
  }

  /** Nobody knows who is there until there is a connection again. */
  disconnected(): void {
    this.#send = undefined;
    this.#stopTimer();
    this.#unsent.clear();
    for (const id of this.#others.keys()) this.#untold.add(id);
    this.#others.clear();
    if (this.#untold.size > 0) this.#telling.ask();
  }

  /** What follows the type of a frame. Throws `sync/malformed`. */
  received(body: Uint8Array): void {
    if (this.#send === undefined) return;
    for (const told of readAwareness(body)) this.#take(told);
    if (this.#untold.size > 0) this.#telling.ask();
  }

  #take({ id, clock, state }: Told): void {
    if (this.#own.stateOf(id) !== undefined) return;
    const known = this.#others.get(id);
    if (state === GONE) {
      if (known === undefined || clock < known.clock) return;
      this.#others.delete(id);
    } else {
      if (known === undefined ? this.#others.size >= OTHERS_MAX : clock <= known.clock) return;
      const value: unknown = JSON.parse(state);
      if (presenceProblem(value) !== undefined) return;
      this.#others.set(id, { clock, state: value as PresenceState, heardAt: this.#platform.now() });
    }
    this.#untold.add(id);
  }

  #changed(id: number): void {
    // Of a tab whose state the relay told first: a worker before this one had sent it.
    if (this.#others.delete(id)) this.#untold.add(id);
    if (this.#untold.size > 0) this.#telling.ask();
    if (this.#send === undefined) return;
    this.#unsent.add(id);
    this.#sending.ask();
  }

  /** A frame of what fits; the rest with the next one. */
  #sendSome(): void {
    if (this.#send === undefined) return;
    const told: Told[] = [];
    let bytes = FRAME_OVERHEAD;
    for (const id of this.#unsent) {
      const own = this.#own.stateOf(id);
      const state = own === undefined ? GONE : JSON.stringify(own);
      const size = new TextEncoder().encode(state).length + STATE_OVERHEAD;
      if (told.length > 0 && bytes + size > AWARENESS_BYTES_MAX) break;
      bytes += size;
      this.#clock = Math.max(this.#clock + 1, this.#platform.wallClock());
      told.push({ id, clock: this.#clock, state });
      this.#unsent.delete(id);
    }
    if (told.length > 0) this.#send(awarenessFrame(told));
    if (this.#unsent.size > 0) this.#sending.ask();
  }

  #tellSome(): void {
    const states = [...this.#untold].map((id) => [id, this.#others.get(id)?.state ?? null] as const);
    this.#untold.clear();
    this.#tell({ type: 'others', states, isAll: false });
  }

  #tellAll(): void {
    this.#untold.clear();
    const states = [...this.#others].map(([id, { state }]) => [id, state] as const);
    this.#tell({ type: 'others', states, isAll: true });
  }

  /** Now and then: renews the own, forgets others. */
  #look(): void {
    this.#stopTimer();
    this.#stopTimer = this.#platform.setTimer(() => {
      const now = this.#platform.now();
      if (now - this.#renewedAt >= RENEW_MS) {
        this.#renewedAt = now;
        for (const id of this.#own.ids) this.#unsent.add(id);
        if (this.#unsent.size > 0) this.#sending.ask();
      }
      for (const [id, { heardAt }] of [...this.#others]) {
        if (now - heardAt <= EXPIRY_MS) continue;
        this.#others.delete(id);
        this.#untold.add(id);
      }
      if (this.#untold.size > 0) this.#telling.ask();
      this.#look();
    }, LOOK_MS);
  }
}
