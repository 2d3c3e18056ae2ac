/** The states of a collection's trees that one query reads. */
import type { Row } from '../../src/base/row.ts';
import type { IndexState } from '../indexes/index.ts';
import type { BlobRow, PageSpace, TreeState } from '../pages/index.ts';

export type ReadView = {
  readonly space: PageSpace;
  /** Of an index, or of the primary tree. */
  readonly stateOf: (index: IndexState | undefined) => TreeState;
  /** Loads a row that lives in the blob store. */
  readonly readBlob: (row: BlobRow) => Promise<Row>;
  /** Lets others have the thread. Long scans call it now and then. */
  readonly yieldTask: () => Promise<void>;
};
