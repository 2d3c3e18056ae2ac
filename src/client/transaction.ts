/**
 * The page's part of transactions, loaded with the first one: it runs the application's function, commits, and runs it
 * again after a lost race. It has no parts of the client of its own: what it needs is handed over, by position, since
 * the build shortens names in each file apart.
 */
import type { Platform } from '../base/platform.ts';
import type { Key } from '../base/row.ts';
import type { StoreError } from '../base/store-error.ts';
import type { Durability, DurabilityGiven, KeyName, RetryAdvice } from '../protocol/engine-api.ts';
import type { Call } from '../protocol/messages.ts';
import type { KeyOf, Typed } from '../schema/definition.ts';
import type { Collection } from './collection.ts';
import type { CollectionOf, Definitions, RowsOf } from './definitions.ts';
import type { Request } from './link.ts';

export type TransactionOptions = {
  /** Of all that it stores. Default: the store's. */
  readonly durability?: Durability | undefined;
  /** How often it is run again when it has lost a race. Default: 10. */
  readonly retries?: number | undefined;
  /** For all of its runs. Default: 10 s. */
  readonly timeoutMs?: number | undefined;
  /** Refuses writes and locks; never loses a race. */
  readonly readOnly?: boolean | undefined;
  /** Called before the promise resolves, with what was given: it may be less than what was asked for. */
  readonly onCommitted?: ((commit: { readonly durability: DurabilityGiven }) => void) | undefined;
};

declare const SAVEPOINT: unique symbol;
/** A place in the writes of one run of one transaction. */
export type Savepoint = number & { readonly [SAVEPOINT]: true };

/** What a transaction has of a collection. */
export type CollectionInside<D, All> = Pick<
  CollectionOf<D, All>,
  Extract<
    keyof CollectionOf<D, All>,
    | 'create'
    | 'put'
    | 'createMany'
    | 'get'
    | 'getMany'
    | 'update'
    | 'updateMany'
    | 'delete'
    | 'deleteMany'
    | 'find'
    | 'findOne'
    | 'count'
    | 'distinct'
    | 'aggregate'
  >
>;

/** Keys of a collection, by its definition. */
export type KeyIn<D> = D extends Typed<infer T extends object, infer _In, infer K> ? KeyOf<T, K> : Key;

/** Names of a transaction's own calls go before collections of that name, which `collection` gives. */
export type Transaction<C extends Definitions = Definitions> = {
  readonly [Name in Exclude<keyof C, keyof TransactionCalls<C>>]: CollectionInside<C[Name], RowsOf<C>>;
} & TransactionCalls<C>;

export interface TransactionCalls<C extends Definitions> {
  collection<Name extends keyof C & string>(name: Name): CollectionInside<C[Name], RowsOf<C>>;
  /** A place to go back to. */
  savepoint(): Promise<Savepoint>;
  /** Undoes what was written since. Savepoints that were made since are gone. */
  rollbackTo(savepoint: Savepoint): Promise<void>;
  /**
   * Waits until no other transaction holds this key, and keeps them from it until the end. Best before anything is read:
   * what was read must not have changed meanwhile. `transaction/deadlock` when it would wait for ever.
   */
  lock<Name extends keyof C & string>(collection: Name, key: KeyIn<C[Name]>): Promise<void>;
}

/** Collections of the store, or as a transaction has them. */
export type BindCollections = (tx?: number) => ReadonlyMap<string, Collection>;

const RETRIES_DEFAULT = 10;
const TIMEOUT_MS_DEFAULT = 10_000;
/** The longest pause before another run. */
const PAUSE_MS_MAX = 32;
/** Beyond the transaction's time: the engine's own answer to its end comes first. */
const GRACE_MS = 5_000;
/** A commit may have to wait until a leader that is frozen has been replaced, and then to be asked after. */
const COMMIT_TIMEOUT_MS = 60_000;

type Send = (call: Call, request?: Pick<Request, 'options' | 'timeoutMs'>) => Promise<unknown>;

/** `ErrorOfStore` is the class that the application knows. */
export async function transact<C extends Definitions, R>(
  bind: BindCollections,
  request: Send,
  { now, random }: Pick<Platform, 'now' | 'random'>,
  startTimer: Platform['setTimer'],
  ErrorOfStore: typeof StoreError,
  run: (tx: Transaction<C>) => R | Promise<R>,
  options: TransactionOptions = {},
): Promise<R> {
  const { onCommitted, ...asked } = options;
  const { retries = RETRIES_DEFAULT, timeoutMs = TIMEOUT_MS_DEFAULT } = asked;
  const end = now() + timeoutMs;
  // The engine ends what takes too long, and says why. This is for one that says nothing any more (T6).
  const send: Send = (call, more) => request(call, { timeoutMs: Math.max(0, end - now()) + GRACE_MS, ...more });
  const late = (): StoreError =>
    new ErrorOfStore('transaction/timeout', `The transaction was not finished within ${timeoutMs} ms.`, {
      details: { timeoutMs },
      hint: 'Nothing of it was stored. Await nothing slow inside of a transaction, or give it more timeoutMs.',
    });
  let locks: readonly KeyName[] | undefined;
  let attempts = 0;
  for (;;) {
    attempts += 1;
    const leftMs = attempts === 1 ? timeoutMs : end - now();
    if (leftMs <= 0 && attempts > 1) throw late();
    const call: Call = ['begin', 0, { ...asked, timeoutMs: leftMs, locks } as object];
    const begun = send(call);
    const number = call[1];
    await begun;
    let lost: unknown;
    try {
      const value = await within(() => run(handle(number)), leftMs);
      await commit(number);
      return value;
    } catch (error) {
      // Whatever the application has made of it: only the engine knows whether a race was lost, or another leads now.
      const advice = (await send(['rollback', 0, number]).catch((refused) => {
        const none = locksIn(refused);
        return none && { locks: none };
      })) as RetryAdvice;
      locks = advice?.locks ?? locksIn(error);
      if (locks === undefined) throw error;
      lost = error;
    }
    if (attempts > retries) throw told(lost);
    await new Promise<void>((wake) => startTimer(wake, pauseMs()));
  }

  /** What is about to be stored is not ended by the transaction's time. */
  async function commit(number: number): Promise<void> {
    try {
      await send(['commit', 0, number], { options: { onCommitted }, timeoutMs: COMMIT_TIMEOUT_MS });
    } catch (error) {
      const { code, message, details } = error as StoreError;
      if (code !== 'call/timeout') throw error;
      throw new ErrorOfStore(code, message, {
        details,
        hint: 'Whether it was stored is unknown: read before you repeat it.',
        cause: error,
      });
    }
  }

  /** What the function answers, or the end of its time. */
  async function within(start: () => R | Promise<R>, leftMs: number): Promise<R> {
    let stop: (() => void) | undefined;
    const timeout = new Promise<never>((_resolve, reject) => {
      stop = startTimer(() => reject(late()), leftMs);
    });
    try {
      return await Promise.race([start(), timeout]);
    } finally {
      stop?.();
    }
  }

  function pauseMs(): number {
    const bytes = new Uint8Array(1);
    random(bytes);
    return (bytes[0]! / 256) * Math.min(2 ** attempts, PAUSE_MS_MAX);
  }

  function told(error: unknown): unknown {
    if (locksIn(error) === undefined) return error;
    const { code, message, details, hint } = error as StoreError;
    return new ErrorOfStore(code, `${message} It was run ${attempts} times.`, {
      details: { ...details, attempts },
      hint,
      cause: error,
    });
  }

  function handle(tx: number): Transaction<C> {
    const collections = bind(tx);
    const calls = {
      collection: (name: string) => {
        const collection = collections.get(name);
        if (collection !== undefined) return collection;
        throw new ErrorOfStore('collection/unknown', `The store has no collection ${JSON.stringify(name)}.`, {
          details: { collection: name },
        });
      },
      savepoint: () => send(['savepoint', 0, tx]),
      rollbackTo: (savepoint: Savepoint) => send(['rollbackTo', 0, tx, savepoint]),
      lock: (name: string, key: Key) => send(['lock', 0, tx, name, key]),
      transaction: () => Promise.reject(nested(ErrorOfStore)),
    };
    return { ...Object.fromEntries(collections), ...calls } as unknown as Transaction<C>;
  }
}

/** Of a commit that lost a race; none of a transaction whose leader's tab was closed. Both are run again. */
function locksIn(error: unknown): readonly KeyName[] | undefined {
  const { code, details } = (error ?? {}) as Partial<StoreError>;
  if (code === 'transaction/interrupted') return [];
  return code === 'transaction/conflict' ? (details!['locks'] as readonly KeyName[]) : undefined;
}

const nested = (ErrorOfStore: typeof StoreError): StoreError =>
  new ErrorOfStore('transaction/nested', 'A transaction is not begun inside of another one.', {
    hint: 'Use tx.savepoint() and tx.rollbackTo() for a part that may be undone.',
  });
