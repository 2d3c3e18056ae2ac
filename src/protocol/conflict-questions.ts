/** What the sync worker asks its page: what a conflict comes to, of the application's own functions. */
import type { Key } from '../base/row.ts';

/** A value that a function is asked for: of a field, or the whole row. */
export type ConflictQuestion = {
  readonly collection: string;
  readonly key: Key;
  /** Undefined: the row. */
  readonly field: string | undefined;
  readonly base: unknown;
  readonly local: unknown;
  readonly remote: unknown;
};

/** What it has said; a reason, when that cannot be used. */
export type ConflictAnswer =
  | { readonly value: unknown }
  | { readonly reason: { readonly code: string; readonly message: string } };
