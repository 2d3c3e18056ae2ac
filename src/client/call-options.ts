/** The last argument of calls. */
import type { Durability, DurabilityGiven, Progress } from '../protocol/engine-api.ts';
import type { CallOptions } from './link.ts';

export type WriteOptions = CallOptions & {
  /** Default: the store's. */
  readonly durability?: Durability | undefined;
  /** Called before the promise resolves, with what was given: it may be less than what was asked for. */
  readonly onCommitted?: ((commit: { readonly durability: DurabilityGiven }) => void) | undefined;
};

/** Of long operations. `timeoutMs` is from one sign of progress to the next; 10 minutes unless one is given. */
export type LongOptions = CallOptions & {
  readonly onProgress?: ((progress: Progress) => void) | undefined;
};

export type LongWriteOptions = WriteOptions & LongOptions;
