/** What crosses a socket between a client's engine and the relay, beside y-websocket's own frames. Data only. */
import type { Key } from '../../base/row.ts';
import type { RefusalCode } from './wire.ts';

/** A row anywhere in a store: the guid of its Y.Doc stands for the same pair. */
export type RowName = { readonly collection: string; readonly key: Key };

/** A Yjs update (version 1) of one row. */
export type RowChange = RowName & { readonly update: Uint8Array };

/** Hex text of the 16 bytes that name a writer. Text, because it is a key of maps on both sides. */
export type WriterId = string;

export type Hello = {
  readonly type: 'hello';
  readonly versionMin: number;
  readonly versionMax: number;
  readonly store: string;
  /** The relay's shared secret. Empty where the relay has none. */
  readonly token: string;
  /** Epoch of the log that the client's cursor belongs to; empty before the first sync. */
  readonly epoch: string;
};
/** A hello that no common version could read further than its versions. */
export type ForeignHello = { readonly type: 'foreign-hello'; readonly versionMin: number; readonly versionMax: number };

/** One part of a batch. A transaction is one batch; the relay stores it when the part without `hasMore` has come. */
export type Push = {
  readonly type: 'push';
  readonly writer: WriterId;
  /** Counts the batches of a writer from 1. */
  readonly sequence: number;
  readonly hasMore: boolean;
  readonly changes: readonly RowChange[];
};
/** Asks for batches behind a cursor. `follow`: once all is told, new batches are delivered as they are stored. */
export type Pull = {
  readonly type: 'pull';
  readonly request: number;
  readonly after: number;
  readonly bytesMax: number;
  readonly follow: boolean;
};
/** Position in the order of last changes: the sequence of the batch that changed a row last, and its place in there. */
export type RowCursor = { readonly sequence: number; readonly ordinal: number };
/** Asks for folded rows that changed behind a cursor. */
export type Rows = {
  readonly type: 'rows';
  readonly request: number;
  readonly after: RowCursor;
  readonly bytesMax: number;
};
export type Beat = { readonly type: 'beat'; readonly head: number };

/** Asks for digests of rows, behind a row in the order that the relay has; undefined for the first. */
export type Digest = {
  readonly type: 'digest';
  readonly request: number;
  readonly after: RowName | undefined;
  readonly rowsMax: number;
};
/** Asks for the states of these rows. */
export type States = { readonly type: 'states'; readonly request: number; readonly rows: readonly RowName[] };

export type ClientMessage = Hello | ForeignHello | Push | Pull | Rows | Beat | Digest | States;

export type Welcome = {
  readonly type: 'welcome';
  readonly version: number;
  /** Drawn when the log was made. A log that was lost comes back under another one. */
  readonly epoch: string;
  /** Sequence of the last stored batch; 0 when there is none. */
  readonly head: number;
  /** Batches behind this cursor can be pulled; older ones are only in the rows. */
  readonly floor: number;
  readonly frameBytesMax: number;
  readonly batchBytesMax: number;
};
export type Ack = {
  readonly writer: WriterId;
  readonly sequence: number;
  /** Where the batch stands in the log; 0 when it was stored before, and its place is no longer known. */
  readonly logSequence: number;
};
export type Acks = { readonly type: 'ack'; readonly acks: readonly Ack[] };
export type Refuse = {
  readonly type: 'refuse';
  readonly code: RefusalCode;
  /** Frame type of what was refused; 0 when that could not be told. */
  readonly about: number;
  /** Sequence of the push, or number of the request; 0 where there is none. */
  readonly request: number;
  /** Whose push it was; empty for anything else. */
  readonly writer: WriterId | '';
  /** Not before that many milliseconds; 0: the same again will be refused again. */
  readonly retryAfterMs: number;
  readonly text: string;
};
export type DeliveredBatch = {
  readonly sequence: number;
  readonly writer: WriterId;
  readonly writerSequence: number;
  /** Absent for a batch that the same connection has pushed: only its place in the log is told. */
  readonly changes: readonly RowChange[] | undefined;
};
export type Deliver = {
  readonly type: 'deliver';
  /** Number of the pull that is answered; 0 for what was stored since. */
  readonly request: number;
  /** False: there is more, to be pulled behind the last sequence. */
  readonly isComplete: boolean;
  readonly head: number;
  readonly batches: readonly DeliveredBatch[];
};
export type FoldedRow = RowName & {
  readonly at: RowCursor;
  /** The row's Yjs state, all batches up to `at.sequence` folded in. */
  readonly state: Uint8Array;
  /** Plain fields in lib0's `any` encoding; undefined when the relay cannot tell them, and the state must be opened. */
  readonly projection: Uint8Array | undefined;
};
export type RowPage = {
  readonly type: 'row-page';
  readonly request: number;
  /** True: all rows were told as they are after batch `through`, and a pull goes on from there. */
  readonly isComplete: boolean;
  readonly through: number;
  /** Rows in the whole store, for a progress bar. */
  readonly rowCount: number;
  readonly rows: readonly FoldedRow[];
};

export type RowDigest = RowName & { readonly digest: Uint8Array };
export type Digests = {
  readonly type: 'digests';
  readonly request: number;
  /** There is no row behind the last one. */
  readonly isLast: boolean;
  /** The digests are of the rows as they are after this batch, and there were so many. */
  readonly through: number;
  readonly head: number;
  /** In the whole store. */
  readonly rowCount: number;
  readonly rows: readonly RowDigest[];
};
/** Some of the rows that were asked for, in their order and one at least; the client asks again for the rest. */
export type StatePage = { readonly type: 'state-page'; readonly request: number; readonly rows: readonly RowChange[] };

export type RelayMessage = Welcome | Acks | Refuse | Deliver | RowPage | Beat | Digests | StatePage;
