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
  commonChannelName,
  followerChannelName,
  LiveMirror,
  type OpenTabChannel,
  Session,
  storeLockName,
  type TabChannel,
  tabLockName,
  tryStoreLock,
  Unanswered,
} from '../tabs/index.ts';
import { type ServedStore, toStatus } from './control.ts';
import { type ServedPort, servePort } from './port-server.ts';

/** How often a follower asks for a leader that has not answered. */
const HELLO_MS = 150;
/** How long a tab waits for the lock or a leader before its opening fails. */
const FOLLOW_TIMEOUT_MS = 10_000;

export type SharedStoreOptions = {
  readonly options: EngineOptions;
  readonly port: MessagePort;
  /** Random: no two tabs have the same. */
  readonly tab: string;
  readonly locks: LockManager;
  readonly openChannel: OpenTabChannel;
  readonly setTimer: (run: () => void, ms: number) => () => void;
  readonly openEngine: (holding: Promise<() => void>) => Promise<EngineApi>;
};

/** Opens the store here, or joins the tab that has it. */
export async function openSharedStore(shared: SharedStoreOptions): Promise<ServedStore> {
  const { locks, options } = shared;
  const taken = new StoreError('store/in-use', 'Another tab has the store.');
  const holding = tryStoreLock(locks, options.name).then((release) => {
    if (release === undefined) throw taken;
    return release;
  });
  let engine: EngineApi;
  try {
    engine = await shared.openEngine(holding);
  } catch (error) {
    if (error !== taken) throw error;
    const store = new SharedStore(shared);
    await store.follow();
    return store;
  }
  const store = new SharedStore(shared);
  await store.lead(engine);
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
  #role: 'none' | 'leader' | 'follower' | 'ended' = 'none';

  #engine: EngineApi | undefined;
  #stopServing: (() => void) | undefined;
  readonly #followers: Map<string, Follower> = new Map();

  readonly #unanswered = new Unanswered();
  readonly #mirror = new LiveMirror((call) => this.#keyOf(call));
  #own: TabChannel | undefined;
  #session: Session | undefined;
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

  // --- leading ---

  /** `takeBacklog`: what this tab's page has asked another leader. */
  async lead(engine: EngineApi, takeBacklog: () => readonly ClientMessage[] = () => []): Promise<void> {
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
    const welcome: FollowerMessage = { type: 'welcome', leader: this.#shared.tab, status: this.#status! };
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
    void awaitLock(locks, tabLockName(options.name, tab), this.#ended.signal).then((release) => {
      release?.();
      if (release === undefined || this.#role !== 'leader') return;
      this.#followers.get(tab)?.end();
      this.#engine!.forgetAnswered(tab, Number.POSITIVE_INFINITY);
    });
  }

  // --- following ---

  /** Resolves when a leader has taken this tab in, or when it has become leader itself. */
  async follow(): Promise<void> {
    const { locks, options, tab, openChannel, port, setTimer } = this.#shared;
    this.#role = 'follower';
    this.#releaseTab = await awaitLock(locks, tabLockName(options.name, tab), this.#ended.signal);
    this.#own = openChannel(followerChannelName(options.name, tab));
    this.#own.onMessage = (message) => this.#onOwn(message as FollowerMessage);
    port.onmessage = ({ data }: MessageEvent<ClientMessage>) => this.#fromPage(data);
    const joined = new Promise<StoreStatus>((resolve, reject) => {
      this.#onJoined = resolve;
      this.#onRefused = reject;
    });
    const stopTimer = setTimer(() => this.#onRefused?.(isSilent(options.name)), FOLLOW_TIMEOUT_MS);
    void awaitLock(locks, storeLockName(options.name), this.#ended.signal).then((release) => {
      if (release !== undefined) void this.#takeOver(release);
    });
    this.#hello();
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
    if (message.type === 'welcome') this.#onWelcome(message);
    else if (message.type === 'refused') this.#onRefused?.(errorFromWire(message.error));
    else this.#session?.receive(message);
  }

  #onWelcome({ leader, status }: Extract<FollowerMessage, { type: 'welcome' }>): void {
    this.#stopHello?.();
    if (this.#session?.leader === leader) return this.#session.repeat();
    const isFirst = this.#session === undefined;
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

  /** The lock is ours: the leader has ended. */
  async #takeOver(release: () => void): Promise<void> {
    if (this.#role !== 'follower') return release();
    this.#stopHello?.();
    this.#session?.close();
    this.#own?.close();
    try {
      const engine = await this.#shared.openEngine(Promise.resolve(release));
      if (this.#ended.signal.aborted) return await engine.close();
      await this.lead(engine, () => this.#forNext());
      this.#onJoined?.(this.#status!);
    } catch (cause) {
      const error = cause instanceof StoreError ? cause : new StoreError('engine/bug', String(cause), { cause });
      this.#onRefused?.(error);
      this.#failAll(error);
    }
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
    else if (message.type === 'leader' && this.#role === 'follower') this.#hello();
  }

  #say(message: CommonMessage): void {
    this.#common.post(message);
  }

  /** Nothing is said or heard after this. Followers go on with whoever gets the lock. */
  #end(): void {
    this.#role = 'ended';
    this.#ended.abort();
    this.#stopHello?.();
    this.#session?.close();
    for (const { end } of [...this.#followers.values()]) end();
    this.#own?.close();
    this.#common.close();
    this.#releaseTab?.();
  }
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
