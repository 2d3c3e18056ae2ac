/** What is told of a row that a find shows: the row itself, parts of it, or the row with rows that belong to it. */
import type { ChangeEvent, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { Projection } from '../query/index.ts';
import type { Watch } from './live-result.ts';
import type { Entry } from './row-order.ts';

export interface RowShape {
  /** Besides those of the find. */
  readonly watches: readonly Watch[];
  /** Whether an entry that was told may be told differently now. */
  readonly hasChanged: boolean;
  /**
   * The entries as they are told: the same object for what has not changed. Undefined when something has to be loaded
   * first; then it is asked again.
   */
  tell(shown: readonly Entry[]): readonly Entry[] | undefined;
  /** Reads what was missing. Ends early, with any outcome, once `isWanted` says no. */
  load(isWanted: () => boolean): MaybePromise<void>;
  /** Takes one change, in commit order. Changes that are known already may come again. */
  apply(event: ChangeEvent, collection: string): void;
  forget(): void;
}

/** Without `include`. */
export class ProjectedRows implements RowShape {
  readonly watches: readonly Watch[] = [];
  readonly hasChanged: boolean = false;
  readonly #projection: Projection;
  readonly #told = new WeakMap<Entry, Entry>();

  constructor(projection: Projection) {
    this.#projection = projection;
  }

  tell(shown: readonly Entry[]): readonly Entry[] {
    return shown.map((entry) => {
      let told = this.#told.get(entry);
      if (told === undefined) {
        told = { ...entry, row: this.#projection.apply(entry.row) };
        this.#told.set(entry, told);
      }
      return told;
    });
  }

  load(): void {}

  apply(): void {}

  forget(): void {}
}
