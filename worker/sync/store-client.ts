/**
 * The sync worker as a client of the engine: the calls it makes, over the same link as a page's. Rows go as they are:
 * nothing here validates, fills in keys or copies.
 */
import type { Key, Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { type CollectionContext, LONG_TIMEOUT_MS, NO_TIMEOUT } from '../../src/client/collection-context.ts';
import type { Link, Request } from '../../src/client/link.ts';
import { collectRows } from '../../src/client/row-stream.ts';
import { type BindCollections, transact } from '../../src/client/transaction.ts';
import type { Selector } from '../../src/protocol/definition.ts';
import type { ChangeEvent } from '../../src/protocol/engine-api.ts';
import type { RawFind } from '../../src/protocol/find-spec.ts';
import type { Call, PlainWrite } from '../../src/protocol/messages.ts';
import { isHidden } from '../../src/protocol/sync-worker.ts';

/** What a transaction has, and what the store has beside it. Collections are named by strings, hidden ones too. */
export interface StoreVerbs {
  getMany(collection: string, keys: readonly Key[]): Promise<readonly (Row | undefined)[]>;
  /** In the order of keys, unless the options have a sort. */
  find(collection: string, selector?: Selector, find?: RawFind): Promise<readonly Row[]>;
  /** All rows or none. */
  put(collection: string, rows: readonly Row[]): Promise<void>;
  create(collection: string, rows: readonly Row[]): Promise<void>;
  delete(collection: string, keys: readonly Key[]): Promise<void>;
}

/** Rows that are encoded, sent and taken in at once: the engine answers others in between. */
const WRITE_ROWS_MAX = 2_000;
/** Keys of one call. */
const READ_KEYS_MAX = 5_000;
/** A large commit of another device is stored in one go. */
const TRANSACTION_TIMEOUT_MS = 120_000;
/** Rows that others keep changing: it is tried again later, too. */
const RETRIES = 20;

export class StoreClient implements StoreVerbs {
  readonly #link: Link;
  readonly #verbs: StoreVerbs;

  constructor(link: Link) {
    this.#link = link;
    this.#verbs = bind(link, undefined);
  }

  getMany(collection: string, keys: readonly Key[]): Promise<readonly (Row | undefined)[]> {
    return this.#verbs.getMany(collection, keys);
  }

  find(collection: string, selector?: Selector, find?: RawFind): Promise<readonly Row[]> {
    return this.#verbs.find(collection, selector, find);
  }

  /** All rows of it. */
  count(collection: string): Promise<number> {
    return this.#link.request(['count', 0, collection, {}, {}]) as Promise<number>;
  }

  put(collection: string, rows: readonly Row[]): Promise<void> {
    return this.#verbs.put(collection, rows);
  }

  create(collection: string, rows: readonly Row[]): Promise<void> {
    return this.#verbs.create(collection, rows);
  }

  delete(collection: string, keys: readonly Key[]): Promise<void> {
    return this.#verbs.delete(collection, keys);
  }

  /** Serializable; run again when it has lost a race. Answers once it is stored. `isOwn`: BeginOptions. */
  transaction<R>(run: (tx: StoreVerbs) => Promise<R>, more: { readonly isOwn?: true } = {}): Promise<R> {
    const link = this.#link;
    const { platform } = link;
    const bound = (tx?: number) => new Map([[VERBS, bind(link, tx)]]);
    return transact<never, R>(
      // Inside it has verbs for all collections at once.
      bound as unknown as BindCollections,
      link.request.bind(link),
      platform,
      platform.setTimer,
      StoreError,
      (tx) => run((tx as unknown as { readonly [VERBS]: StoreVerbs })[VERBS]),
      { timeoutMs: TRANSACTION_TIMEOUT_MS, retries: RETRIES, ...more },
    );
  }

  /** Calls after each commit that changes the collection. `onEnd`: the engine has ended it; nothing more comes. */
  watch(
    collection: string,
    onChange: (events: readonly ChangeEvent[]) => void,
    onEnd: (error: unknown) => void,
    selector?: Selector,
  ): () => void {
    const link = this.#link;
    const pending = link.open(['subscribe', 0, collection, selector], { timeoutMs: NO_TIMEOUT });
    let isStopped = false;
    pending.onRows = (events) => {
      if (!isStopped) onChange(events as unknown as readonly ChangeEvent[]);
      link.pull(pending);
    };
    pending.promise.catch((error) => {
      if (!isStopped) onEnd(error);
    });
    return () => {
      isStopped = true;
      link.cancel(pending, undefined);
    };
  }
}

const VERBS = 'verbs';

function bind(link: Link, tx: number | undefined): StoreVerbs {
  const context = (collection: string): CollectionContext => ({
    name: collection,
    key: '',
    tx,
    link,
    schema: undefined,
    createKey: () => '',
  });
  const send = (collection: string, call: Call, request: Request = {}): Promise<unknown> =>
    link.request(call, { owner: { name: collection, key: '', tx }, timeoutMs: LONG_TIMEOUT_MS, ...request });
  const write = async (type: 'put' | 'create', collection: string, rows: readonly Row[]): Promise<void> => {
    if (rows.length === 0) return;
    // Outside of a transaction a write in parts would not be whole.
    const size = tx === undefined ? rows.length : WRITE_ROWS_MAX;
    for (let from = 0; from < rows.length; from += size) {
      const part = rows.slice(from, from + size);
      await send(collection, ['write', 0, collection, type, part.length, undefined, false], { rows: part });
    }
  };
  return {
    async getMany(collection, keys) {
      const rows: (Row | undefined)[] = [];
      for (let from = 0; from < keys.length; from += READ_KEYS_MAX) {
        const part = keys.slice(from, from + READ_KEYS_MAX);
        for (const row of await collectRows(context(collection), ['getMany', 0, collection, part], undefined))
          rows.push(row);
      }
      return rows;
    },
    async find(collection, selector = {}, find = {}) {
      const rows = await collectRows(context(collection), ['find', 0, collection, selector, find], undefined);
      return rows as readonly Row[];
    },
    put: (collection, rows) => write('put', collection, rows),
    create: (collection, rows) => write('create', collection, rows),
    async delete(collection, keys) {
      const plain = (request: PlainWrite): Promise<unknown> =>
        send(collection, ['plain', 0, collection, request, undefined, false, false]);
      if (!isHidden(collection) || keys.length === 1) {
        await Promise.all(keys.map((key) => plain({ type: 'delete', collection, key })));
        return;
      }
      for (let from = 0; from < keys.length; from += READ_KEYS_MAX) {
        const $in = keys.slice(from, from + READ_KEYS_MAX);
        await plain({ type: 'deleteMany', collection, selector: { id: { $in } } });
      }
    },
  };
}
