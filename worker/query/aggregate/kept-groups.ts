/** Groups that are kept up while rows come and go, and what the stages behind them make of the groups. */
import type { Row } from '../../../src/base/row.ts';
import { Chain } from './chain.ts';
import type { Pipeline } from './pipeline.ts';

export interface KeptGroups {
  /** Rows that pass the pipeline's find. */
  add(rows: readonly Row[]): void;
  /** A row that was added before, as it was then. Answers false when the groups must be given up. */
  remove(row: Row): boolean;
  /** The pipeline's answer for the rows that are in it. */
  rows(): Promise<readonly Row[]>;
}

/**
 * A function that opens the groups of a pipeline; undefined for one that has to be run again after each change: only a
 * grouping that comes right behind a whole find, without other collections, can be kept up row by row.
 */
export function keptGroups({ find, plans, collections }: Pipeline): (() => KeptGroups) | undefined {
  const [first, ...others] = plans;
  const open = first?.groups;
  if (open === undefined || collections.size > 0 || find.skip > 0 || find.limit !== undefined) return undefined;
  return () => {
    const grouping = open();
    return {
      add: (rows) => grouping.add(rows),
      remove: (row) => grouping.remove(row),
      rows: async () => {
        if (others.length === 0) return grouping.rows();
        const chain = new Chain(others, { source: noOtherCollection, rest: () => {} });
        const given = await chain.push(grouping.rows());
        return [...given, ...(await chain.finish())];
      },
    };
  };
}

function noOtherCollection(collection: string): never {
  throw new Error(`A pipeline that reads ${collection} is run again, not kept up.`);
}
