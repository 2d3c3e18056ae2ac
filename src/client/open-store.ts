/** `openStore`: checks what the application says, starts the worker and asks it to open, all in one go. */
import { BehaviorSubject } from 'rxjs';
import { createPlatform } from '../base/platform.ts';
import { StoreError } from '../base/store-error.ts';
import { createUuid7 } from '../base/uuid.ts';
import type { Durability } from '../protocol/engine-api.ts';
import type { StoreStatus } from '../protocol/store-status.ts';
import type { PENDING_NEWS, PendingNews } from '../protocol/sync-worker.ts';
import { isStandardSchema } from '../schema/standard-schema.ts';
import { Collection } from './collection.ts';
import type { Definitions } from './definitions.ts';
import type { OpenDocumentOf } from './document.ts';
import { nameFunctions, startWorker } from './engine-worker.ts';
import { CALL_TIMEOUT_MS, Link, within } from './link.ts';
import { offerMigration } from './migration.ts';
import { type Store, StoreBase, timeoutError } from './store.ts';
import { newsOf } from './subscription.ts';
import type { SyncedStoreOptions, SyncMembers, SyncOptions } from './sync.ts';

export type StoreOptions<C extends Definitions> = {
  /** One store of a name per origin; its tabs share it. */
  readonly name: string;
  readonly collections: C;
  /** Default: `relaxed`, which survives a killed browser. */
  readonly durability?: Durability | undefined;
  /** Homes in order of preference. Default: `['indexeddb']`. */
  readonly storage?: readonly ('indexeddb' | 'memory')[] | undefined;
  /** Bytes of documents and indexes that the worker keeps decoded. Default: 32 MB. */
  readonly cacheBytesMax?: number | undefined;
  /**
   * Refuses queries that would read more rows than this because no index serves them: `query/too-many-rows`, which says
   * which index would. Default: no bound. A query may have its own.
   */
  readonly scanRowsMax?: number | undefined;
  /** Default: 30 s. */
  readonly timeoutMs?: number | undefined;
  /** For pages that must load the worker's file from elsewhere. */
  readonly worker?: (() => Worker) | undefined;
  /** Synchronises all collections that do not say `sync: false`. The store then has `sync`. */
  readonly sync?: SyncOptions | undefined;
};

/**
 * Errors after which nothing but opening the store again helps: `engine/poisoned` and `engine/superseded`; `store/outdated`
 * and `store/destroyed`, of another tab.
 */
const POISONS = /^(engine.[ps]|store.[od])/;

/** `S` is undefined for a store that is opened without `sync`. */
export type OpenedStore<C extends Definitions, S> = Store<C> &
  (S extends SyncOptions
    ? SyncMembers & {
        /** The live document of a row, for editors. */
        readonly doc: OpenDocumentOf<C>;
      }
    : unknown);

/** Opens a store, or creates it. Rejects with a `StoreError`; then nothing is left running. */
export async function openStore<const C extends Definitions, S extends SyncOptions | undefined = undefined>(
  options: StoreOptions<C> & { readonly sync?: S },
): Promise<OpenedStore<C, S>> {
  const { name, collections, worker: create, timeoutMs = CALL_TIMEOUT_MS } = options ?? ({} as StoreOptions<C>);
  // Nobody has the store before it has a status.
  const status = new BehaviorSubject({} as StoreStatus);
  const poison = ({ code, message }: StoreError): void => {
    if (status.value.state !== 'closed')
      status.next({ ...status.value, state: 'poisoned', reasons: [`${code}: ${message}`] });
  };
  const platform = createPlatform();
  const { port1, port2 } = new MessageChannel();
  const link = new Link(port1, platform, (error) => {
    if (POISONS.test(error.code)) poison(error);
  });

  let fail!: (error: StoreError) => void;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  const worker = startWorker(create, (cause) => {
    const error = new StoreError('engine/lost', `The worker of store ${name} has failed: ${cause}`, {
      details: { store: name },
      hint: 'Open it again. What was not answered may be stored.',
    });
    poison(error);
    link.close(error);
    worker.thread.terminate();
    fail(error);
  });
  // A wrong timeout is refused by the worker, like all other options.
  const waitMs = timeoutMs > 0 ? timeoutMs : CALL_TIMEOUT_MS;
  const inTime = <T>(call: string, promise: Promise<T>): Promise<T> =>
    within(platform, promise, waitMs, () => timeoutError(call, name, waitMs));
  try {
    const opening = Promise.race([worker.open(toPlainOptions(options), port2), failed]);
    status.next(await inTime('openStore', opening));
    const createKey = createUuid7(platform.wallClock, platform.random);
    const contexts = Object.entries(collections).map(([collection, definition]) => {
      const { key = 'id', schema } = definition;
      const context = { name: collection, key, schema: isStandardSchema(schema) ? schema : undefined, link, createKey };
      if (definition.migrations) offerMigration(context, definition);
      return context;
    });
    const bind = (tx?: number) =>
      new Map(contexts.map((context) => [context.name, new Collection({ ...context, tx })]));
    const request = link.request.bind(link);
    const transaction: StoreBase<C>['transaction'] = async (run, more) => {
      const { transact } = await inTime('transaction', import('./transaction.ts'));
      return transact(bind, request, platform, platform.setTimer, StoreError, run, more);
    };
    const store = new StoreBase<C>(name, link, worker, status, bind(), transaction) as OpenedStore<C, S>;
    if (options.sync) {
      const { addSync } = await inTime('openStore', import('./sync.ts'));
      const news = newsOf<PendingNews>({ link, name: '$sync' satisfies typeof PENDING_NEWS, key: '' });
      addSync(store, options as SyncedStoreOptions, worker.thread, news, request, StoreError);
    }
    return store;
  } catch (cause) {
    const error =
      cause instanceof StoreError
        ? cause
        : new StoreError('engine/bug', `Store ${name} cannot be opened: ${cause}`, { cause });
    link.close(error);
    worker.thread.terminate();
    throw error;
  }
}

/** What may have functions in it: they are the page's. */
const toText = (option: unknown): string | undefined => JSON.stringify(option, nameFunctions);

/** Options without what is the page's own: the worker checks the rest. */
function toPlainOptions(options: Partial<StoreOptions<Definitions>> | undefined): unknown {
  const { worker, collections, sync, ...rest } = options ?? {};
  const entries = Object.entries(collections ?? {}).map(([name, definition]) => [
    name,
    definition instanceof Object
      ? {
          ...definition,
          schema: isStandardSchema(definition.schema) ? undefined : definition.schema,
          migrations: toText(definition.migrations),
          conflict: toText(definition.conflict),
        }
      : definition,
  ]);
  return {
    ...rest,
    sync: sync && { ...sync, token: 0, worker: 0 },
    collections: typeof collections === 'object' ? Object.fromEntries(entries) : collections,
  };
}
