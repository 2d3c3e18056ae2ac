/** What waits to be written, and what is gathered to be stored together. */
import type { Row } from '../../src/base/row.ts';
import type { CallOrigin, ChangeEvent, Durability, MaybePromise, WriteOutcome } from '../../src/protocol/engine-api.ts';
import type { CollectionState } from '../indexes/index.ts';
import type { PageSpace, Tree, TreeState } from '../pages/index.ts';
import type { BlobWrite } from '../storage/index.ts';
import type { CatalogueChange, Commit } from './commit-format.ts';
import { eventsOf, type PreparedWrite } from './write-task.ts';

export type Task = (
  | {
      readonly type: 'write';
      readonly prepare: () => MaybePromise<PreparedWrite>;
      /** What it creates, when that is one row: neighbours of this kind are done together. */
      readonly creates: SingleCreate | undefined;
      readonly caller: Caller;
    }
  /** Changes trees without a word in the log: what is lost in a crash is done again (index builds, compaction). */
  | {
      readonly type: 'upkeep';
      readonly collection: CollectionState;
      readonly run: () => unknown;
      readonly caller: Caller;
    }
  | { readonly type: 'catalogue'; readonly changes: readonly CatalogueChange[]; readonly caller: Caller }
  /** Only for the log. */
  | { readonly type: 'note'; readonly operations: Commit; readonly isEmpty?: true; readonly caller: Caller }
) & {
  /** Visible and told already, and to be done again. */
  readonly isTold?: true;
};

export type SingleCreate = { readonly collection: string; readonly row: Row };

export type Caller = {
  readonly durability: Durability;
  readonly signal: AbortSignal | undefined;
  readonly origin?: CallOrigin | undefined;
  /** It brings what another device has done. */
  readonly isRemote?: boolean | undefined;
  /** And this device has done it: an editor of a document. */
  readonly isOwn?: boolean | undefined;
  readonly resolve: (outcome: WriteOutcome) => void;
  readonly reject: (error: unknown) => void;
};

export type Member = {
  readonly task: Task;
  readonly value: unknown;
  readonly told: readonly Told[];
  readonly operations: Commit;
  isTold: boolean;
  isAnswered: boolean;
};

/** What listeners of one collection are told of a commit. */
export type Told = {
  readonly collection: string;
  /** Made when they are told, to whoever listens then: listeners may come while the write is being stored. */
  readonly events: () => readonly ChangeEvent[];
};

export const toldOf = (part: PreparedWrite, origin: ChangeEvent['origin']): Told => ({
  collection: part.collection.spec.name,
  events: () => eventsOf(part, origin),
});

export type Group = {
  members: Member[];
  commits: Commit[];
  blobs: BlobWrite[];
  freedBlobs: number[];
  catalogue: CatalogueChange[];
  touched: Set<CollectionState>;
  rows: number;
  isStrict: boolean;
  /** Whether somebody waits for the append; a group of deferred commits alone waits for its timer. */
  isAwaited: boolean;
  /** Trees that a deferred commit made visible already. */
  shown: Set<Tree>;
  /** Members that have not been told yet, in their order. */
  untold: Member[];
};

export type SealedGroup = Group & {
  readonly states: ReadonlyMap<Tree, TreeState>;
  readonly freed: PageSpace['freed'];
  /** Its last commit, by its number in the history. */
  readonly lastCommit: number;
};

/** Whether the page beside this engine was answered what is not stored yet. */
export const isOwnPromise = ({ isAnswered, task }: Member): boolean => isAnswered && task.caller.origin?.isOwn === true;

export function createGroup(): Group {
  return {
    members: [],
    commits: [],
    blobs: [],
    freedBlobs: [],
    catalogue: [],
    touched: new Set(),
    rows: 0,
    isStrict: false,
    isAwaited: false,
    shown: new Set(),
    untold: [],
  };
}

export type CreateTask = Task & { readonly type: 'write'; readonly creates: SingleCreate };

/** From so many neighbours on, one insert of them all is cheaper. */
export const TOGETHER_MIN = 32;
const TOGETHER_MAX = 1_024;

/** The run of single creates in one collection that begins at a position. */
export function createsFrom(queue: readonly Task[], from: number): readonly CreateTask[] {
  const tasks: CreateTask[] = [];
  for (let at = from; at < queue.length && tasks.length < TOGETHER_MAX; at += 1) {
    const task = queue[at]!;
    if (task.type !== 'write' || task.creates === undefined || task.isTold === true) break;
    if (task.caller.signal?.aborted === true || task.creates.collection !== (tasks[0] ?? task).creates?.collection)
      break;
    tasks.push(task as CreateTask);
  }
  return tasks;
}
