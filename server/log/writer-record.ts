/**
 * Which batches of a writer are stored. Usually all up to the last; sequences that were left out are listed, since a
 * batch that comes for one of them later is new.
 */
import { StoreError } from '../../src/base/store-error.ts';

export type WriterRecord = {
  /** The highest sequence that is stored, and its place in the log. */
  readonly last: number;
  readonly logSequence: number;
  /** Sequences below the last that are not stored, ascending. */
  readonly gaps: readonly number[];
  readonly timeMs: number;
};

/** A writer leaves a sequence out when a batch was refused: more of them than this is a fault of the client. */
const GAPS_MAX = 1024;

export const NEW_WRITER: WriterRecord = { last: 0, logSequence: 0, gaps: [], timeMs: 0 };

export function hasStored({ last, gaps }: WriterRecord, writerSequence: number): boolean {
  return writerSequence <= last && !gaps.includes(writerSequence);
}

/** The record with one more batch. Throws `log/sequence-gap` when too many are left out. */
export function withStored(
  record: WriterRecord,
  { writerSequence, logSequence, timeMs }: Omit<WriterRecord, 'last' | 'gaps'> & { readonly writerSequence: number },
): WriterRecord {
  const { last, gaps } = record;
  if (writerSequence < last) {
    return { ...record, gaps: gaps.filter((gap) => gap !== writerSequence), timeMs };
  }
  const skipped = writerSequence - last - 1;
  if (gaps.length + skipped > GAPS_MAX) {
    throw new StoreError('log/sequence-gap', `Batch ${writerSequence} comes after batch ${last}.`, {
      details: { last, sequence: writerSequence, gapsMax: GAPS_MAX },
      hint: 'Push the batches that were left out, or begin as another writer.',
    });
  }
  const added = Array.from({ length: skipped }, (_, index) => last + 1 + index);
  return { last: writerSequence, logSequence, gaps: [...gaps, ...added], timeMs };
}
