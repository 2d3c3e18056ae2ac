/**
 * The sync worker's life: a session, and another one after a failure, as long as the engine answers. Speaks with its page
 * over the control port, and tells all tabs over a channel.
 */
import { StoreError } from '../../src/base/store-error.ts';
import { Link } from '../../src/client/link.ts';
import type { PageMessage, SyncMessage, SyncNews, SyncStart, SyncStatus } from '../../src/protocol/sync-worker.ts';
import { backoffMs } from './backoff.ts';
import { PageQuestions } from './page-questions.ts';
import type { SyncPlatform } from './platform.ts';
import { PresenceCarrier } from './presence.ts';
import { SyncSession } from './session.ts';
import { StoreClient } from './store-client.ts';

/** What is used of a BroadcastChannel. */
export interface NewsChannel {
  onMessage: ((message: unknown) => void) | undefined;
  post(news: SyncNews): void;
  close(): void;
}

/** A session that ran so long before it failed is not counted as a failure after the one before. */
const SOUND_MS = 60_000;

type Token = { readonly resolve: (token: string) => void; readonly reject: (error: Error) => void };

export class SyncWorker {
  readonly #start: SyncStart;
  readonly #platform: SyncPlatform;
  readonly #channel: NewsChannel;
  readonly #link: Link;
  readonly #presence: PresenceCarrier;
  /** Requests for a token; the connection gives up on one before it makes another. */
  readonly #tokens = new Map<number, Token>();
  #tokensAsked = 0;
  readonly #questions: PageQuestions;
  #session: SyncSession | undefined;
  #status: SyncStatus;
  #isOnline: boolean;
  #failures = 0;
  #isEnded = false;
  #stopTimer: () => void = () => {};

  constructor(start: SyncStart, parts: { readonly platform: SyncPlatform; readonly channel: NewsChannel }) {
    this.#start = start;
    this.#platform = parts.platform;
    this.#channel = parts.channel;
    this.#isOnline = start.isOnline;
    this.#status = { connection: 'connecting', relay: start.relays[0]?.url };
    this.#link = new Link(start.enginePort, parts.platform, () => {});
    start.controlPort.onmessage = ({ data }: MessageEvent<PageMessage>) => this.#heard(data);
    parts.channel.onMessage = (message) => this.#told(message as SyncNews);
    this.#presence = new PresenceCarrier(parts.platform, (news) => parts.channel.post(news));
    this.#presence.start();
    this.#questions = new PageQuestions(parts.platform, (id, questions) =>
      start.controlPort.postMessage({ type: 'resolve', id, questions } satisfies SyncMessage),
    );
    this.#run();
  }

  get status(): SyncStatus {
    return this.#status;
  }

  stop(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#stopTimer();
    this.#session?.stop();
    this.#presence.stop();
    this.#link.close(new StoreError('store/closed', 'Synchronisation has ended.'));
    this.#start.controlPort.close();
    this.#channel.close();
  }

  #run(): void {
    const { store, relays, collections } = this.#start;
    const startedAt = this.#platform.now();
    const session = new SyncSession({
      platform: this.#platform,
      store: new StoreClient(this.#link),
      storeName: store,
      url: relays[0]!.url,
      collections,
      presence: this.#presence,
      tell: (news) => this.#isEnded || this.#channel.post(news),
      token: () => this.#askToken(),
      askPage: (questions) => this.#questions.ask(questions),
      onStatus: (status) => this.#tell(status),
      onFailed: (error) => this.#failed(error, startedAt),
    });
    this.#session = session;
    session.start(this.#isOnline).catch((error) => {
      session.stop();
      this.#failed(error, startedAt);
    });
  }

  /** Whatever it was, the next session reads everything anew and writes under other names. */
  #failed(error: unknown, startedAt: number): void {
    if (this.#isEnded) return;
    const { code, message } = error instanceof StoreError ? error : { code: 'sync/failed', message: String(error) };
    this.#tell({ ...this.#status, connection: 'offline', reason: { code, message } });
    if (this.#link.lost !== undefined) return;
    this.#failures = this.#platform.now() - startedAt > SOUND_MS ? 1 : this.#failures + 1;
    this.#stopTimer = this.#platform.setTimer(() => this.#run(), backoffMs(this.#failures, this.#platform));
  }

  #heard(message: PageMessage): void {
    switch (message.type) {
      case 'token':
        this.#take(message.id)?.resolve(message.token ?? '');
        return;
      case 'no-token':
        this.#take(message.id)?.reject(new Error(message.message));
        return;
      case 'resolved':
        this.#questions.answered(message.id, message.answers);
        return;
      case 'network':
        this.#isOnline = message.isOnline;
        this.#session?.network(message.isOnline);
        return;
      case 'tabs':
        this.#presence.tabs(message.tabs);
        return;
      case 'stop':
        this.stop();
    }
  }

  #told(news: SyncNews): void {
    this.#presence.heard(news);
    this.#session?.heard(news);
    if (news.type === 'ask') this.#tell(this.#status);
    else if (news.type === 'flush') this.#session?.hurry();
  }

  #askToken(): Promise<string> {
    // The one before is answered too late for anybody.
    this.#tokens.clear();
    const id = ++this.#tokensAsked;
    const asked = new Promise<string>((resolve, reject) => this.#tokens.set(id, { resolve, reject }));
    this.#start.controlPort.postMessage({ type: 'token', id } satisfies SyncMessage);
    return asked;
  }

  #take(id: number): Token | undefined {
    const token = this.#tokens.get(id);
    this.#tokens.delete(id);
    return token;
  }

  #tell(status: SyncStatus): void {
    if (this.#isEnded) return;
    this.#status = status;
    this.#channel.post({ type: 'status', status });
  }
}
