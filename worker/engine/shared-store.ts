/**
 * A store that all tabs of an origin share. The tab whose worker holds the store's Web Lock leads: it has the engine,
 * and serves its own page and those of the others. Others follow: their workers hand the messages of their pages to the
 * leader over a channel of their own, and wait for the lock. When the leader ends, however it ends, the lock goes to one
 * of them, which recovers the store and announces itself; everybody says again what was not answered, and writes that
 * were done already are answered and not repeated (T4).
 *
 * Here is only which role the tab has, and how it gets from one to the other.
 */
import { StoreError } from '../../src/base/store-error.ts';
import type { StoreStatus } from '../../src/protocol/store-status.ts';
import type { CommonMessage, TabBuild } from '../../src/protocol/tabs.ts';
import {
  awaitLock,
  buildOf,
  canShare,
  commonChannelName,
  isNewer,
  storeLockName,
  type TabChannel,
  tabLockName,
  tryLock,
} from '../tabs/index.ts';
import type { ServedStore } from './control.ts';
import { Following, KnownLeaders } from './following.ts';
import { Leading } from './leading.ts';
import { PageSide } from './page-side.ts';
import {
  isDestroyed,
  isHeld,
  isOutdated,
  isSilent,
  leaderName,
  type SharedStoreOptions,
} from './shared-store-options.ts';

/** How long a tab waits for the lock or a leader before its opening fails: longer than a frozen one is waited for. */
const FOLLOW_TIMEOUT_MS = 25_000;
/** How often a tab goes on after its storage has failed, within how long: then the cause is not a passing one. */
const FAILURES_MAX = 3;
const FAILURES_MS = 60_000;
/** How long a tab that destroys the store waits for the others to let it go, and how often it asks them to. */
const DESTROY_TIMEOUT_MS = 8_000;
const DESTROY_SAID_MS = 150;
/** Before that: others come first, and the browser gets over it. */
const REOPEN_PAUSE_MS = 200;
/** Failures after which the log is sound, and tells what was stored: opening it again goes on. */
const CURED_BY_REOPENING: ReadonlySet<string> = new Set([
  'storage/outcome-unknown',
  'storage/failed',
  'storage/quota',
  'storage/open-failed',
  'storage/open-timeout',
  'wal/stopped',
]);

/** Opens the store here, or joins the tab that has it. */
export async function openSharedStore(shared: SharedStoreOptions): Promise<ServedStore> {
  const store = new SharedStore(shared);
  if (!(await store.lead(store.enter()))) await store.follow();
  return store;
}

class SharedStore implements ServedStore {
  #shared: SharedStoreOptions;
  readonly #build: TabBuild;
  /** Undefined while the tab is suspended: what is said there would end a page in the back/forward cache. */
  #common: TabChannel | undefined;
  readonly #page: PageSide;
  readonly #known = new KnownLeaders();
  #status: StoreStatus | undefined;
  /**
   * `heir`: it has the lock, and opens the store. `suspended`: the browser stops the page, and others go on. `failed`: so
   * they do, and the page is told.
   */
  #role: 'none' | 'leader' | 'follower' | 'heir' | 'suspended' | 'failed' | 'ended' = 'none';
  #isSuspended = false;
  #leading: Leading | undefined;
  #following: Following | undefined;
  /** The page, when it has a sync worker to start. */
  #tellPage: ((term: number) => void) | undefined;
  /** How often this tab has led, or tried to. */
  #terms = 0;
  readonly #tab: string;
  /** Names that the tab has taken since, one after the other. */
  #names = 0;
  /** When its storage failed and it went on. */
  #failures: readonly number[] = [];
  readonly #ended = new AbortController();
  #releaseTab: (() => void) | undefined;
  #onJoined: ((status: StoreStatus) => void) | undefined;
  #onRefused: ((error: StoreError) => void) | undefined;
  #onLeading: (() => void) | undefined;

  constructor(shared: SharedStoreOptions) {
    this.#shared = shared;
    this.#tab = shared.tab;
    const { collections } = shared.options;
    this.#build = buildOf(collections);
    this.#page = new PageSide(shared.port, collections);
  }

  get status(): StoreStatus {
    return this.#status!;
  }

  get isLeader(): boolean {
    return this.#role === 'leader';
  }

  async close(): Promise<void> {
    const leading = this.#role === 'leader' ? this.#leading : undefined;
    this.#end();
    try {
      await leading?.close();
    } finally {
      this.#page.close();
    }
  }

  async destroy(): Promise<void> {
    const { setTimer, options, tab } = this.#shared;
    let stopSaying = (): void => undefined;
    // Whoever gets the lock next must hear it too.
    const say = (): void => {
      this.#say({ type: 'destroy', tab });
      stopSaying = setTimer(say, DESTROY_SAID_MS);
    };
    say();
    const hasStore = await this.#untilLeader();
    stopSaying();
    if (!hasStore) {
      await this.close();
      throw isHeld(options.name);
    }
    this.#end();
    await this.#leading!.destroy().finally(() => this.#page.close());
  }

  /** Answers whether this tab leads, as soon as it does. */
  #untilLeader(): Promise<boolean> {
    const { setTimer } = this.#shared;
    return new Promise((resolve) => {
      if (this.#role === 'leader') return resolve(true);
      const stopTimer = setTimer(() => resolve(false), DESTROY_TIMEOUT_MS);
      this.#onLeading = () => {
        stopTimer();
        resolve(true);
      };
    });
  }

  /** A tab that is stopped must not have the store's lock, or be the next to get it. */
  suspend(): void {
    this.#isSuspended = true;
    if (this.#role === 'leader') void this.#leading!.handOver();
    else if (this.#role === 'follower') this.#rest();
  }

  resume(): void {
    this.#isSuspended = false;
    if (this.#role === 'suspended') void this.#wake();
  }

  async #wake(): Promise<void> {
    this.#role = 'none';
    if (this.#releaseTab === undefined) {
      this.#names += 1;
      this.#shared = { ...this.#shared, tab: `${this.#tab}-${this.#names}` };
    }
    await this.enter();
    if (this.#role === 'none') this.#seekLeader();
  }

  /**
   * What the page asks is kept. Browsers end a page in the back/forward cache when another one waits for a lock of it, as
   * leaders do for that of a tab. Without an open write nobody needs to know that it is the same tab when it comes back.
   */
  #rest(): void {
    this.#role = 'suspended';
    this.#following?.end();
    this.#common?.close();
    this.#common = undefined;
    if (this.#page.hasWrites) return;
    this.#releaseTab?.();
    this.#releaseTab = undefined;
  }

  /** From now on others can see that this tab lives. */
  async enter(): Promise<void> {
    const { locks, options, tab, openChannel } = this.#shared;
    this.#common = openChannel(commonChannelName(options.name));
    this.#common.onMessage = (message) => this.#onCommon(message as CommonMessage);
    this.#releaseTab ??= await awaitLock({ locks, name: tabLockName(options.name, tab) }, this.#ended.signal);
  }

  // --- leading ---

  /**
   * Opens the engine here when nobody has the lock. Answers whether that was so. Both locks are asked for at once, and
   * the tab's first: whoever has the store's is seen to live.
   */
  async lead(entering: Promise<void>): Promise<boolean> {
    const { locks, options } = this.#shared;
    const taken = new StoreError('store/in-use', 'Another tab has the store.');
    const leading = this.#createLeading();
    const lock = tryLock({ locks, name: storeLockName(options.name), onLost: leading.lost });
    const holding = Promise.all([lock, entering]).then(([release]) => {
      if (release === undefined) throw taken;
      return release;
    });
    try {
      await leading.open(holding, 'granted');
      this.#serve(leading);
      return true;
    } catch (error) {
      await leading.leave();
      if (error === taken || isTaken(leading.end ?? error)) return false;
      this.#end();
      throw error;
    }
  }

  #createLeading(): Leading {
    this.#terms += 1;
    return new Leading({
      shared: this.#shared,
      page: this.#page,
      name: leaderName(this.#shared.tab, this.#terms),
      build: this.#build,
      say: (message) => this.#say(message),
      onStop: () => this.#tellPage?.(0),
      onEnd: (leading, why) => {
        if (leading !== this.#leading) return;
        if (this.#role === 'leader') this.#stepDown(leading, why);
        // It is being closed: what is open ends with the page's link.
        else if (this.#role === 'ended') this.#page.leave();
      },
    });
  }

  #serve(leading: Leading): void {
    this.#status = leading.serve();
    this.#leading = leading;
    this.#known.epoch = leading.epoch;
    this.#role = 'leader';
    this.#onLeading?.();
    this.#tellPage?.(this.#terms);
  }

  watchLeading(listener: (term: number) => void): void {
    this.#tellPage = listener;
    listener(this.#role === 'leader' ? this.#terms : 0);
  }

  serveSync(port: MessagePort, term: number): void {
    if (this.#role === 'leader' && term === this.#terms) this.#leading!.serveSync(port);
    else port.close();
  }

  /** The engine here can write nothing more. Its tab goes on as a follower, and asks again what was not answered (T7). */
  #stepDown(leading: Leading, why: StoreError): void {
    void leading.leave();
    // What the page was answered from memory is gone: it has to be told.
    const isPromiseLost = why.details['isPromiseLost'] === true;
    if (!isPromiseLost && why.code === 'engine/superseded') this.#seekLeader();
    else if (isPromiseLost || !this.#tryAgain(why.details['code'])) this.#fail(why);
  }

  /** After a failure of the storage, unless it is no passing one. Answers whether it will be tried. */
  #tryAgain(code: unknown): boolean {
    const { now, setTimer } = this.#shared;
    this.#failures = [...this.#failures.filter((at) => now() - at < FAILURES_MS), now()];
    if (!CURED_BY_REOPENING.has(code as string) || this.#failures.length > FAILURES_MAX) return false;
    this.#role = 'none';
    // What the page asks meanwhile is kept.
    setTimer(() => this.#role === 'none' && this.#seekLeader(), REOPEN_PAUSE_MS);
    return true;
  }

  /** There is no way on for this tab's page: every call is told. */
  #fail(error: StoreError): void {
    this.#role = 'failed';
    this.#page.failAll(error);
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
    if (this.#isSuspended) return this.#rest();
    this.#role = 'follower';
    let heir: Leading | undefined;
    this.#following = new Following({
      shared: this.#shared,
      page: this.#page,
      known: this.#known,
      build: this.#build,
      isOpening: () => this.#onJoined !== undefined,
      say: (message) => this.#say(message),
      onJoined: (status) => {
        this.#status = status;
        this.#onJoined?.(status);
      },
      onRefused: (error) => this.#leaveTo(error),
      onLock: (release, how) => {
        heir = this.#createLeading();
        void this.#takeOver(heir, release, how);
      },
      onLost: () => heir?.lost(),
    });
  }

  /** The lock is ours: the leader has ended, or seems to be frozen. */
  async #takeOver(leading: Leading, release: () => void, how: 'granted' | 'stolen'): Promise<void> {
    this.#role = 'heir';
    this.#following?.end();
    try {
      await leading.open(Promise.resolve(release), how);
      if (this.#ended.signal.aborted) return await leading.close();
      this.#serve(leading);
      this.#onJoined?.(this.#status!);
      if (this.#isSuspended) void leading.handOver();
    } catch (cause) {
      void leading.leave();
      if (this.#ended.signal.aborted) return;
      // Another tab was faster. Nothing was answered.
      if (isTaken(leading.end ?? cause)) return this.#seekLeader();
      const error = cause instanceof StoreError ? cause : new StoreError('engine/bug', String(cause), { cause });
      if (this.#tryAgain(error.code)) return;
      this.#onRefused?.(error);
      this.#fail(notTakenOver(error));
    }
  }

  // --- both ---

  #onCommon(message: CommonMessage): void {
    const { name } = this.#shared.options;
    if (message.type === 'destroy') this.#leaveTo(isDestroyed(name));
    else if (message.type === 'hello' && this.#isOutdatedBy(message)) this.#leaveTo(isOutdated(name));
    else if (this.#role === 'follower') this.#following!.onCommon(message);
    else if (message.type === 'hello' && this.#role === 'leader') this.#leading!.followers!.onHello(message);
  }

  /** Whether a tab that opens the store now cannot share it with this one, and comes first (T8). */
  #isOutdatedBy(hello: Extract<CommonMessage, { type: 'hello' }>): boolean {
    if (!hello.isOpening || canShare(hello, this.#build) || isNewer(this.#build, hello)) return false;
    // Of two that open it at once and do not know better, one has to go on.
    return this.#onJoined === undefined || isNewer(hello, this.#build) || hello.tab > this.#shared.tab;
  }

  /** Another tab is to have the store alone. What was answered is stored; the page is told, and every call. */
  #leaveTo(error: StoreError): void {
    if (this.#role === 'leader') {
      this.#role = 'failed';
      void this.#leading!.handOver().then(() => this.#fail(error));
    } else if (this.#role === 'follower') {
      this.#following!.end();
      this.#fail(error);
      this.#onRefused?.(error);
    }
  }

  #say(message: CommonMessage): void {
    this.#common?.post(message);
  }

  /** Nothing is said or heard after this. Followers go on with whoever gets the lock. */
  #end(): void {
    this.#role = 'ended';
    this.#ended.abort();
    this.#following?.end();
    this.#common?.close();
    this.#releaseTab?.();
  }
}

/** Whether another tab has the store: this one may follow it. */
const isTaken = (error: unknown): boolean => error instanceof StoreError && TAKEN.has(error.code);
const TAKEN: ReadonlySet<string> = new Set([
  'engine/superseded',
  'storage/log-collision',
  'storage/generation-mismatch',
  'tabs/lock-stolen',
]);

const notTakenOver = (error: StoreError): StoreError =>
  new StoreError('engine/poisoned', `The store could not be taken over: ${error.message}`, {
    details: { code: error.code },
    cause: error,
    hint: 'Close the store and open it again.',
  });
