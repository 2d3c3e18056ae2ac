/**
 * A store that all tabs of an origin share. The tab whose worker holds the store's Web Lock leads: it has the engine,
 * and serves its own page and those of the others. Others follow: their workers hand the messages of their pages to the
 * leader over a channel of their own, and wait for the lock. When the leader ends, however it ends, the lock goes to one
 * of them, which recovers the store and announces itself; everybody says again what was not answered, and writes that
 * were done already are answered and not repeated (T4).
 */
import { crc32c } from '../../src/base/crc32c.ts';
import { errorFromWire, errorToWire, StoreError } from '../../src/base/store-error.ts';
import type { EngineApi, EngineOptions } from '../../src/protocol/engine-api.ts';
import { type ClientMessage, ERROR, type ServerMessage } from '../../src/protocol/messages.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import { type CommonMessage, type FollowerData, type FollowerMessage, TABS_PROTOCOL } from '../../src/protocol/tabs.ts';
import {
  awaitLock,
  BEAT_MS,
  commonChannelName,
  followerChannelName,
  LEASE_MS,
  LeaderWatch,
  LiveMirror,
  type OpenTabChannel,
  Session,
  storeLockName,
  type TabChannel,
  tabLockName,
  tryLock,
  Unanswered,
} from '../tabs/index.ts';
import { type ServedStore, toStatus } from './control.ts';
import type { StoreHold } from './open-engine.ts';
import { type ServedPort, servePort } from './port-server.ts';

/** How often a follower asks for a leader that has not answered. */
const HELLO_MS = 150;
/** How long a tab waits for the lock or a leader before its opening fails: longer than a frozen one is waited for. */
const FOLLOW_TIMEOUT_MS = 25_000;

export type SharedStoreOptions = {
  readonly options: EngineOptions;
  readonly port: MessagePort;
  /** Random: no two tabs have the same. */
  readonly tab: string;
  readonly locks: LockManager;
  readonly openChannel: OpenTabChannel;
  readonly now: () => number;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly openEngine: (held: {
    readonly holding: Promise<StoreHold>;
    readonly isLeased: () => boolean;
  }) => Promise<EngineApi>;
};

/** Opens the store here, or joins the tab that has it. */
export async function openSharedStore(shared: SharedStoreOptions): Promise<ServedStore> {
  const store = new SharedStore(shared);
  await store.enter();
  if (!(await store.lead())) await store.follow();
  return store;
}

type Follower = {
  readonly channel: TabChannel;
  readonly session: Session;
  readonly end: () => void;
};

class SharedStore implements ServedStore {
  readonly #shared: SharedStoreOptions;
  readonly #definitions: string;
  readonly #common: TabChannel;
  #status: StoreStatus | undefined;
  /** `heir`: it has the lock, and opens the store. */
  #role: 'none' | 'leader' | 'follower' | 'heir' | 'ended' = 'none';
  /** The lock was taken from this tab. */
  #isLost = false;

  #engine: EngineApi | undefined;
  #stopServing: (() => void) | undefined;
  readonly #followers: Map<string, Follower> = new Map();

  readonly #unanswered = new Unanswered();
  readonly #mirror = new LiveMirror((call) => this.#keyOf(call));
  #own: TabChannel | undefined;
  #session: Session | undefined;
  /** Leaders before this one. */
  readonly #left: Set<string> = new Set();
  /** Of the leader. */
  #epoch = 0;
  /** Until then this tab may answer from the log's tail without asking the store. */
  #leasedUntil: number = Number.NEGATIVE_INFINITY;
  #stopBeat: (() => void) | undefined;
  #watch: LeaderWatch | undefined;
  /** Of the wait for the store's lock. */
  #waiting = new AbortController();
  readonly #ended = new AbortController();
  #releaseTab: (() => void) | undefined;
  #stopHello: (() => void) | undefined;
  #onJoined: ((status: StoreStatus) => void) | undefined;
  #onRefused: ((error: StoreError) => void) | undefined;

  constructor(shared: SharedStoreOptions) {
    this.#shared = shared;
    const { name, collections } = shared.options;
    const text = new TextEncoder().encode(JSON.stringify(collections));
    this.#definitions = `${text.length}-${crc32c(text)}`;
    this.#common = shared.openChannel(commonChannelName(name));
    this.#common.onMessage = (message) => this.#onCommon(message as CommonMessage);
  }

  get status(): StoreStatus {
    return this.#status!;
  }

  get isLeader(): boolean {
    return this.#role === 'leader';
  }

  async close(): Promise<void> {
    const wasLeader = this.#role === 'leader';
    this.#end();
    if (wasLeader) await this.#engine!.close().finally(() => this.#stopServing!());
    else this.#shared.port.close();
  }

  async destroy(): Promise<void> {
    if (this.#role !== 'leader' || this.#followers.size > 0) {
      await this.close();
      throw new StoreError('store/in-use', 'Another tab has the store open: it was closed here, and not destroyed.', {
        details: { name: this.#shared.options.name },
        hint: 'Close it in the other tabs, open it again and destroy it then.',
      });
    }
    this.#end();
    await this.#engine!.destroy().finally(() => this.#stopServing!());
  }

  /** From now on others can see that this tab lives. */
  async enter(): Promise<void> {
    const { locks, options, tab } = this.#shared;
    this.#releaseTab = await awaitLock({ locks, name: tabLockName(options.name, tab) }, this.#ended.signal);
  }

  // --- leading ---

  /** Opens the engine here when nobody has the lock. Answers whether that was so. */
  async lead(): Promise<boolean> {
    const { locks, options } = this.#shared;
    const name = storeLockName(options.name);
    const taken = new StoreError('store/in-use', 'Another tab has the store.');
    const holding = tryLock({ locks, name, onLost: () => this.#lost() }).then((release) => {
      if (release === undefined) throw taken;
      this.#beat();
      return { release, isStolen: false };
    });
    try {
      const engine = await this.#openEngine(holding);
      if (this.#isLost) {
        // Stolen while it was opening: nothing was answered.
        await discard(engine);
        return false;
      }
      await this.#serveAll(engine, () => []);
      return true;
    } catch (error) {
      if (error === taken) return false;
      this.#end();
      throw error;
    }
  }

  #openEngine(holding: Promise<StoreHold>): Promise<EngineApi> {
    const { now } = this.#shared;
    return this.#shared.openEngine({ holding, isLeased: () => now() < this.#leasedUntil });
  }

  /** From the moment that this tab has the lock: opening may take long. */
  #beat(): void {
    const { tab, setTimer } = this.#shared;
    this.#say({ type: 'beat', leader: tab });
    void this.#renewLease();
    this.#stopBeat = setTimer(() => this.#beat(), BEAT_MS);
  }

  /**
   * Whoever steals the lock waits for LEASE_MS before it reads anything. So as long as that after a moment at which this
   * tab still had the lock, nobody has read what its tail holds, and what is added there will be read.
   */
  async #renewLease(): Promise<void> {
    const { tab, locks, options, now } = this.#shared;
    const askedAt = now();
    const { held = [] } = await locks.query();
    const clientOf = (name: string): string | undefined => held.find((lock) => lock.name === name)?.clientId;
    const client = clientOf(tabLockName(options.name, tab));
    if (this.#isLost || client === undefined || client !== clientOf(storeLockName(options.name))) return;
    this.#leasedUntil = askedAt + LEASE_MS;
  }

  /** The lock was taken from this tab, which seemed to be frozen. */
  #lost(): void {
    if (this.#role === 'ended') return;
    this.#stopBeat?.();
    this.#leasedUntil = Number.NEGATIVE_INFINITY;
    this.#isLost = true;
    for (const { end } of [...this.#followers.values()]) end();
    this.#engine?.supersede(lockStolen());
  }

  /** `takeBacklog`: what this tab's page has asked another leader. */
  async #serveAll(engine: EngineApi, takeBacklog: () => readonly ClientMessage[]): Promise<void> {
    const { port, tab, options } = this.#shared;
    this.#engine = engine;
    this.#status = toStatus(await engine.health(), options);
    this.#role = 'leader';
    // The page may have asked more meanwhile.
    const backlog = takeBacklog();
    this.#stopServing =
      backlog.length === 0
        ? servePort(engine, port)
        : servePort(engine, this.#mirrored(port), { client: tab, isLocal: true, backlog });
    for (const client of engine.answeredClients) if (client !== tab) this.#forgetWhenGone(client);
    this.#say({ type: 'leader', leader: tab });
  }

  /** Until this leader has told all live queries that another one had told before. */
  #mirrored(port: MessagePort): ServedPort {
    const mirrored: ServedPort = {
      onmessage: null,
      postMessage: (message, transfer = []) => {
        if (this.#mirror.isWaiting) port.postMessage(this.#mirror.take(message));
        else port.postMessage(message, transfer);
      },
      close: () => port.close(),
    };
    port.onmessage = (event) => mirrored.onmessage?.(event);
    return mirrored;
  }

  /** Rows of a pipeline have what it gives them. */
  #keyOf(call: number): string {
    const live = this.#unanswered.live.get(call);
    if (live?.[0] !== 'live' || Array.isArray(live[3])) return '_id';
    return this.#shared.options.collections.find(({ name }) => name === live[2])?.key ?? '_id';
  }

  #onHello({ tab, protocol, definitions }: Extract<CommonMessage, { type: 'hello' }>): void {
    const present = this.#followers.get(tab);
    const { options, openChannel } = this.#shared;
    const leader = this.#shared.tab;
    if (protocol !== TABS_PROTOCOL || definitions !== this.#definitions) {
      const channel = openChannel(followerChannelName(options.name, tab));
      const refused: FollowerMessage = { type: 'refused', leader, error: errorToWire(differs(options.name)) };
      channel.post(refused);
      channel.close();
      return;
    }
    const follower = present ?? this.#serve(tab);
    this.#followers.set(tab, follower);
    this.#welcome(tab);
    if (present !== undefined) present.session.repeat();
  }

  #welcome(tab: string): void {
    const welcome: FollowerMessage = {
      type: 'welcome',
      leader: this.#shared.tab,
      epoch: this.#engine!.epoch,
      status: this.#status!,
    };
    this.#followers.get(tab)?.channel.post(welcome);
  }

  #serve(tab: string): Follower {
    const { options, openChannel, setTimer } = this.#shared;
    const engine = this.#engine!;
    const channel = openChannel(followerChannelName(options.name, tab));
    const port: ServedPort = {
      onmessage: null,
      postMessage: (message) => session.send(message),
      close: () => undefined,
    };
    const session = new Session({
      side: 'leader',
      leader: this.#shared.tab,
      post: (message) => channel.post(message),
      setTimer,
      onMessage: (data) => {
        const { page, done } = data as FollowerData;
        engine.forgetAnswered(tab, done);
        port.onmessage?.({ data: page } as MessageEvent<ClientMessage>);
      },
    });
    channel.onMessage = (message) => session.receive(message as FollowerMessage);
    const stop = servePort(engine, port, { client: tab });
    const end = (): void => {
      this.#followers.delete(tab);
      // First: what the engine says of its end is not for others, who go on with the next leader.
      session.close();
      stop();
      channel.close();
    };
    this.#forgetWhenGone(tab);
    return { channel, session, end };
  }

  /** A tab's lock is free when its worker has ended: then it repeats nothing, and nobody listens. */
  #forgetWhenGone(tab: string): void {
    const { locks, options } = this.#shared;
    void awaitLock({ locks, name: tabLockName(options.name, tab) }, this.#ended.signal).then((release) => {
      release?.();
      if (release === undefined || this.#role !== 'leader') return;
      this.#followers.get(tab)?.end();
      this.#engine!.forgetAnswered(tab, Number.POSITIVE_INFINITY);
    });
  }

  // --- following ---

  /** Resolves when a leader has taken this tab in, or when it has become leader itself. */
  async follow(): Promise<void> {
    const { options, port, setTimer } = this.#shared;
    port.onmessage = ({ data }: MessageEvent<ClientMessage>) => this.#fromPage(data);
    const joined = new Promise<StoreStatus>((resolve, reject) => {
      this.#onJoined = resolve;
      this.#onRefused = reject;
    });
    const stopTimer = setTimer(() => this.#onRefused?.(isSilent(options.name)), FOLLOW_TIMEOUT_MS);
    this.#seekLeader();
    try {
      this.#status = await joined;
    } catch (error) {
      this.#end();
      throw error;
    } finally {
      stopTimer();
      this.#onJoined = undefined;
      this.#onRefused = undefined;
    }
  }

  /** Asks for the leader, waits for the lock in case that it ends, and watches over it in case that it is frozen. */
  #seekLeader(): void {
    const { locks, options, tab, openChannel } = this.#shared;
    this.#role = 'follower';
    this.#own = openChannel(followerChannelName(options.name, tab));
    this.#own.onMessage = (message) => this.#onOwn(message as FollowerMessage);
    this.#waiting = new AbortController();
    const name = storeLockName(options.name);
    const onLost = (): void => this.#lost();
    void awaitLock({ locks, name, onLost }, this.#waiting.signal).then((release) => {
      if (release !== undefined) void this.#takeOver(release, 'inherited');
    });
    this.#watch = new LeaderWatch({
      ...this.#shared,
      store: options.name,
      ask: () => this.#hello(),
      onLost,
      onStolen: (release) => {
        void this.#takeOver(release, 'stolen');
      },
    });
    this.#hello();
  }

  #hello(): void {
    const { tab, setTimer } = this.#shared;
    if (this.#role !== 'follower') return;
    this.#say({ type: 'hello', tab, protocol: TABS_PROTOCOL, definitions: this.#definitions });
    this.#stopHello?.();
    this.#stopHello = setTimer(() => this.#hello(), HELLO_MS);
  }

  #fromPage(message: ClientMessage): void {
    this.#unanswered.add(message);
    this.#send(message);
  }

  #send(page: ClientMessage): void {
    const data: FollowerData = { page, done: this.#unanswered.done };
    this.#session?.send(data);
  }

  #onOwn(message: FollowerMessage): void {
    if (this.#role !== 'follower') return;
    if (message.type === 'welcome' || message.leader === this.#session?.leader) this.#watch?.heard();
    if (message.type === 'welcome') this.#onWelcome(message);
    else if (message.type === 'refused') this.#onRefused?.(errorFromWire(message.error));
    else this.#session?.receive(message);
  }

  #onWelcome({ leader, epoch, status }: Extract<FollowerMessage, { type: 'welcome' }>): void {
    this.#stopHello?.();
    if (this.#session?.leader === leader) return this.#session.repeat();
    // It comes late, or from one that was frozen and does not know yet. A tab leads once in its life.
    if (epoch < this.#epoch || this.#left.has(leader)) return;
    this.#epoch = epoch;
    const isFirst = this.#session === undefined;
    if (this.#session !== undefined) this.#left.add(this.#session.leader);
    this.#session?.close();
    this.#status = status;
    this.#session = new Session({
      side: 'follower',
      leader,
      post: (message) => this.#own!.post(message),
      setTimer: this.#shared.setTimer,
      onMessage: (replies) => this.#toPage(replies as ServerMessage),
      onSilence: () => this.#hello(),
    });
    // The page has asked nothing before the first one.
    if (!isFirst) this.#sayAgain();
    this.#onJoined?.(status);
  }

  #sayAgain(): void {
    for (const message of this.#forNext()) this.#send(message);
  }

  /** What is asked again of another leader; the page is told of what is not. */
  #forNext(): readonly ClientMessage[] {
    const { messages, replies } = this.#unanswered.forNext();
    if (replies.length > 0) this.#shared.port.postMessage(replies);
    this.#mirror.begin(new Set(this.#unanswered.live.keys()));
    return messages;
  }

  #toPage(replies: ServerMessage): void {
    this.#unanswered.note(replies);
    this.#shared.port.postMessage(this.#mirror.take(replies));
  }

  /** The lock is ours: the leader has ended, or seems to be frozen. */
  async #takeOver(release: () => void, how: 'inherited' | 'stolen'): Promise<void> {
    if (this.#role !== 'follower') return release();
    this.#role = 'heir';
    this.#isLost = false;
    this.#stopHello?.();
    this.#waiting.abort();
    this.#watch?.end();
    this.#session?.close();
    this.#own?.close();
    this.#beat();
    let engine: EngineApi | undefined;
    try {
      if (how === 'stolen') await new Promise<void>((wake) => void this.#shared.setTimer(wake, LEASE_MS));
      if (this.#isLost) throw lockStolen();
      engine = await this.#openEngine(Promise.resolve({ release, isStolen: how === 'stolen' }));
      if (this.#ended.signal.aborted) return await engine.close();
      if (how === 'stolen') await engine.fence();
      if (this.#isLost) throw lockStolen();
      await this.#serveAll(engine, () => this.#forNext());
      this.#onJoined?.(this.#status!);
    } catch (cause) {
      if (this.#isLost) return this.#stepBack(engine);
      // Others must not take this tab for a leader.
      this.#stopBeat?.();
      if (engine !== undefined) void discard(engine);
      const error = cause instanceof StoreError ? cause : new StoreError('engine/bug', String(cause), { cause });
      this.#onRefused?.(error);
      this.#failAll(error);
    }
  }

  /** Another tab has taken the lock before this one had the store: nothing was answered, and it follows again. */
  #stepBack(engine: EngineApi | undefined): void {
    if (engine !== undefined) void discard(engine);
    if (!this.#ended.signal.aborted) this.#seekLeader();
  }

  /** The store cannot be opened here any more: every call is told, now and later. */
  #failAll(error: StoreError): void {
    const { port } = this.#shared;
    const poisoned = errorToWire(
      new StoreError('engine/poisoned', `The store could not be taken over: ${error.message}`, {
        details: { code: error.code },
        cause: error,
        hint: 'Close the store and open it again.',
      }),
    );
    const fail = (ids: readonly number[]): void => {
      if (ids.length > 0) port.postMessage(ids.map((id) => [id, ERROR, poisoned]));
    };
    fail(this.#unanswered.ids);
    port.onmessage = ({ data }: MessageEvent<ClientMessage>) => fail(data[0].map(([, id]) => id));
  }

  // --- both ---

  #onCommon(message: CommonMessage): void {
    if (message.type === 'hello' && this.#role === 'leader') this.#onHello(message);
    else if (message.type === 'leader' && this.#role === 'follower') {
      this.#watch?.heard();
      this.#hello();
    } else if (message.type === 'beat' && message.leader === this.#session?.leader) this.#watch?.heard();
    else if (message.type === 'echo') this.#watch?.echo(message.tab);
  }

  #say(message: CommonMessage): void {
    this.#common.post(message);
  }

  /** Nothing is said or heard after this. Followers go on with whoever gets the lock. */
  #end(): void {
    this.#role = 'ended';
    this.#ended.abort();
    this.#waiting.abort();
    this.#stopBeat?.();
    this.#watch?.end();
    this.#stopHello?.();
    this.#session?.close();
    for (const { end } of [...this.#followers.values()]) end();
    this.#own?.close();
    this.#common.close();
    this.#releaseTab?.();
  }
}

/** Lets go of an engine that has answered nothing. It writes nothing more. */
async function discard(engine: EngineApi): Promise<void> {
  engine.supersede(lockStolen());
  await engine.close().catch(() => undefined);
}

const differs = (name: string): StoreError =>
  new StoreError('store/in-use', `Another tab has the store ${JSON.stringify(name)} open with other definitions.`, {
    details: { name, reason: 'definitions' },
    hint: 'Reload or close the other tabs: they run another version of the application.',
  });

const isSilent = (name: string): StoreError =>
  new StoreError('store/in-use', `Another tab has the store ${JSON.stringify(name)} open and does not answer.`, {
    details: { name, reason: 'silent' },
    hint: 'Close or reload the other tabs of this site, then open the store again.',
  });

const lockStolen = (): StoreError =>
  new StoreError('tabs/lock-stolen', 'Another tab has taken the store over: this one did not answer.', {
    hint: 'Open the store again.',
  });
