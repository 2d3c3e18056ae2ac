/**
 * What clients saw: transactions over lists that only grow. Every appended value is unique, so a list that was read tells
 * who has written it, and in which order (list-append, as in the literature on checkers of isolation).
 */
export type Append = { readonly type: 'append'; readonly key: string; readonly value: number };
/** The whole list, as it was seen, own appends included. */
export type Read = { readonly type: 'read'; readonly key: string; readonly list: readonly number[] };
export type Operation = Append | Read;

export type Transaction = {
  readonly id: string;
  /** `unknown`: whether it was committed nobody was told. */
  readonly outcome: 'committed' | 'aborted' | 'unknown';
  readonly operations: readonly Operation[];
  /** Whether it began when all others had ended: then it must see all that was committed. */
  readonly isLast?: true;
};

export type AnomalyType =
  /** A value that was appended twice, or that nobody appended. */
  | 'unexplained-value'
  /** What a transaction read does not agree with what it read and appended itself before. */
  | 'internal'
  /** Two reads of one list, neither a beginning of the other: there is no order of its writes. */
  | 'no-order'
  /** A committed append that a later reader of the whole list does not see. */
  | 'lost-append'
  /** Dirty write: a circle of writes. */
  | 'G0'
  /** Aborted read. */
  | 'G1a'
  /** Intermediate read: of a state that its writer went on to change. */
  | 'G1b'
  /** A circle of writes and of reads of them. */
  | 'G1c'
  /** Two that read one state of a list and both appended to it. */
  | 'lost-update'
  /** A circle with one read that was overtaken. */
  | 'G-single'
  /** Two that each read what the other overwrote, of different lists. */
  | 'write-skew'
  /** A circle with several reads that were overtaken. */
  | 'G2-item';

export type Anomaly = {
  readonly type: AnomalyType;
  /** The transactions in it; of a circle in its order. */
  readonly transactions: readonly string[];
  readonly explanation: string;
};

export type EdgeType = 'ww' | 'wr' | 'rw';
/** `to` comes after `from` in every serial order that explains what was seen. */
export type Edge = { readonly from: string; readonly to: string; readonly type: EdgeType; readonly why: string };
