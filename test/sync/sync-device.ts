/** A device: a real engine on memory storage, and a sync session beside it that talks with it over a port. */
import { WebSocket } from 'ws';
import { createPlatform } from '../../src/base/platform.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { Link } from '../../src/client/link.ts';
import type { CollectionSpec } from '../../src/protocol/definition.ts';
import { decodeRelayMessage, encodeMessage, FRAME, type RelayMessage } from '../../src/protocol/sync/index.ts';
import {
  SYNC_CHANGES,
  SYNC_CONFLICTS,
  SYNC_META,
  SYNC_OUTBOX,
  SYNC_STATES,
  type SyncedCollection,
  type SyncNews,
  type SyncStatus,
} from '../../src/protocol/sync-worker.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { PortServer, type ServeOptions } from '../../worker/engine/port-server.ts';
import { createMemoryImage, type MemoryImage } from '../../worker/storage/index.ts';
import type { DigestPace } from '../../worker/sync/digests.ts';
import type { SocketEvents, SyncPlatform, SyncSocket } from '../../worker/sync/platform.ts';
import type { PresenceCarrier } from '../../worker/sync/presence.ts';
import { SyncSession } from '../../worker/sync/session.ts';
import { StoreClient, type StoreVerbs } from '../../worker/sync/store-client.ts';
import type { AskPage } from '../../worker/sync/sync-context.ts';
import { createSocketOpener } from '../../worker/sync/web-socket.ts';
import { collection, openOnImage } from '../engine/engine-fixture.ts';

const WAIT_MS = 20_000;

export const nodeSyncPlatform = (): SyncPlatform => ({
  ...createPlatform(),
  openSocket: createSocketOpener(WebSocket as never),
});

export type DeviceOptions = {
  readonly collections?: readonly SyncedCollection[];
  readonly specs?: readonly CollectionSpec[];
  readonly url?: string;
  readonly askPage?: AskPage;
  readonly token?: (refused: string | undefined) => Promise<string>;
  readonly platform?: SyncPlatform;
  readonly image?: MemoryImage;
  readonly presence?: PresenceCarrier;
  readonly digestPace?: Partial<DigestPace>;
  readonly tell?: (news: SyncNews) => void;
};

/** A row, or undefined for one that is deleted. */
export type LocalWrite = readonly [collection: string, key: Key, row: Row | undefined];

export class SyncDevice {
  readonly image: MemoryImage;
  readonly statuses: SyncStatus[] = [];
  readonly failures: unknown[] = [];
  /** Messages of the relay that do not arrive. */
  losing: ((message: RelayMessage) => boolean) | undefined;
  /** Batches that this device would push are lost on their way. */
  holdsPushes = false;
  engine!: Engine;
  /** As the page has it. */
  page!: StoreClient;
  /** What the application does not see. What is written through it is not marked. */
  inside!: StoreClient;
  session: SyncSession | undefined;
  readonly #options: DeviceOptions;
  #heard: ((bytes: Uint8Array) => void) | undefined;
  #closers: (() => void)[] = [];

  private constructor(options: DeviceOptions) {
    this.#options = options;
    this.image = options.image ?? createMemoryImage();
  }

  static async open(options: DeviceOptions = {}): Promise<SyncDevice> {
    const device = new SyncDevice(options);
    await device.openEngine();
    if (options.url !== undefined) await device.startSync();
    return device;
  }

  get collections(): readonly SyncedCollection[] {
    return this.#options.collections ?? [{ name: 'tasks', key: 'id', fields: {} }];
  }

  async openEngine(): Promise<void> {
    const specs = this.collections.map(({ name, key, fields }) => {
      const given = this.#options.specs?.find((spec) => spec.name === name) ?? collection(name, [], { key });
      return { ...given, sync: true, fields };
    });
    this.engine = await openOnImage(this.image, specs);
    this.page = this.#connect({});
    this.inside = this.#connect({ isSync: true });
  }

  async startSync(url: string = this.#options.url!): Promise<SyncSession> {
    const platform = this.#options.platform ?? nodeSyncPlatform();
    const session = new SyncSession({
      platform: {
        ...platform,
        openSocket: (to, events) => this.#holding(platform.openSocket(to, this.#listen(events))),
      },
      store: this.#connect({ isSync: true }),
      storeName: 'app',
      url,
      collections: this.collections,
      presence: this.#options.presence,
      digestPace: this.#options.digestPace,
      tell: this.#options.tell,
      token: this.#options.token ?? (async () => ''),
      askPage: this.#options.askPage,
      onStatus: (status) => this.statuses.push(status),
      onFailed: (error) => this.failures.push(error),
    });
    this.session = session;
    await session.start(true);
    return session;
  }

  #holding(socket: SyncSocket): SyncSocket {
    const send = (bytes: Uint8Array): void => {
      if (!this.holdsPushes || bytes[0] !== FRAME.push) socket.send(bytes);
    };
    return { bufferedBytes: 0, send, close: () => socket.close() };
  }

  #listen(events: SocketEvents): SocketEvents {
    this.#heard = (bytes) => events.onFrame(bytes);
    const onFrame = (bytes: Uint8Array): void => {
      const isLost = bytes[0]! >= 100 && this.losing?.(decodeRelayMessage(bytes)) === true;
      if (!isLost) events.onFrame(bytes);
    };
    return { onOpen: () => events.onOpen(), onFrame, onClose: (code, reason) => events.onClose(code, reason) };
  }

  /** As a browser that is killed: what was answered is in the image, and nothing else of it goes on. */
  async crash(): Promise<void> {
    this.killSync();
    for (const close of this.#closers.splice(0)) close();
    await this.openEngine();
  }

  /** As a worker that is ended at once: what it had begun at the engine is rolled back. */
  killSync(): void {
    this.session?.stop();
    this.session = undefined;
    for (const close of this.#closers.splice(2)) close();
  }

  /** One row, as it is and as it becomes. */
  change(key: Key, become: (row: Row) => Row, name = 'tasks'): Promise<void> {
    return this.page.transaction(async (tx) => {
      const [row] = await tx.getMany(name, [key]);
      if (row !== undefined) await tx.put(name, [become(row)]);
    });
  }

  /** As if the relay had said it. */
  say(message: RelayMessage): void {
    this.#heard?.(encodeMessage(message));
  }

  /** Takes from one row and gives to another. */
  transfer(from: string, to: string, amount: number, name = 'tasks'): Promise<void> {
    return this.page.transaction(async (tx) => {
      const [giver, taker] = (await tx.getMany(name, [from, to])) as { id: string; amount: number }[];
      await tx.put(name, [
        { ...giver, amount: giver!.amount - amount },
        { ...taker, amount: taker!.amount + amount },
      ]);
    });
  }

  /** One commit of the application. */
  write(...writes: readonly LocalWrite[]): Promise<void> {
    return this.page.transaction(async (tx) => {
      for (const [name, key, row] of writes) {
        if (row === undefined) await tx.delete(name, [key]);
        else await tx.put(name, [row]);
      }
    });
  }

  put(...rows: readonly Row[]): Promise<void> {
    return this.write(...rows.map((row) => ['tasks', row['id'] as Key, row] as const));
  }

  rows(name = 'tasks'): Promise<readonly Row[]> {
    return this.page.find(name);
  }

  async row(key: Key, name = 'tasks'): Promise<Row | undefined> {
    return (await this.page.getMany(name, [key]))[0];
  }

  hidden(name: 'changes' | 'states' | 'outbox' | 'meta' | 'conflicts'): Promise<readonly Row[]> {
    const names = {
      changes: SYNC_CHANGES,
      states: SYNC_STATES,
      outbox: SYNC_OUTBOX,
      meta: SYNC_META,
      conflicts: SYNC_CONFLICTS,
    };
    return this.inside.find(names[name]);
  }

  /** What the application would be told is not saved. */
  async unsaved(): Promise<number> {
    return (await this.hidden('changes')).length + (await this.hidden('outbox')).length;
  }

  /** Waits until everything is acknowledged. */
  saved(): Promise<void> {
    return until(
      async () => (await this.unsaved()) === 0,
      `${JSON.stringify(this.session?.status)} to be saved`,
      () => this.failures[0],
    );
  }

  async close(): Promise<void> {
    this.killSync();
    for (const close of this.#closers.splice(0)) close();
    await this.engine.close();
  }

  #connect(options: ServeOptions): StoreClient {
    const { port1, port2 } = new MessageChannel();
    const server = new PortServer(this.engine, port2 as never, options);
    const link = new Link(port1, createPlatform(), () => {});
    this.#closers.push(() => {
      server.stop();
      link.close(new StoreError('store/closed', 'The test has ended it.'));
    });
    return new StoreClient(link);
  }
}

/** Polls until it is true. Fails with what was waited for, or with what has gone wrong meanwhile. */
export async function until(
  isTrue: () => Promise<boolean> | boolean,
  what: string,
  failure: () => unknown = () => undefined,
): Promise<void> {
  const end = Date.now() + WAIT_MS;
  while (!(await isTrue())) {
    if (failure() !== undefined) throw failure();
    if (Date.now() > end) throw new Error(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export type { StoreVerbs };
