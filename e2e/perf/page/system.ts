/** What a scenario may ask of a store. One file per system implements it in the way that the system documents as fast. */
import type { TaskDocument } from './task-document.ts';

export type OpenOptions = {
  readonly name: string;
  /** Two secondary indexes, `status` and `project` + `dueAt`, or none. */
  readonly indexes: 'two' | 'none';
  /** `deferred` acknowledges from memory where the system can choose; others ignore it. */
  readonly durability: 'relaxed' | 'deferred';
  /** `manual` keeps the log: only our store knows it, for the recovery scenario. */
  readonly checkpoint: 'auto' | 'manual';
  /** `several`: other tabs have the same database open, and changes of one are seen in the others. */
  readonly tabs: 'one' | 'several';
  /** Address of the system's server: the store is replicated with it, both ways and live. */
  readonly server: string | undefined;
};

export type ProjectGroup = { readonly project: string; readonly total: number; readonly count: number };

export interface Session {
  /** Resolves when the system calls the write done. What that means is in the system's description. */
  insert(document: TaskDocument): Promise<void>;
  /** One call of the application with all documents. */
  insertMany(documents: readonly TaskDocument[]): Promise<void>;
  get(id: string): Promise<unknown>;
  /** Rows of one project with `dueAt` at least `from`, ascending by `dueAt`, at most `limit`. */
  range(project: string, from: number, limit: number): Promise<readonly unknown[]>;
  /**
   * The same as a live query, where the system has them: `onRows` gets the rows at first and after each change of them.
   * Resolves when it has been set up, with a function that ends it.
   */
  liveRange?(
    project: string,
    from: number,
    limit: number,
    onRows: (rows: readonly TaskDocument[]) => void,
  ): Promise<() => void>;
  /** All rows ascending by `dueAt`, at most `limit`, live. Only our store has it. */
  liveFirst?(limit: number, onRows: (rows: readonly TaskDocument[]) => void): Promise<() => void>;
  /**
   * Rows with `priority` at least `from`, of one owner if one is given, in the order of their keys. No index helps.
   */
  filter(from: number, owner: string | undefined): Promise<readonly unknown[]>;
  /** For each project how many documents it has and what their priorities add up to, by the system's own grouping if it has one. */
  groupByProject?(): Promise<readonly ProjectGroup[]>;
  /** Resolves when the first replication is through and the server has everything that was written before the call. */
  synced?(): Promise<void>;
  countAll(): Promise<number>;
  countStatus(status: string): Promise<number>;
  update(id: string, changes: Partial<TaskDocument>): Promise<void>;
  /**
   * One transaction: reads both documents, then takes `amount` from the priority of the first and gives it to the second.
   * Answers how often it had to be run. Of the systems of `transactions`.
   */
  transfer?(from: string, to: string, amount: number): Promise<number>;
  delete(id: string): Promise<void>;
  /** Deletes all documents with one of these values, in one call, and answers how many; of the systems of `delete-many`. */
  deleteByStatus?(statuses: readonly string[]): Promise<number>;
  /** Gives space back where the system can; answers whether it did anything. */
  compact(): Promise<boolean>;
  /** Frames or commits that the last opening replayed, where the system tells. */
  recoveredCommits(): Promise<number | undefined>;
  /** Resolves when everything acknowledged is stored and the store is closed. */
  close(): Promise<void>;
}

export interface System {
  open(options: OpenOptions): Promise<Session>;
}
