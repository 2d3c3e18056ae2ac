/**
 * What a leader has of the tabs that follow it: a session with each, and the end of those that are gone (TAB-3). It
 * knows of no lock but those by which tabs show that they live.
 */
import { errorToWire } from '../../src/base/store-error.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { ClientMessage } from '../../src/protocol/messages.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import { type CommonMessage, type FollowerData, type FollowerMessage, TABS_PROTOCOL } from '../../src/protocol/tabs.ts';
import { awaitLock, followerChannelName, Session, type TabChannel, tabLockName } from '../tabs/index.ts';
import { type ServedPort, servePort } from './port-server.ts';
import { differs, type SharedStoreOptions } from './shared-store-options.ts';

type Follower = {
  readonly channel: TabChannel;
  readonly session: Session;
  readonly end: () => void;
};

export type FollowersOptions = {
  readonly shared: SharedStoreOptions;
  readonly engine: EngineApi;
  readonly status: StoreStatus;
  /** Digest of this tab's definitions. */
  readonly definitions: string;
  /** Of this leader. */
  readonly name: string;
};

export class Followers {
  readonly #options: FollowersOptions;
  readonly #followers: Map<string, Follower> = new Map();
  readonly #ended = new AbortController();

  constructor(options: FollowersOptions) {
    this.#options = options;
    const { engine, shared } = options;
    for (const client of engine.answeredClients) if (client !== shared.tab) this.#forgetWhenGone(client);
  }

  get size(): number {
    return this.#followers.size;
  }

  onHello({ tab, protocol, definitions }: Extract<CommonMessage, { type: 'hello' }>): void {
    const present = this.#followers.get(tab);
    const { name: leader } = this.#options;
    const { options, openChannel } = this.#options.shared;
    if (protocol !== TABS_PROTOCOL || definitions !== this.#options.definitions) {
      const channel = openChannel(followerChannelName(options.name, tab));
      const refused: FollowerMessage = { type: 'refused', leader, error: errorToWire(differs(options.name)) };
      channel.post(refused);
      channel.close();
      return;
    }
    const follower = present ?? this.#serve(tab);
    this.#followers.set(tab, follower);
    const { engine, status } = this.#options;
    const welcome: FollowerMessage = { type: 'welcome', leader, epoch: engine.epoch, status };
    follower.channel.post(welcome);
    if (present !== undefined) present.session.repeat();
  }

  /** Nothing more is said to anybody: they go on with the next leader (TAB-2). */
  end(): void {
    this.#ended.abort();
    for (const { end } of [...this.#followers.values()]) end();
  }

  #serve(tab: string): Follower {
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
    const { locks, options } = this.#options.shared;
    void awaitLock({ locks, name: tabLockName(options.name, tab) }, this.#ended.signal).then((release) => {
      release?.();
      if (release === undefined || this.#ended.signal.aborted) return;
      this.#followers.get(tab)?.end();
      this.#options.engine.forgetAnswered(tab, Number.POSITIVE_INFINITY);
    });
  }
}
