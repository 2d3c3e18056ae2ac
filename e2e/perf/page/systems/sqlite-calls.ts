/** What the page asks of the SQLite worker. Calls made before an answer arrives are pipelined. */
import type { OpenOptions, Session } from '../system.ts';

export type SqliteCalls = Required<
  Omit<Session, 'recoveredCommits' | 'transfer' | 'synced' | 'insertMany' | 'liveRange' | 'liveFirst'>
> & {
  open(options: OpenOptions): Promise<void>;
  /** As JSON: one string crosses to the worker faster than many objects, and SQLite reads it itself. */
  insertMany(documentsJson: string): Promise<void>;
};
export type SqliteRequest = {
  readonly call: number;
  readonly method: keyof SqliteCalls;
  readonly args: readonly unknown[];
};
export type SqliteReply = { readonly call: number; readonly value?: unknown; readonly error?: string };
