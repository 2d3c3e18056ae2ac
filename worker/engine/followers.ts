/**
 * What a leader has of the tabs that follow it: a session with each, and the end of those that are gone (TAB-3). It
 * knows of no lock but those by which tabs show that they live.
 */
import { errorToWire } from '../../src/base/store-error.ts';
import { VERSION } from '../../src/base/version.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { ClientMessage } from '../../src/protocol/messages.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage, FollowerData, FollowerMessage, TabBuild, TabInfo } from '../../src/protocol/tabs.ts';
import { awaitLock, canShare, followerChannelName, Session, type TabChannel, tabLockName } from '../tabs/index.ts';
import { type ServedPort, servePort } from './port-server.ts';
import { isOutdated, type SharedStoreOptions } from './shared-store-options.ts';

type Follower = {
  readonly version: string;
  readonly channel: TabChannel;
  readonly session: Session;
  readonly end: () => void;
};

export type FollowersOptions = {
  readonly shared: SharedStoreOptions;
  readonly engine: EngineApi;
  readonly status: StoreStatus;
  /** Of this tab. */
  readonly build: TabBuild;
  /** Of this leader. */
  readonly name: string;
};

export class Followers {
  readonly #options: FollowersOptions;
  readonly #followers: Map<string, Follower> = new Map();
  readonly #ended = new AbortController();
  readonly #watchers: Set<() => void> = new Set();

  constructor(options: FollowersOptions) {
    this.#options = options;
    const { engine, shared } = options;
    for (const client of engine.answeredClients) if (client !== shared.tab) this.#forgetWhenGone(client);
  }

  /** All tabs that have the store, as `tab` sees them: now, and whenever one comes or goes. Answers what ends that. */
  watchTabs(tab: string, listener: (tabs: readonly TabInfo[]) => void): () => void {
    const { shared } = this.#options;
    const tell = (): void => {
      const infoOf = (id: string, version: string): TabInfo => ({
        id,
        isLeader: id === shared.tab,
        isOwn: id === tab,
        version,
      });
      const following = [...this.#followers].map(([id, { version }]) => infoOf(id, version));
      listener([infoOf(shared.tab, VERSION), ...following]);
    };
    this.#watchers.add(tell);
    tell();
    return () => void this.#watchers.delete(tell);
  }

  onHello(hello: Extract<CommonMessage, { type: 'hello' }>): void {
    const { tab } = hello;
    const present = this.#followers.get(tab);
    const { name: leader } = this.#options;
    const { options, openChannel } = this.#options.shared;
    if (!canShare(hello, this.#options.build)) {
      const channel = openChannel(followerChannelName(options.name, tab));
      const refused: FollowerMessage = { type: 'refused', leader, error: errorToWire(isOutdated(options.name)) };
      channel.post(refused);
      channel.close();
      return;
    }
    const follower = present ?? this.#serve(tab, hello.version);
    this.#followers.set(tab, follower);
    const { engine, status } = this.#options;
    const welcome: FollowerMessage = { type: 'welcome', leader, epoch: engine.epoch, status };
    follower.channel.post(welcome);
    if (present !== undefined) present.session.repeat();
    else this.#tellWatchers();
  }

  #tellWatchers(): void {
    for (const tell of this.#watchers) tell();
  }

  /** Nothing more is said to anybody: they go on with the next leader (TAB-2). */
  end(): void {
    this.#ended.abort();
    this.#watchers.clear();
    for (const { end } of [...this.#followers.values()]) end();
  }

  #serve(tab: string, version: string): Follower {
    const { engine, shared, name } = this.#options;
    const { options, openChannel, setTimer } = shared;
    const channel = openChannel(followerChannelName(options.name, tab));
    const port: ServedPort = {
      onmessage: null,
      postMessage: (message) => session.send(message),
      close: () => undefined,
    };
    const session = new Session({
      side: 'leader',
      leader: name,
      post: (message) => channel.post(message),
      setTimer,
      onMessage: (data) => {
        const { page, done } = data as FollowerData;
        engine.forgetAnswered(tab, done);
        port.onmessage?.({ data: page } as MessageEvent<ClientMessage>);
      },
    });
    channel.onMessage = (message) => session.receive(message as FollowerMessage);
    const stop = servePort(engine, port, {
      client: tab,
      watchTabs: (listener) => this.watchTabs(tab, listener),
    });
    const end = (): void => {
      this.#followers.delete(tab);
      this.#tellWatchers();
      // First: what the engine says of its end is not for others, who go on with the next leader.
      session.close();
      stop();
      channel.close();
    };
    this.#forgetWhenGone(tab);
    return { version, channel, session, end };
  }

  /** A tab's lock is free when its worker has ended: then it repeats nothing, and nobody listens. */
  #forgetWhenGone(tab: string): void {
    const { locks, options } = this.#options.shared;
    void awaitLock({ locks, name: tabLockName(options.name, tab) }, this.#ended.signal).then((release) => {
      release?.();
      if (release === undefined || this.#ended.signal.aborted) return;
      this.#followers.get(tab)?.end();
      this.#options.engine.forgetAnswered(tab, Number.POSITIVE_INFINITY);
    });
  }
}
