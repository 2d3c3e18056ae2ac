/** What callers are told of writes that were not stored. */
import { StoreError } from '../../src/base/store-error.ts';

export const aborted = (): StoreError =>
  new StoreError('call/aborted', 'The call was cancelled before it took effect.');

export function refusalOf(cause: StoreError): StoreError {
  if (cause.code !== 'storage/quota') return cause;
  return new StoreError(
    'storage/quota',
    'The browser gives this site no more space. The write was not stored; what was stored before is intact.',
    {
      details: cause.details,
      cause,
      hint: 'Ask for persistent storage, or free space of this site elsewhere: at a full quota the browser may refuse deletes too.',
    },
  );
}

/** Each says that another writer has written what this one was about to write. */
const SUPERSEDED_CODES: ReadonlySet<string> = new Set([
  'storage/log-collision',
  'storage/generation-mismatch',
  'tabs/lock-stolen',
]);

/** Why nothing more is written after a failure. `isPromiseLost`: deferred writes of the page were answered, and not stored. */
export function poisonOf(
  cause: StoreError,
  { isPromiseLost }: { readonly isPromiseLost: boolean } = { isPromiseLost: false },
): StoreError {
  const lost = isPromiseLost ? { isPromiseLost } : {};
  return SUPERSEDED_CODES.has(cause.code)
    ? new StoreError(
        'engine/superseded',
        'Another writer has taken over this store. Nothing of its data was touched.',
        {
          details: lost,
          cause,
          hint: 'Close this store and open it again.',
        },
      )
    : new StoreError('engine/poisoned', `The store cannot go on after: ${cause.message}`, {
        details: { code: cause.code, ...lost },
        cause,
        hint: 'Close the store and open it again: it recovers to the last stored commit.',
      });
}
