/** What plans are estimated to cost, in units of one row read and judged in the order of keys. Measured in Chromium. */

/** Reading the entry of an index. */
const ENTRY = 1;
/** Looking up a row by its key. */
const LOOKUP = 6;
/** Finding where a range begins. */
const RANGE = 10;
/** Comparing two keys while sorting. */
const KEY_COMPARISON = 0.5;
/** Comparing two rows while sorting. */
const ROW_COMPARISON = 2;

const sortSteps = (rows: number): number => rows * Math.log2(Math.max(2, rows));

/** Rows of the primary tree, in the order of keys. */
export const scanCost = (ranges: number, rows: number): number => ranges * RANGE + rows;

/** Rows in the order of entries. */
export const entriesCost = (ranges: number, rows: number): number => ranges * RANGE + rows * (ENTRY + LOOKUP);

/** Collecting keys. `isAscending`: they come in order. */
export const keysCost = (ranges: number, entries: number, { isAscending }: { isAscending: boolean }): number =>
  ranges * RANGE + entries * ENTRY + (isAscending ? 0 : sortSteps(entries) * KEY_COMPARISON);

export const lookupCost = (rows: number): number => rows * LOOKUP;

/** Sorting rows in memory; those within a limit are kept, the others only compared. */
export const sortCost = (rows: number, kept: number): number =>
  (rows + sortSteps(Math.min(rows, kept))) * ROW_COMPARISON;
