/** One kind of live answer: how it is read, patched and told. One operator of this layer implements it once. */
import type { Row } from '../../src/base/row.ts';
import type { ChangeEvent, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { LiveUpdate } from '../../src/protocol/live.ts';
import type { Interest } from '../query/index.ts';

export type Watch = { readonly collection: string; readonly interest: Interest | undefined };

export interface LiveResult {
  /** Whose changes matter. */
  readonly watches: readonly Watch[];
  /**
   * Whether what was read is told, although changes came meanwhile: what is read again for every change would not be
   * told at all while there are writes. What is patched is told only when it is true at that moment.
   */
  readonly tellsEachLoad: boolean;
  /** Whether the answer has to be read anew before it can be told: at first, and when patching has run out of rows. */
  readonly needsLoad: boolean;
  /**
   * Reads the state of the moment of the call. Changes that come meanwhile are held back. Ends early, with any outcome,
   * once `isWanted` says no.
   */
  load(isWanted: () => boolean): MaybePromise<void>;
  /** Takes one change, in commit order. Changes that do not matter may come too. */
  apply(event: ChangeEvent, collection: string): void;
  /** Changes were passed over: what rests on all of them must be read anew. */
  forget(): void;
  /** Takes over what was patched as the newest state. */
  publish(): void;
  /** The newest state: another value whenever it may have changed; undefined before the first `publish`. */
  readonly state: unknown;
  /** The step from a former state, or from nothing, to the newest. Undefined when there is no difference. */
  updateFrom(former: unknown): LiveUpdate | undefined;
  /** The rows of a state; undefined of a count. */
  rowsOf(state: unknown): readonly Row[] | undefined;
}
