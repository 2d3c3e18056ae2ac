/**
 * What the relay needs of a log, whatever keeps it: a LevelDB beside the process, memory in tests, an engine on other
 * machines later. Adapter authors run test/contracts/relay-log-contract.ts.
 *
 * A store's log is an append-only sequence of batches, 1, 2, 3 ... Its newest batches are kept as they came (the tail);
 * of all batches together, each row's folded state is kept. The log knows nothing of Yjs: states are folded by the relay
 * and handed back here.
 */
import type { RowChange, RowCursor, RowName, WriterId } from '../../src/protocol/sync/index.ts';

/** What one transaction changed, as it will be stored: `changes` as bytes, see row-changes.ts of the protocol. */
export type NewBatch = {
  readonly writer: WriterId;
  /** Counts the batches of the writer. The pair is stored once, however often it is appended. */
  readonly writerSequence: number;
  readonly body: Uint8Array;
};

export type Batch = NewBatch & { readonly sequence: number; readonly timeMs: number };

export type Appended = {
  /** Place in the log; 0 when the batch was stored before, and its place is no longer known. */
  readonly sequence: number;
  readonly isRepeated: boolean;
};

export type RowState = {
  /** The last batch that is folded in, and the row's place in it. */
  readonly at: RowCursor;
  readonly state: Uint8Array;
  /** The row's plain fields as bytes; undefined when they cannot be told from the state. */
  readonly projection: Uint8Array | undefined;
};

export type StoredRow = RowName & RowState;

/** `expectedSequence` is `at.sequence` of the state that was read, 0 for a row without one. */
export type StatePut = StoredRow & { readonly expectedSequence: number };

export type RowsRead = {
  readonly rows: readonly StoredRow[];
  /**
   * No row changed behind the last one. As of batch `through` nothing is missing, and nothing half there unless the last
   * row's `at` is ahead of it: then states were put of which the rest is still to come.
   */
  readonly isComplete: boolean;
  readonly through: number;
};

export interface StoreLog {
  readonly name: string;
  /** Drawn when the store was made; stays as long as nothing that was acknowledged is lost. */
  readonly epoch: string;
  /** Sequence of the last durable batch; 0 before the first. */
  readonly head: number;
  /** The tail holds all batches behind it. */
  readonly floor: number;
  /** All batches up to it are in the states. */
  readonly folded: number;
  readonly rowCount: number;

  /**
   * Resolves once the batch is durable: flushed to disk. Batches get their sequences in the order of calls, and become
   * durable in this order. A rejection with `log/sequence-gap` stored nothing; `log/unavailable` may have stored it, and
   * ends the log: every later append is rejected the same way until it is opened again.
   */
  append(batch: NewBatch): Promise<Appended>;
  /**
   * Batches behind `after`, in order and without a gap, of about `bytesMax` bytes and at least one where there is one.
   * Rejects with `log/trimmed` when the tail begins later.
   */
  read(after: number, bytesMax: number): Promise<readonly Batch[]>;
  /**
   * Calls with each group of batches as it has become durable, in order and without a gap, before its appends resolve.
   * Answers a function that stops it.
   */
  tail(listener: (batches: readonly Batch[]) => void): () => void;

  state(row: RowName): Promise<RowState | undefined>;
  /** States of many rows, in the order asked. */
  states(rows: readonly RowName[]): Promise<readonly (RowState | undefined)[]>;
  /**
   * Puts folded states, all in one write, and moves `folded` to `through`. A put whose `expectedSequence` is no longer
   * true is left out. Need not be durable: what a crash takes is folded again from the tail.
   */
  putStates(puts: readonly StatePut[], through: number): Promise<void>;
  /** Rows behind a cursor in the order of their last changes, of about `bytesMax` bytes and at least one. */
  rows(after: RowCursor, bytesMax: number): Promise<RowsRead>;

  /** Rows with their states behind one, in an order that stays; `through`: the last batch that is folded in. */
  statesAfter(
    row: RowName | undefined,
    countMax: number,
  ): Promise<{ readonly rows: readonly StoredRow[]; readonly isLast: boolean; readonly through: number }>;

  /** Bytes that the tail takes, roughly. */
  tailBytes(): Promise<number>;
  /** Forgets batches up to `upTo`, which must be folded; the last batch always stays. */
  trim(upTo: number): Promise<void>;
  /** Forgets writers whose last batch is older. Answers how many. */
  forgetWriters(beforeMs: number): Promise<number>;
}

export interface RelayLog {
  /** The log of a store, made when there is none. `log/too-many-stores` when there are `STORES_MAX`. */
  open(name: string): Promise<StoreLog>;
  /** Names of all stores, in order. */
  stores(): Promise<readonly string[]>;
  /** Bytes of appends that are not durable yet, for whoever slows senders down. */
  readonly pendingBytes: number;
  /** Why the log has ended, if it has. */
  readonly failure: Error | undefined;
  /** Waits for appends that were made, and lets go of the files. */
  close(): Promise<void>;
}

export type { RowChange, RowCursor, RowName, WriterId };
