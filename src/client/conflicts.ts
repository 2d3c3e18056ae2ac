/**
 * `store.conflicts$`: the inbox of conflicts that were met on this device, and what an application may do about them. A file
 * of its own, loaded when somebody looks. Entries are rows of a hidden collection, so they are the same in every tab; what
 * is done about one is one transaction with its removal (CONF-7).
 */
import { distinctUntilChanged, map, type Observable, shareReplay, switchMap } from 'rxjs';
import type { Platform } from '../base/platform.ts';
import type { Key, Row } from '../base/row.ts';
import type { StoreError, StoreErrorCode } from '../base/store-error.ts';
import type { Call } from '../protocol/messages.ts';
import { type ConflictRow, type PendingNews, type Refusal, SYNC_CONFLICTS } from '../protocol/sync-worker.ts';
import { isStandardSchema } from '../schema/standard-schema.ts';
import type { CollectionContext } from './collection-context.ts';
import type { Request } from './link.ts';
import { prepareRow, Refusal as RowRefusal } from './prepare-row.ts';
import { transact } from './transaction.ts';

export { answerConflict } from './conflict-functions.ts';

/** An entry of the inbox: a conflict that was met on this device. */
export type Conflict = {
  readonly id: number;
  readonly collection: string;
  readonly key: Key;
  /** `manual`: it waits for `resolve`. `merged`: it was decided, and something was dropped. */
  readonly kind: 'manual' | 'merged';
  /** What both sides have changed, or what was dropped. */
  readonly fields: readonly string[];
  /** The document before the own changes, with them, and as the others had it; undefined: it was not there. */
  readonly base: Row | undefined;
  readonly local: Row | undefined;
  readonly remote: Row | undefined;
  /** When it was met, by the clock of this device. */
  readonly at: Date;
  /** Why the application's own function did not decide. */
  readonly reason?: Refusal | undefined;
  /**
   * Stores this document, or deletes it, and removes the entry, in one transaction. A function is given the document as it
   * is now, and may be called again. `conflict/gone` when that was done before.
   */
  resolve(row: Row | undefined | ((now: Row | undefined) => Row | undefined)): Promise<void>;
  /**
   * Puts back what was dropped, as a change that travels, and removes the entry. `conflict/gone` when that was done before,
   * `conflict/nothing-dropped` of one that waits for `resolve`, `conflict/no-document` when the document was deleted since.
   */
  undo(): Promise<void>;
};

/** Entries that are read: more are not kept. */
const ENTRIES_MAX = 1_000;

export type InboxParts = {
  readonly news: Observable<PendingNews>;
  readonly request: (call: Call, request: Request) => Promise<unknown>;
  readonly definitions: Readonly<Record<string, { readonly key?: string | undefined; readonly schema?: unknown }>>;
  readonly platform: Pick<Platform, 'now' | 'random' | 'setTimer'>;
  /** The class that the application knows. */
  readonly ErrorOfStore: typeof StoreError;
};

export function openInbox(parts: InboxParts): Observable<readonly Conflict[]> {
  const inbox = new Inbox(parts);
  return parts.news.pipe(
    map(({ conflicts }) => conflicts),
    distinctUntilChanged(),
    switchMap(async (version) => (version === undefined ? [] : inbox.read())),
    shareReplay({ bufferSize: 1, refCount: true }),
  );
}

/** What a transaction does about an entry. */
type Verbs = {
  get(collection: string, key: Key): Promise<Row | undefined>;
  put(collection: string, row: Row): Promise<unknown>;
  delete(collection: string, key: Key): Promise<unknown>;
};

class Inbox {
  readonly #parts: InboxParts;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  async read(): Promise<readonly Conflict[]> {
    const call: Call = ['page', 0, SYNC_CONFLICTS, {}, { limit: ENTRIES_MAX }];
    const { rows } = (await this.#parts.request(call, {})) as { readonly rows: readonly Row[] };
    return (rows as unknown as readonly ConflictRow[]).map((row) => this.#toConflict(row));
  }

  #toConflict(entry: ConflictRow): Conflict {
    const { base, local, remote, at, dropped, ...rest } = entry;
    return {
      ...rest,
      base: base ?? undefined,
      local: local ?? undefined,
      remote: remote ?? undefined,
      at: new Date(at),
      resolve: (row) => this.#resolve(entry, row),
      undo: () => this.#undo(entry),
    };
  }

  #resolve(entry: ConflictRow, given: Parameters<Conflict['resolve']>[0]): Promise<void> {
    const { collection, key } = entry;
    return this.#settle(entry, async (tx) => {
      const row = typeof given === 'function' ? given(await tx.get(collection, key)) : given;
      if (row === undefined) return tx.delete(collection, key);
      return tx.put(collection, await this.#checked(collection, key, row));
    });
  }

  #undo(entry: ConflictRow): Promise<void> {
    const { collection, key, kind, fields, dropped } = entry;
    return this.#settle(entry, async (tx) => {
      if (kind === 'manual') throw this.#error('nothing-dropped', entry, 'waits for resolve().');
      if (dropped === null) return tx.delete(collection, key);
      const now = await tx.get(collection, key);
      const isWhole = dropped[this.#keyOf(collection)] !== undefined;
      if (now === undefined && !isWhole)
        throw this.#error('no-document', entry, 'is about a document that was deleted since.');
      const row: Record<string, unknown> = { ...(now ?? dropped) };
      for (const field of fields) {
        if (dropped[field] === undefined) delete row[field];
        else row[field] = dropped[field];
      }
      return tx.put(collection, row);
    });
  }

  /** With the removal of the entry, which nobody may have done before. */
  #settle(entry: ConflictRow, run: (tx: Verbs) => Promise<unknown>): Promise<void> {
    const { request, platform, ErrorOfStore } = this.#parts;
    return transact<never, void>(
      (tx) => new Map([[VERBS, verbsOf(request, tx!)]]) as never,
      (call, more = {}) => request(call, more),
      platform,
      platform.setTimer,
      ErrorOfStore,
      async (transaction) => {
        const verbs = (transaction as unknown as { readonly [VERBS]: Verbs })[VERBS];
        if ((await verbs.get(SYNC_CONFLICTS, entry.id)) === undefined) {
          throw this.#error('gone', entry, 'is no longer in the inbox.');
        }
        await run(verbs);
        await verbs.delete(SYNC_CONFLICTS, entry.id);
      },
    );
  }

  async #checked(collection: string, key: Key, row: Row): Promise<Row> {
    const { schema } = this.#parts.definitions[collection] ?? {};
    const field = this.#keyOf(collection);
    const context = { name: collection, key: field, schema: isStandardSchema(schema) ? schema : undefined };
    const prepared = await prepareRow({ ...context, createKey: () => key } as unknown as CollectionContext, row);
    const { ErrorOfStore } = this.#parts;
    if (prepared instanceof RowRefusal) {
      const { code, message, details, hint } = prepared.error;
      throw new ErrorOfStore(code, message, { details, hint });
    }
    if (prepared[field] === key) return prepared;
    throw new ErrorOfStore('conflict/other-key', `The conflict is about ${JSON.stringify(key)} of ${collection}.`, {
      details: { collection, key, given: prepared[field] },
      hint: 'Resolve it with a document that has its key.',
    });
  }

  #keyOf(collection: string): string {
    return this.#parts.definitions[collection]?.key ?? 'id';
  }

  #error(code: string, { id, collection, key }: ConflictRow, text: string): StoreError {
    const { ErrorOfStore } = this.#parts;
    const message = `Conflict ${id} of ${collection} ${JSON.stringify(key)} ${text}`;
    return new ErrorOfStore(`conflict/${code}` satisfies StoreErrorCode, message, { details: { id, collection, key } });
  }
}

const VERBS = 'verbs';

/** Calls inside of a transaction, as the link would send them: its request has other names in its build. */
function verbsOf(request: InboxParts['request'], tx: number): Verbs {
  const send = (inner: Call, more: Request = {}): Promise<unknown> => {
    const call: Call = ['in', 0, tx, inner];
    const answer = request(call, more);
    inner[1] = call[1];
    return answer;
  };
  return {
    get: (collection, key) => send(['get', 0, collection, key]) as Promise<Row | undefined>,
    put: (collection, row) => send(['write', 0, collection, 'put', 1, undefined, false], { rows: [row] }),
    delete: (collection, key) =>
      send(['plain', 0, collection, { type: 'delete', collection, key }, undefined, false, false]),
  };
}
