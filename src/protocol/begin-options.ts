/** Checks what a page says of a transaction. Runs in the worker. */
import { StoreError } from '../base/store-error.ts';
import { checkOptions } from './check-options.ts';
import type { BeginOptions, Durability, KeyName } from './engine-api.ts';

/** How long a transaction may take with all its attempts, unless it says otherwise. */
const TIMEOUT_MS_DEFAULT = 10_000;
/** Longer timers overflow. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
/** Locks that may be asked for with the beginning. */
const BEGIN_LOCKS_MAX = 1_000;

/** Checks what a page has sent. */
export function toBeginOptions(raw: object): BeginOptions {
  const known = ['readOnly', 'durability', 'retries', 'timeoutMs', 'onCommitted', 'locks', 'isOwn'];
  checkOptions(raw, known, [], 'transaction', {});
  const {
    readOnly = false,
    durability,
    retries = 0,
    timeoutMs = TIMEOUT_MS_DEFAULT,
    locks = [],
    isOwn,
  } = raw as Options;
  if (typeof readOnly !== 'boolean') throw refusal('readOnly', readOnly, 'It is true or false.');
  if (readOnly && durability !== undefined) {
    throw refusal('durability', durability, 'A transaction that is readOnly stores nothing: leave out one of them.');
  }
  if (durability !== undefined && !['strict', 'relaxed', 'deferred'].includes(durability as string)) {
    throw refusal('durability', durability, "It is 'strict', 'relaxed' or 'deferred'.");
  }
  if (!Number.isSafeInteger(retries) || (retries as number) < 0) {
    throw refusal('retries', retries, 'It is a whole number of 0 or more.');
  }
  if (!(typeof timeoutMs === 'number' && timeoutMs > 0)) {
    throw refusal('timeoutMs', timeoutMs, 'It is a number above 0.');
  }
  return {
    readOnly,
    durability: durability as Durability | undefined,
    timeoutMs: Math.min(timeoutMs, TIMEOUT_MS_MAX),
    isOwn: isOwn === true,
    locks: (locks as readonly KeyName[]).slice(0, BEGIN_LOCKS_MAX),
  };
}

type Options = { readonly [option in keyof BeginOptions | 'retries']?: unknown };

const refusal = (option: string, value: unknown, hint: string): StoreError =>
  new StoreError('transaction/invalid-option', `transaction: ${option} must not be ${String(value)} here.`, {
    details: { option, value: String(value) },
    hint,
  });
