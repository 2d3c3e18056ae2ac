/**
 * `store.sync`: the page's part of synchronisation, loaded when a store is opened with it. It starts the sync worker while
 * this tab leads, gives it the application's tokens, and tells the application what the sync worker and the engine say.
 * What it needs of the client is handed over, by position, since the build shortens names in each file apart.
 */
import {
  BehaviorSubject,
  combineLatest,
  defer,
  distinctUntilChanged,
  filter,
  firstValueFrom,
  map,
  type Observable,
  shareReplay,
  skip,
  startWith,
  switchMap,
} from 'rxjs';
import { createPlatform } from '../base/platform.ts';
import type { Key } from '../base/row.ts';
import type { StoreError, StoreErrorCode } from '../base/store-error.ts';
import { conflictNames } from '../protocol/conflict-options.ts';
import type { LeadingMessage, SyncPortMessage } from '../protocol/control.ts';
import type { FieldTypes } from '../protocol/field-types.ts';
import type { Call } from '../protocol/messages.ts';
import type {
  PageMessage,
  PendingNews,
  Relay,
  SyncMessage,
  SyncNews,
  SyncStart,
  SyncStatus,
} from '../protocol/sync-worker.ts';
import type { TabInfo } from '../protocol/tabs.ts';
import type { Conflict } from './conflicts.ts';
import type { DocumentOptions, DocumentsOfTab, LiveDocument } from './document.ts';
import type { CallOptions, Request } from './link.ts';
import { createPresence, type Presence } from './presence.ts';

export type SyncOptions = {
  /** Relays of which one is used: the one with the lowest priority number, else in the order in which they are named. */
  readonly relays: readonly { readonly url: string; readonly priority?: number | undefined }[];
  /** What the relay is shown. A function is asked before each connection, and may take TOKEN_TIMEOUT_MS. */
  readonly token?: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  /** For pages that must load the sync worker's file from elsewhere. */
  readonly worker?: (() => Worker) | undefined;
};

export type SyncState = SyncStatus & {
  /** Own changes that the relay has refused for good, with its reasons; the first of them. They stay in the store. */
  readonly unsynced: PendingNews['unsynced'];
};

/** The same in every tab of the store. */
export type StoreSync = {
  /** The connection, the first sync, and what could not be synchronised. */
  readonly status$: Observable<SyncState>;
  /** Changes of documents that no relay has acknowledged as durable, from whichever tab. */
  readonly pending$: Observable<number>;
  /** Who else is here. */
  readonly presence: Presence;
  /** Whether everything that was answered before this call is acknowledged as durable. */
  isSaved(): Promise<boolean>;
  /**
   * Resolves when everything that was answered before this call is acknowledged as durable; tries at once to connect.
   * Rejects with `call/timeout`, `call/aborted`, `sync/refused` when the rest of it was refused, and with the reason when the
   * relay refuses the connection, as `sync/unauthorised`.
   */
  flush(options?: CallOptions): Promise<void>;
};

/** What a store has that is opened with `sync`. */
export type SyncMembers = {
  readonly sync: StoreSync;
  /**
   * Conflicts that were met on this device and wait for the application (`manual`), or in which something was dropped:
   * at once, and after each change. At most 200, of 30 days.
   */
  readonly conflicts$: Observable<readonly Conflict[]>;
};

/** How long the application may take for a token. */
const TOKEN_TIMEOUT_MS = 10_000;
/** After a failure of the sync worker, doubled with each up to the longest. */
const RESTART_MS = 1_000;
const RESTART_MS_MAX = 60_000;

type Definition = {
  readonly key?: string | undefined;
  readonly sync?: boolean | undefined;
  readonly fields?: FieldTypes | undefined;
  readonly conflict?: unknown;
  readonly schema?: unknown;
};

/** What the store was opened with. */
export type SyncedStoreOptions = {
  readonly sync: SyncOptions;
  readonly collections: Readonly<Record<string, Definition>>;
};

/** Gives a store its `sync`. */
export function addSync(
  opened: { readonly name: string; readonly tabs$: Observable<readonly TabInfo[]> },
  { sync: options, collections: definitions }: SyncedStoreOptions,
  engine: Worker,
  news: Observable<PendingNews>,
  request: (call: Call, request: Request) => Promise<unknown>,
  // The client's: this file is a build of its own.
  ErrorOfStore: typeof StoreError,
): void {
  const store = opened.name;
  const platform = createPlatform();
  const { setTimer } = platform;
  const name = `collection-store ${store} sync`;
  const channel = new BroadcastChannel(name);
  let isClosed = false;
  const say = (message: SyncNews): void => {
    if (!isClosed) channel.postMessage(message);
  };
  const status = new BehaviorSubject<SyncStatus>({ connection: 'connecting' });
  const { tabs$ } = opened;
  const here = createPresence({ store, say, tabs$, platform, ErrorOfStore });
  channel.onmessage = ({ data }: MessageEvent<SyncNews>) => {
    if (data.type === 'status') status.next(data.status);
    else here.heard(data);
    documents?.heard(data);
  };
  let documents: DocumentsOfTab | undefined;
  const doc = async (collection: string, key: Key, given: DocumentOptions): Promise<LiveDocument> => {
    const { createDocuments } = await import('./document.ts');
    if (isClosed) throw new ErrorOfStore('store/closed', `Store ${store} is closed.`, { details: { store } });
    documents ??= createDocuments({ store, say, platform, ErrorOfStore });
    return documents.open(collection, key, given);
  };
  const shared = news.pipe(shareReplay({ bufferSize: 1, refCount: true }));
  const collections = Object.entries(definitions)
    .filter(([, { sync }]) => sync !== false)
    .map(([collection, { key = 'id', fields = {}, conflict }]) => ({
      ...{ name: collection, key, fields },
      conflict: conflictNames(conflict),
    }));
  const relays = options.relays
    .map(({ url, priority }, at): Relay => ({ url, priority: priority ?? at + 1 }))
    .sort((a, b) => a.priority - b.priority);
  const startWorker = options.worker ?? createWorker;
  let end: (() => void) | undefined;
  let failures = 0;

  const start = (term: number): void => {
    const worker = startWorker();
    const { port1: enginePort, port2: engineEnd } = new MessageChannel();
    const { port1: controlPort, port2: control } = new MessageChannel();
    const tell = (message: PageMessage): void => control.postMessage(message);
    const online = (): void => tell({ type: 'network', isOnline: isOnline() });
    for (const type of NETWORK_EVENTS) globalThis.addEventListener?.(type, online);
    const tabs = tabs$.subscribe({
      next: (all) => tell({ type: 'tabs', tabs: all.map(({ id }) => id) }),
      error: () => {},
    });
    let stopTimer: (() => void) | undefined;
    const stop = (): void => {
      for (const type of NETWORK_EVENTS) globalThis.removeEventListener?.(type, online);
      tabs.unsubscribe();
      control.close();
      worker.terminate();
    };
    end = () => {
      stopTimer?.();
      stop();
    };
    worker.addEventListener('error', ({ message = 'Its script cannot be read.' }) => {
      if (stopTimer !== undefined) return;
      stop();
      status.next({ connection: 'offline', reason: { code: 'sync/lost', message } });
      say({ type: 'status', status: status.value });
      stopTimer = setTimer(() => start(term), Math.min(RESTART_MS * 2 ** failures, RESTART_MS_MAX));
      failures += 1;
    });
    control.onmessage = ({ data }: MessageEvent<SyncMessage>) => {
      const { id } = data;
      if (data.type === 'resolve') {
        void loadConflicts().then(({ answerConflict }) => {
          const answers = data.questions.map((question) => answerConflict(definitions, question));
          tell({ type: 'resolved', id, answers });
        });
        return;
      }
      tokenOf(options.token, setTimer).then(
        (token) => tell({ type: 'token', id, token }),
        (error) => tell({ type: 'no-token', id, message: `${error?.message ?? error}` }),
      );
    };
    const served: SyncPortMessage = { sync: 'port', term, port: engineEnd };
    engine.postMessage(served, [engineEnd]);
    const message: SyncStart = {
      type: 'start',
      store,
      relays,
      collections,
      channel: name,
      isOnline: isOnline(),
      enginePort,
      controlPort,
    };
    worker.postMessage(message, [enginePort, controlPort]);
  };

  engine.addEventListener('message', ({ data }: MessageEvent<Partial<LeadingMessage> | undefined>) => {
    const { leading } = data ?? {};
    if (leading === undefined) return;
    end?.();
    end = undefined;
    if (leading > 0) start(leading);
  });
  // Nobody else says that the engine's worker has ended.
  const { terminate } = engine;
  engine.terminate = () => {
    end?.();
    here.end();
    documents?.end();
    isClosed = true;
    channel.close();
    terminate.call(engine);
  };
  const watch: SyncPortMessage = { sync: 'watch' };
  engine.postMessage(watch);
  say({ type: 'ask' });

  const pending$ = shared.pipe(
    map(({ pending }) => pending),
    distinctUntilChanged(),
  );
  const sync: StoreSync = {
    status$: combineLatest([status, shared.pipe(startWith(NOTHING_YET))]).pipe(
      map(([now, { unsynced }]): SyncState => ({ ...now, unsynced })),
    ),
    pending$,
    presence: here.presence,
    isSaved: async () => (await firstValueFrom(pending$)) === 0,
    async flush(call) {
      const saved = request(['flush', 0], { options: call });
      // Not the refusal that was there before: it is tried again now.
      const refused = status.pipe(
        skip(1),
        filter(({ connection }) => connection === 'refused'),
      );
      const refusal = new Promise<never>((_resolve, reject) => {
        const watching = refused.subscribe(({ reason }) => {
          const { code = 'sync/refused', message = 'The relay has refused it.' } = reason ?? {};
          const text = `Store ${store} is not synchronised: ${message}`;
          reject(new ErrorOfStore(code as StoreErrorCode, text, { details: { store } }));
        });
        saved.catch(() => undefined).finally(() => watching.unsubscribe());
      });
      say({ type: 'flush' });
      await Promise.race([saved, refusal]);
    },
  };
  const conflicts$ = defer(loadConflicts).pipe(
    switchMap(({ openInbox }) => openInbox({ news: shared, request, definitions, platform, ErrorOfStore })),
    shareReplay({ bufferSize: 1, refCount: true }),
  );
  Object.assign(opened, { sync, doc, conflicts$ } satisfies SyncMembers & { readonly doc: unknown });
}

/** Most stores meet no conflict that anybody asks about. */
const loadConflicts = (): Promise<typeof import('./conflicts.ts')> => import('./conflicts.ts');

const NOTHING_YET: Pick<PendingNews, 'unsynced'> = { unsynced: [] };
const NETWORK_EVENTS = ['online', 'offline'];

/** In Node there is no such thing to be asked. */
const isOnline = (): boolean => globalThis.navigator?.onLine !== false;

async function tokenOf(
  token: SyncOptions['token'],
  setTimer: (run: () => void, ms: number) => () => void,
): Promise<string | undefined> {
  if (typeof token !== 'function') return token;
  let stop: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    stop = setTimer(() => reject(new Error(`token() has not answered for ${TOKEN_TIMEOUT_MS} ms.`)), TOKEN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([token(), late]);
  } finally {
    stop?.();
  }
}

/** The worker beside the built client. Bundlers look for exactly this expression, and take the file along. */
const createWorker = (): Worker => new Worker(new URL('./sync-worker.js', import.meta.url), { type: 'module' });
