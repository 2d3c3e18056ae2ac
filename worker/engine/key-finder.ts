/** Which rows an updateMany or deleteMany means, in the head of the trees that it changes. */
import type { Selector } from '../../src/protocol/definition.ts';
import type { CollectionState } from '../indexes/index.ts';
import { PlanScan, planFind, type ReadView } from '../query/index.ts';
import type { StoreState } from '../transactions/index.ts';

/** Encoded keys of the rows that a selector finds. Throws PAGE_MISS, and is then asked again. */
export type FindKeys = (collection: CollectionState, selector: Selector) => readonly string[];

type Surroundings = {
  readonly state: StoreState;
  readonly yieldTask: () => Promise<void>;
  /** Changes with the head that is searched. */
  readonly version: () => number;
};

/** For one call: the scan is kept while pages are missing, so that a repeated preparation goes on where it was. */
export function createKeyFinder({ state, yieldTask, version }: Surroundings): FindKeys {
  let kept: { readonly version: number; readonly scan: PlanScan; readonly found: string[] } | undefined;
  return (collection, selector) => {
    if (kept === undefined || kept.version !== version()) {
      const scan = scanHead({ state, yieldTask }, collection, { selector, sort: [] });
      kept = { version: version(), scan, found: [] };
    }
    const { found, scan } = kept;
    scan.pullNow(
      (key) => found.push(key),
      (stored) => state.wholeRow(stored),
    );
    return found;
  };
}

/** Rows of the head, for whoever is going to change it. */
export function scanHead(
  { state, yieldTask }: Pick<Surroundings, 'state' | 'yieldTask'>,
  collection: CollectionState,
  find: Parameters<typeof planFind>[1],
): PlanScan {
  const view: ReadView = {
    space: state.space,
    stateOf: (index) => (index === undefined ? collection.primary : index.tree).head,
    readBlob: (row) => state.readBlob(row),
    yieldTask,
  };
  return new PlanScan(view, planFind(collection, find));
}
