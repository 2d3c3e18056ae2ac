/**
 * A store that all tabs of an origin share. The tab whose worker holds the store's Web Lock leads: it has the engine,
 * and serves its own page and those of the others. Others follow: their workers hand the messages of their pages to the
 * leader over a channel of their own, and wait for the lock. When the leader ends, however it ends, the lock goes to one
 * of them, which recovers the store and announces itself; everybody says again what was not answered, and writes that
 * were done already are answered and not repeated (T4).
 *
 * Here is only which role the tab has, and how it gets from one to the other.
 */
import { crc32c } from '../../src/base/crc32c.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { EngineApi } from '../../src/protocol/engine-api.ts';
import type { ClientMessage } from '../../src/protocol/messages.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage } from '../../src/protocol/tabs.ts';
import {
  awaitLock,
  commonChannelName,
  LEASE_MS,
  Lease,
  storeLockName,
  type TabChannel,
  tabLockName,
  tryLock,
} from '../tabs/index.ts';
import { type ServedStore, toStatus } from './control.ts';
import { Followers } from './followers.ts';
import { Following, KnownLeaders } from './following.ts';
import type { StoreHold } from './open-engine.ts';
import { PageSide } from './page-side.ts';
import { servePort } from './port-server.ts';
import { isSilent, lockStolen, type SharedStoreOptions } from './shared-store-options.ts';

/** How long a tab waits for the lock or a leader before its opening fails: longer than a frozen one is waited for. */
const FOLLOW_TIMEOUT_MS = 25_000;

/** Opens the store here, or joins the tab that has it. */
export async function openSharedStore(shared: SharedStoreOptions): Promise<ServedStore> {
  const store = new SharedStore(shared);
  await store.enter();
  if (!(await store.lead())) await store.follow();
  return store;
}

class SharedStore implements ServedStore {
  readonly #shared: SharedStoreOptions;
  readonly #definitions: string;
  readonly #common: TabChannel;
  readonly #page: PageSide;
  readonly #known = new KnownLeaders();
  #status: StoreStatus | undefined;
  /** `heir`: it has the lock, and opens the store. */
  #role: 'none' | 'leader' | 'follower' | 'heir' | 'ended' = 'none';
  /** The lock was taken from this tab. */
  #isLost = false;

  #engine: EngineApi | undefined;
  #lease: Lease | undefined;
  #followers: Followers | undefined;
  #stopServing: (() => void) | undefined;

  #following: Following | undefined;
  readonly #ended = new AbortController();
  #releaseTab: (() => void) | undefined;
  #onJoined: ((status: StoreStatus) => void) | undefined;
  #onRefused: ((error: StoreError) => void) | undefined;

  constructor(shared: SharedStoreOptions) {
    this.#shared = shared;
    const { name, collections } = shared.options;
    const text = new TextEncoder().encode(JSON.stringify(collections));
    this.#definitions = `${text.length}-${crc32c(text)}`;
    this.#page = new PageSide(shared.port, collections);
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
    else this.#page.close();
  }

  async destroy(): Promise<void> {
    if (this.#role !== 'leader' || this.#followers!.size > 0) {
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
      this.#beginLease();
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
    return this.#shared.openEngine({ holding, isLeased: () => this.#lease?.isValid === true });
  }

  #beginLease(): void {
    const store = this.#shared.options.name;
    this.#lease = new Lease({ ...this.#shared, store, say: (message) => this.#say(message) });
    this.#lease.begin();
  }

  /** The lock was taken from this tab, which seemed to be frozen. */
  #lost(): void {
    if (this.#role === 'ended') return;
    this.#lease?.end();
    this.#isLost = true;
    this.#followers?.end();
    this.#engine?.supersede(lockStolen());
  }

  /** `takeBacklog`: what this tab's page has asked another leader. */
  async #serveAll(engine: EngineApi, takeBacklog: () => readonly ClientMessage[]): Promise<void> {
    const { tab, options } = this.#shared;
    this.#engine = engine;
    this.#status = toStatus(await engine.health(), options);
    this.#role = 'leader';
    // The page may have asked more meanwhile.
    const backlog = takeBacklog();
    this.#stopServing =
      backlog.length === 0
        ? servePort(engine, this.#page.port)
        : servePort(engine, this.#page.mirrored(), { client: tab, isLocal: true, backlog });
    const definitions = this.#definitions;
    this.#followers = new Followers({ shared: this.#shared, engine, status: this.#status, definitions });
    this.#say({ type: 'leader', leader: tab });
  }

  // --- following ---

  /** Resolves when a leader has taken this tab in, or when it has become leader itself. */
  async follow(): Promise<void> {
    const { options, setTimer } = this.#shared;
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

  #seekLeader(): void {
    this.#role = 'follower';
    this.#following = new Following({
      shared: this.#shared,
      page: this.#page,
      known: this.#known,
      definitions: this.#definitions,
      say: (message) => this.#say(message),
      onJoined: (status) => {
        this.#status = status;
        this.#onJoined?.(status);
      },
      onRefused: (error) => this.#onRefused?.(error),
      onLock: (release, how) => void this.#takeOver(release, how),
      onLost: () => this.#lost(),
    });
  }

  /** The lock is ours: the leader has ended, or seems to be frozen. */
  async #takeOver(release: () => void, how: 'inherited' | 'stolen'): Promise<void> {
    this.#role = 'heir';
    this.#isLost = false;
    this.#following?.end();
    this.#beginLease();
    let engine: EngineApi | undefined;
    try {
      if (how === 'stolen') await new Promise<void>((wake) => void this.#shared.setTimer(wake, LEASE_MS));
      if (this.#isLost) throw lockStolen();
      engine = await this.#openEngine(Promise.resolve({ release, isStolen: how === 'stolen' }));
      if (this.#ended.signal.aborted) return await engine.close();
      if (how === 'stolen') await engine.fence();
      if (this.#isLost) throw lockStolen();
      await this.#serveAll(engine, () => this.#page.forNext());
      this.#onJoined?.(this.#status!);
    } catch (cause) {
      if (this.#isLost) return this.#stepBack(engine);
      // Others must not take this tab for a leader.
      this.#lease?.end();
      if (engine !== undefined) void discard(engine);
      const error = cause instanceof StoreError ? cause : new StoreError('engine/bug', String(cause), { cause });
      this.#onRefused?.(error);
      this.#page.failAll(error);
    }
  }

  /** Another tab has taken the lock before this one had the store: nothing was answered, and it follows again. */
  #stepBack(engine: EngineApi | undefined): void {
    if (engine !== undefined) void discard(engine);
    if (!this.#ended.signal.aborted) this.#seekLeader();
  }

  // --- both ---

  #onCommon(message: CommonMessage): void {
    if (this.#role === 'follower') this.#following!.onCommon(message);
    else if (message.type === 'hello' && this.#role === 'leader') this.#followers!.onHello(message);
  }

  #say(message: CommonMessage): void {
    this.#common.post(message);
  }

  /** Nothing is said or heard after this. Followers go on with whoever gets the lock. */
  #end(): void {
    this.#role = 'ended';
    this.#ended.abort();
    this.#lease?.end();
    this.#following?.end();
    this.#followers?.end();
    this.#common.close();
    this.#releaseTab?.();
  }
}

/** Lets go of an engine that has answered nothing. It writes nothing more. */
async function discard(engine: EngineApi): Promise<void> {
  engine.supersede(lockStolen());
  await engine.close().catch(() => undefined);
}
