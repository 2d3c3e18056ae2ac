/**
 * One run of synchronisation: folds what is committed here, pushes the outbox, and tells how it goes. Everything that it
 * knows is in the store, so it may be ended at any moment; the next run draws a writer and a client id of its own (R7).
 */
import { unreachable } from '../../src/base/assert.ts';
import { drawClientId } from '../../src/protocol/client-id.ts';
import { FRAME, type Refuse, type RelayMessage, type Welcome } from '../../src/protocol/sync/index.ts';
import {
  type Refusal,
  SYNC_CHANGES,
  type SyncedCollection,
  type SyncNews,
  type SyncStatus,
} from '../../src/protocol/sync-worker.ts';
import { adoptCollections } from './adopt-collections.ts';
import { noAnswers } from './conflict-answers.ts';
import { Connection, type ConnectionState } from './connection.ts';
import { type DigestPace, Digests } from './digests.ts';
import { Fold } from './fold.ts';
import { HeldRows } from './held-rows.ts';
import { Incoming } from './incoming.ts';
import { OpenDocuments } from './open-documents.ts';
import { Outbox } from './outbox.ts';
import { OwnRuns } from './own-runs.ts';
import type { SyncPlatform } from './platform.ts';
import type { PresenceCarrier } from './presence.ts';
import { Outgoing } from './push.ts';
import type { StoreClient } from './store-client.ts';
import { type AskPage, createRelayLimits, type SyncContext } from './sync-context.ts';
import { createTurns } from './turns.ts';

/** Rows that the status names. */
const HELD_NAMED_MAX = 20;

export type SessionOptions = {
  readonly platform: SyncPlatform;
  readonly store: StoreClient;
  readonly storeName: string;
  /** Of the relay. */
  readonly url: string;
  readonly collections: readonly SyncedCollection[];
  readonly presence?: PresenceCarrier | undefined;
  readonly digestPace?: Partial<DigestPace> | undefined;
  /** To all tabs. */
  readonly tell?: ((news: SyncNews) => void) | undefined;
  /** `refused`: the token that the relay has not accepted. */
  readonly token: (refused: string | undefined) => Promise<string>;
  /** Default: nobody has the application's functions for conflicts. */
  readonly askPage?: AskPage | undefined;
  readonly onStatus: (status: SyncStatus) => void;
  /** The run cannot go on: the store does not answer, or has answered what it should not. Another run may. */
  readonly onFailed: (error: unknown) => void;
};

export class SyncSession {
  readonly #options: SessionOptions;
  readonly #context: SyncContext;
  readonly #connection: Connection;
  readonly #fold: Fold;
  readonly #outgoing: Outgoing;
  readonly #incoming: Incoming;
  readonly #documents: OpenDocuments;
  readonly #digests: Digests;
  #status: SyncStatus;
  #stopWatch: () => void = () => {};
  #isFolding = false;
  #isFoldWanted = false;
  #isEnded = false;

  constructor(options: SessionOptions) {
    const { platform, store, url, storeName, collections, token } = options;
    this.#options = options;
    this.#status = { connection: 'connecting', relay: url };
    this.#context = {
      platform,
      store,
      outbox: new Outbox(platform),
      held: new HeldRows(() => this.#tellHeld()),
      runs: new OwnRuns(),
      askPage: options.askPage ?? noAnswers,
      collections: new Map(collections.map((each) => [each.name, each])),
      clientId: drawClientId(platform),
      limits: createRelayLimits(),
      inTurn: createTurns(),
    };
    this.#connection = new Connection({
      platform,
      url,
      store: storeName,
      owner: {
        epoch: () => this.#incoming.epoch,
        token,
        welcomed: (welcome) => this.#welcomed(welcome),
        received: (message, bytes) => this.#received(message, bytes),
        lost: () => {
          this.#outgoing.disconnected();
          this.#incoming.disconnected();
          this.#digests.disconnected();
          options.presence?.disconnected();
        },
        carried: (body) => options.presence?.received(body),
        changed: (state) => this.#tell(connectionStatus(state)),
      },
    });
    this.#fold = new Fold(this.#context);
    this.#outgoing = new Outgoing(this.#context, (push) => this.#connection.send(push), {
      acknowledged: () => this.#tell({ lastAckAt: platform.wallClock() }),
      restart: () => this.#connection.restart(),
      failed: (error) => this.#fail(error),
    });
    this.#incoming = new Incoming(this.#context, this.#fold, {
      send: (message) => this.#connection.send(message),
      restart: () => this.#connection.restart(),
      progressed: (rows) => this.#tell({ firstSync: rows === undefined ? undefined : { rows } }),
      outboxGrew: () => this.#outgoing.wake(),
      failed: (error) => this.#fail(error),
    });
    const digestsOwner = {
      hasAllUpTo: () => this.#incoming.hasAllUpTo,
      startOver: () => this.#incoming.startOver(),
      send: (message: Parameters<Connection['send']>[0]) => void this.#connection.send(message),
      repaired: (rows: number) => this.#tellRepaired(rows),
      outboxGrew: () => this.#outgoing.wake(),
      failed: (error: unknown) => this.#fail(error),
    };
    this.#digests = new Digests(this.#context, digestsOwner, options.digestPace);
    this.#documents = new OpenDocuments(this.#context, this.#fold, {
      tell: (news) => options.tell?.(news),
      outboxGrew: () => this.#outgoing.wake(),
      failed: (error) => this.#fail(error),
    });
  }

  get status(): SyncStatus {
    return this.#status;
  }

  /** Resolves when what earlier runs have left is known, and everything is under way. */
  async start(isOnline: boolean): Promise<void> {
    const { store, outbox, held, runs, clientId } = this.#context;
    await runs.begin(store, outbox.writer, clientId);
    await Promise.all([outbox.load(store), held.load(store), this.#incoming.load()]);
    await this.#context.inTurn(() => adoptCollections(this.#context, this.#fold));
    if (this.#isEnded) return;
    this.#stopWatch = store.watch(
      SYNC_CHANGES,
      () => this.#wakeFold(),
      (error) => this.#fail(error),
    );
    this.#tellHeld();
    this.#documents.start();
    this.#wakeFold();
    if (!isOnline) this.#connection.hint('offline');
    this.#connection.start();
  }

  stop(): void {
    this.#isEnded = true;
    this.#stopWatch();
    this.#documents.stop();
    this.#connection.stop();
  }

  network(isOnline: boolean): void {
    this.#connection.hint(isOnline ? 'online' : 'offline');
  }

  /** From a tab. */
  heard(news: SyncNews): void {
    if (news.type === 'document') this.#documents.heard(news);
  }

  /** Connect and push now, whatever the delay was to be. */
  hurry(): void {
    this.#connection.retry();
    this.#outgoing.wake();
  }

  #welcomed(welcome: Welcome): void {
    const { limits } = this.#context;
    limits.frameBytesMax = welcome.frameBytesMax;
    limits.batchBytesMax = welcome.batchBytesMax;
    this.#outgoing.connected();
    this.#incoming.connected(welcome);
    this.#digests.connected(welcome.version);
    this.#options.presence?.connected((frame) => this.#connection.carry(frame));
  }

  #received(message: RelayMessage, bytes: number): void {
    switch (message.type) {
      case 'ack':
        return this.#outgoing.acknowledged(message);
      case 'deliver':
        return this.#incoming.delivered(message, bytes);
      case 'row-page':
        return this.#incoming.toldRows(message, bytes);
      case 'beat':
        return this.#incoming.beat(message);
      case 'digests':
      case 'state-page':
        return this.#digests.told(message);
      case 'refuse':
        return this.#refused(message);
      case 'welcome':
        // Said once, and taken by the connection.
        return;
      default:
        return unreachable(message);
    }
  }

  #refused(refuse: Refuse): void {
    if (refuse.code === 'epoch-changed') this.#connection.restart();
    else if (refuse.about === FRAME.push) this.#outgoing.refused(refuse);
    else if (refuse.about === FRAME.digest || refuse.about === FRAME.states) this.#digests.refused(refuse);
    else this.#incoming.refused(refuse);
  }

  #tellRepaired(rows: number): void {
    const before = this.#status.repaired?.rows ?? 0;
    this.#tell({ repaired: { rows: before + rows, lastAt: this.#context.platform.wallClock() } });
  }

  #tellHeld(): void {
    const { held } = this.#context;
    this.#tell({ heldAside: held.size > 0 ? held.first(HELD_NAMED_MAX) : undefined });
  }

  #wakeFold(): void {
    this.#isFoldWanted = true;
    if (this.#isFolding || this.#isEnded) return;
    this.#isFolding = true;
    this.#foldAll().then(
      () => {
        this.#isFolding = false;
        if (this.#isFoldWanted) this.#wakeFold();
      },
      (error) => this.#fail(error),
    );
  }

  async #foldAll(): Promise<void> {
    while (this.#isFoldWanted && !this.#isEnded) {
      this.#isFoldWanted = false;
      while (!this.#isEnded && (await this.#context.inTurn(() => this.#fold.step()))) this.#outgoing.wake();
    }
  }

  #fail(error: unknown): void {
    if (this.#isEnded) return;
    this.stop();
    this.#options.onFailed(error);
  }

  #tell(part: Partial<SyncStatus>): void {
    this.#status = { ...this.#status, ...part };
    if (!this.#isEnded) this.#options.onStatus(this.#status);
  }
}

function connectionStatus(state: ConnectionState): Pick<SyncStatus, 'connection' | 'reason'> {
  const reason = (code: string, message: string): { readonly reason: Refusal } => ({ reason: { code, message } });
  switch (state.type) {
    case 'open':
      return { connection: 'online', reason: undefined };
    case 'connecting':
      // After a failure the reason of it stays until the connection is there.
      return state.attempt > 1 ? { connection: 'connecting' } : { connection: 'connecting', reason: undefined };
    case 'waiting':
      return { connection: 'offline', ...reason('sync/unreachable', state.why) };
    case 'offline':
      return { connection: 'offline', ...reason('sync/no-network', 'The browser is offline.') };
    case 'refused':
      return {
        connection: 'refused',
        ...reason(`sync/${state.code}`, `${state.text.replace(/\.?$/, '.')} ${state.hint}`),
      };
    case 'stopped':
      return { connection: 'offline', reason: undefined };
  }
}
