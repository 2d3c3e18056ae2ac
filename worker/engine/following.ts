/**
 * One time of following: this tab's worker looks for the leader, hands it what its page asks, waits for the lock in
 * case that the leader ends, and watches over it in case that it is frozen.
 */
import { errorFromWire, type StoreError } from '../../src/base/store-error.ts';
import { VERSION } from '../../src/base/version.ts';
import type { ClientMessage, ServerMessage } from '../../src/protocol/messages.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage, FollowerData, FollowerMessage, TabBuild } from '../../src/protocol/tabs.ts';
import {
  awaitLock,
  followerChannelName,
  LeaderWatch,
  Session,
  storeLockName,
  type TabChannel,
  tabLockName,
} from '../tabs/index.ts';
import type { PageSide } from './page-side.ts';
import { type SharedStoreOptions, tabOf } from './shared-store-options.ts';

/** How often a follower asks for a leader that has not answered. */
const HELLO_MS = 150;

/** What a tab knows of leaders, as long as it lives. */
export class KnownLeaders {
  /** Leaders before the present one. */
  readonly left: Set<string> = new Set();
  /** Of the present one. */
  epoch = 0;
}

export type FollowingOptions = {
  readonly shared: SharedStoreOptions;
  readonly page: PageSide;
  readonly known: KnownLeaders;
  /** Of this tab. */
  readonly build: TabBuild;
  /** It has not been taken in by any leader yet. */
  readonly isOpening: () => boolean;
  readonly say: (message: CommonMessage) => void;
  readonly onJoined: (status: StoreStatus) => void;
  readonly onRefused: (error: StoreError) => void;
  /** The store's lock is ours. */
  readonly onLock: (release: () => void, how: 'granted' | 'stolen') => void;
  /** It has been taken from us since. */
  readonly onLost: () => void;
};

export class Following {
  readonly #options: FollowingOptions;
  readonly #own: TabChannel;
  readonly #watch: LeaderWatch;
  /** Of the wait for the store's lock. */
  readonly #waiting = new AbortController();
  #session: Session | undefined;
  #isEnded = false;
  #stopHello: (() => void) | undefined;

  constructor(options: FollowingOptions) {
    this.#options = options;
    const { shared, onLost } = options;
    const { locks, openChannel, tab } = shared;
    const store = shared.options.name;
    this.#own = openChannel(followerChannelName(store, tab));
    this.#own.onMessage = (message) => this.#onOwn(message as FollowerMessage);
    void awaitLock({ locks, name: storeLockName(store), onLost }, this.#waiting.signal).then((release) => {
      if (release !== undefined) this.#onLock(release, 'granted');
    });
    this.#watch = new LeaderWatch({
      ...shared,
      store,
      ask: () => this.#hello(),
      onLost,
      onStolen: (release) => this.#onLock(release, 'stolen'),
    });
    options.page.listen((message) => this.#send(message));
    this.#hello();
  }

  onCommon(message: CommonMessage): void {
    if (message.type === 'leader') {
      this.#watch.heard();
      this.#hello();
    } else if (message.type === 'beat' && message.leader === this.#session?.leader) this.#watch.heard();
    else if (message.type === 'echo') this.#watch.echo(message.tab);
  }

  /** Nothing is said or heard after this. */
  end(): void {
    this.#isEnded = true;
    this.#waiting.abort();
    this.#watch.end();
    this.#stopHello?.();
    this.#session?.close();
    this.#own.close();
  }

  #onLock(release: () => void, how: 'granted' | 'stolen'): void {
    if (this.#isEnded) release();
    else this.#options.onLock(release, how);
  }

  #hello(): void {
    const { shared, build, isOpening, say } = this.#options;
    if (this.#isEnded) return;
    say({ type: 'hello', tab: shared.tab, isOpening: isOpening(), version: VERSION, ...build });
    this.#stopHello?.();
    this.#stopHello = shared.setTimer(() => this.#hello(), HELLO_MS);
  }

  #send(page: ClientMessage): void {
    const data: FollowerData = { page, done: this.#options.page.done };
    this.#session?.send(data);
  }

  #onOwn(message: FollowerMessage): void {
    if (this.#isEnded) return;
    if (message.type === 'welcome' || message.leader === this.#session?.leader) this.#watch.heard();
    if (message.type === 'welcome') this.#onWelcome(message);
    else if (message.type === 'refused') this.#options.onRefused(errorFromWire(message.error));
    else this.#session?.receive(message);
  }

  #onWelcome(welcome: Extract<FollowerMessage, { type: 'welcome' }>): void {
    const { known } = this.#options;
    const { leader, epoch } = welcome;
    this.#stopHello?.();
    if (this.#session?.leader === leader) return this.#session.repeat();
    // It comes late, or from one that was frozen and does not know yet.
    if (epoch < known.epoch || known.left.has(leader)) return;
    if (this.#session === undefined || epoch > known.epoch) return this.#join(welcome);
    // A writer that has written nothing leaves its epoch to the next one: the lock tells who leads.
    const session = this.#session;
    void this.#hasLock(leader).then((isLeader) => {
      if (isLeader && !this.#isEnded && this.#session === session) this.#join(welcome);
    });
  }

  async #hasLock(leader: string): Promise<boolean> {
    const { locks, options } = this.#options.shared;
    const { held = [] } = await locks.query();
    const clientOf = (lock: string): string | undefined => held.find(({ name }) => name === lock)?.clientId;
    const client = clientOf(tabLockName(options.name, tabOf(leader)));
    return client !== undefined && client === clientOf(storeLockName(options.name));
  }

  #join({ leader, epoch, status }: Extract<FollowerMessage, { type: 'welcome' }>): void {
    const { page, known, shared, onJoined } = this.#options;
    known.epoch = epoch;
    if (this.#session !== undefined) known.left.add(this.#session.leader);
    this.#session?.close();
    this.#session = new Session({
      side: 'follower',
      leader,
      post: (message) => this.#own.post(message),
      setTimer: shared.setTimer,
      onMessage: (replies) => page.tell(replies as ServerMessage),
      onSilence: () => this.#hello(),
    });
    for (const message of page.forNext()) this.#send(message);
    onJoined(status);
  }
}
