/**
 * The one error type of the store, the same object on both sides of a thread.
 * A code is `area/reason`, stable for ever; `details` are the facts (collection, key, field, rule);
 * `hint` says what to do. Bugs are assertions, not StoreErrors.
 */
export type StoreErrorCode = `${string}/${string}`;

export type StoreErrorFacts = {
  readonly details?: Readonly<Record<string, unknown>>;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
};

/** A StoreError as plain data, for a message between threads. */
export type StoreErrorWire = {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;
  readonly cause: string | undefined;
};

export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint: string | undefined;

  constructor(code: StoreErrorCode, message: string, facts: StoreErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.details = facts.details ?? {};
    this.hint = facts.hint;
  }
}

/** Details must survive structured clone: whoever throws puts only plain data there. */
export function errorToWire(error: unknown): StoreErrorWire {
  if (error instanceof StoreError) {
    const { code, message, details, hint, cause } = error;
    return { code, message, details, hint, cause: cause === undefined ? undefined : String(cause) };
  }
  // Anything else that reaches a thread's edge is a bug of ours; its text is all that can be trusted to clone.
  return { code: 'engine/bug', message: String(error), details: {}, hint: undefined, cause: undefined };
}

export const errorFromWire = ({ code, message, ...facts }: StoreErrorWire): StoreError =>
  new StoreError(code, message, facts);
