/**
 * What an IndexedDB failure means to the store. The question behind each row is whether the transaction may have been
 * written all the same: only `storage/outcome-unknown` leaves that open, and it poisons the engine.
 */
import { StoreError, type StoreErrorCode } from '../../../src/base/store-error.ts';

export type AbortFacts = {
  readonly write: boolean;
  /** The error of the first request that failed. Without one, the commit itself failed. */
  readonly requestError: DOMException | null;
  /** Object store of that request. */
  readonly source: string | undefined;
  /** The transaction's own error; null when nobody says why (F14). */
  readonly transactionError: DOMException | null;
  /** Whether the database still accepts transactions. */
  readonly isConnected: boolean;
};

const REOPEN = 'Reopen the store.';

export function closedError(reason: string): StoreError {
  return new StoreError('storage/closed', `The database is closed: ${reason}.`, { details: { reason }, hint: REOPEN });
}

/** The error of a transaction that has ended in `abort` without our asking. */
export function abortToError(facts: AbortFacts): StoreError {
  const { write, requestError, source, transactionError, isConnected } = facts;
  const cause = requestError ?? transactionError;
  const name = cause?.name ?? 'none';
  const details = { name, source, reason: cause?.message };
  if (name === 'QuotaExceededError') return quotaError(details, cause);
  if (name === 'ConstraintError') return collisionError(source, details, cause);
  if (!isConnected) {
    if (!write) return closedError('the browser ended the connection');
    return unknownOutcome('The browser ended the connection during a write.', details, cause);
  }
  if (requestError !== null && name !== 'AbortError') {
    return failed(`A request on ${source ?? 'the database'} failed: ${name}.`, details, cause);
  }
  if (cause === null || name === 'AbortError') {
    return failed('The browser aborted the transaction without a reason.', { ...details, name: 'AbortError' }, cause);
  }
  // The disk failed in the middle of a commit: the journal of the database may still replay it at the next start.
  if (write) return unknownOutcome(`The commit failed: ${name}.`, details, cause);
  return failed(`The transaction failed: ${name}.`, details, cause);
}

/** The error of a call that threw before the database took the request. Nothing was written. */
export function thrownToError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const name = nameOf(error);
  const details = { name, reason: error instanceof Error ? error.message : String(error) };
  if (name === 'QuotaExceededError') return quotaError(details, error);
  return failed(`The database refused a request: ${name}.`, details, error);
}

/** The error of a failed `open`. */
export function openToError(error: unknown, database: string): StoreError {
  if (error instanceof StoreError) return error;
  const name = nameOf(error);
  const details = { database, name, reason: error instanceof Error ? error.message : undefined };
  if (name === 'VersionError') {
    return new StoreError('store/newer-version', `${database} was written by a newer version of this package.`, {
      details,
      hint: 'Nothing was changed. Load the newer version of the application.',
      cause: error,
    });
  }
  if (name === 'QuotaExceededError') return quotaError(details, error);
  const hints: Readonly<Record<string, string>> = {
    // Chromium reports a damaged or unreadable backing store so; often the next try succeeds (F1, F6).
    UnknownError: 'The browser cannot read its database files. Try again; if it persists, restart the browser.',
    // A disk that is almost full shows itself so at open (F10).
    AbortError: 'The browser gave up opening, perhaps for want of space. Free some space and try again.',
    InvalidStateError: 'This browser mode (a private window?) does not offer IndexedDB.',
    SecurityError: 'The browser does not allow storage here. Check cookie and site data settings.',
  };
  return new StoreError('storage/open-failed', `${database} cannot be opened: ${name}.`, {
    details,
    hint: hints[name] ?? 'Try again.',
    cause: error,
  });
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'none';
}

function quotaError(details: Readonly<Record<string, unknown>>, cause: unknown): StoreError {
  return new StoreError('storage/quota', 'The browser has no space left for this site. Nothing was written.', {
    details,
    hint: 'Delete data or free disk space, then try again.',
    cause,
  });
}

function collisionError(
  source: string | undefined,
  details: Readonly<Record<string, unknown>>,
  cause: unknown,
): StoreError {
  const code: StoreErrorCode =
    source === 'pages'
      ? 'storage/page-collision'
      : source === 'blobs'
        ? 'storage/blob-collision'
        : 'storage/log-collision';
  return new StoreError(
    code,
    `Another writer has this store: a record of ${source ?? 'log'} exists. Nothing was written.`,
    {
      details,
      hint: REOPEN,
      cause,
    },
  );
}

function failed(message: string, details: Readonly<Record<string, unknown>>, cause: unknown): StoreError {
  return new StoreError('storage/failed', message, { details, hint: 'Nothing was written. Try again.', cause });
}

function unknownOutcome(message: string, details: Readonly<Record<string, unknown>>, cause: unknown): StoreError {
  return new StoreError('storage/outcome-unknown', message, {
    details,
    hint: 'The write may or may not be stored. Reopen the store to see.',
    cause,
  });
}
