/** What the parts of one collection share. */
import type { StandardSchema } from '../schema/standard-schema.ts';
import type { Link } from './link.ts';
import type { Owner } from './row-problem.ts';

export type CollectionContext = Owner & {
  readonly link: Link;
  /** Only a schema that is a function of the page's: a JSON Schema is the engine's. */
  readonly schema: StandardSchema | undefined;
  readonly createKey: () => string;
};

/** Of what goes on until somebody ends it. */
export const NO_TIMEOUT: number = Number.POSITIVE_INFINITY;
/** Of a long operation, from one sign of its progress to the next: a worker that hangs must not keep its caller for ever. */
export const LONG_TIMEOUT_MS = 600_000;
