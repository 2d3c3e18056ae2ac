/**
 * One writer for the store. Writes are prepared and applied to the head in the order in which they came, gathered into
 * a group while the former group is being stored, and answered when their own group is.
 *
 * Invariants
 * - Readers see what is stored, and under `deferred` also what was answered from memory (TX-1).
 * - One append is in flight (T2). What failed to be stored leaves no trace: trees go back to the stored state, and
 *   writes that were gathered meanwhile are prepared again (B1).
 * - After an outcome that is not known, or a second writer, nothing more is written (engine/poisoned).
 */
import { assert } from '../../src/base/assert.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { CallOrigin, ChangeEvent, Durability, MaybePromise, WriteOutcome } from '../../src/protocol/engine-api.ts';
import type { CollectionState } from '../indexes/index.ts';

import { BlobRow, PAGE_MISS, type Tree, type TreeState } from '../pages/index.ts';
import type { WalAppended } from '../wal/index.ts';
import { answeredBy } from './answered-calls.ts';
import { aborted, poisonOf, refusalOf } from './commit-errors.ts';
import { type CatalogueChange, encodeCommits, type Operation } from './commit-format.ts';
import { CommitHistory } from './commit-history.ts';
import type { CommitterOptions } from './committer-options.ts';
import { deleteRows } from './delete-rows.ts';
import {
  type Caller,
  type CreateTask,
  createGroup,
  createsFrom,
  type Group,
  isOwnPromise,
  type Member,
  type SealedGroup,
  type SingleCreate,
  type Task,
  TOGETHER_MIN,
  type Told,
  toldOf,
} from './group.ts';
import type { StoreState } from './store-state.ts';
import { applyWrite, operationsOf, type PreparedWrite, partsOf } from './write-task.ts';

/** What `deferred` promises: stored at most this long after the answer, when storage keeps up. */
export const DEFERRED_MS = 20;
/** Writes that may wait for their turn. */
const QUEUE_LENGTH_MAX = 100_000;
/** A group is closed to further writes at about this many rows; the next one gathers them. */
const GROUP_ROWS_MAX = 20_000;

export class Committer {
  readonly history: CommitHistory = new CommitHistory();
  readonly #options: CommitterOptions;
  readonly #state: StoreState;
  #queue: Task[] = [];
  #group: Group = createGroup();
  #inFlight: SealedGroup | undefined;
  #isPreparing = false;
  #isScheduled = false;
  #isHeld = false;
  #cancelTimer: (() => void) | undefined;
  #poison: StoreError | undefined;
  /** The last commit that is stored. */
  #storedCommit = 0;
  #idleWaiters: (() => void)[] = [];
  /** Tasks at the front that could not be done together, and are not to be tried so again. */
  #alone = 0;
  /** Writes to be done again before those of the queue. */
  #retried: readonly Task[] = [];
  /** How often the head went back: what was prepared across such a moment is prepared again. */
  rollbacks = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
    this.#state = options.state;
  }

  get poison(): StoreError | undefined {
    return this.#poison;
  }

  write(
    prepare: () => MaybePromise<PreparedWrite>,
    options: {
      durability: Durability;
      signal: AbortSignal | undefined;
      origin?: CallOrigin | undefined;
      isRemote?: boolean | undefined;
      isOwn?: boolean | undefined;
      creates?: SingleCreate | undefined;
    },
  ): Promise<WriteOutcome> {
    const { creates, ...from } = options;
    return new Promise((resolve, reject) => {
      this.#enqueue({ type: 'write', prepare, creates, caller: { ...from, resolve, reject } });
    });
  }

  /** Runs a change of trees between writes, and answers when what it did is part of the stored state. */
  async upkeep<T>(collection: CollectionState, run: () => T): Promise<T> {
    const { value } = await new Promise<WriteOutcome>((resolve, reject) => {
      this.#enqueue({
        type: 'upkeep',
        collection,
        run,
        caller: { durability: 'relaxed', signal: undefined, resolve, reject },
      });
    });
    return value as T;
  }

  async changeCatalogue(changes: readonly CatalogueChange[]): Promise<void> {
    await new Promise<WriteOutcome>((resolve, reject) => {
      this.#enqueue({
        type: 'catalogue',
        changes,
        caller: { durability: 'strict', signal: undefined, resolve, reject },
      });
    });
  }

  /** Writes operations into the log that change no tree. They do not wait for a checkpoint, which may wait for them. */
  async note(operations: readonly Operation[]): Promise<void> {
    if (this.#poison !== undefined) throw this.#poison;
    await new Promise<WriteOutcome>((resolve, reject) => {
      this.#queue.unshift({
        type: 'note',
        operations,
        caller: { durability: 'relaxed', signal: undefined, resolve, reject },
      });
      this.#schedule();
    });
  }

  /**
   * Takes the next LSN in the log's store, so that a writer before this one that still lives cannot go on (T2): what it
   * appends next collides.
   */
  async fence(): Promise<void> {
    await new Promise<WriteOutcome>((resolve, reject) => {
      const caller: Caller = { durability: 'strict', signal: undefined, resolve, reject };
      this.#enqueue({ type: 'note', operations: [], isEmpty: true, caller });
    });
  }

  /** Stops taking up writes while a checkpoint catches up; they wait in the queue. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#schedule();
  }

  /** Stores what is gathered without waiting for more, and answers when everything queued so far is stored. */
  flush(): Promise<void> {
    if (this.#poison !== undefined) return Promise.reject(this.#poison);
    if (this.#isIdle) return Promise.resolve();
    this.#group.isAwaited = true;
    this.#schedule();
    return new Promise((resolve) => this.#idleWaiters.push(resolve));
  }

  get #isIdle(): boolean {
    return (
      this.#queue.length + this.#retried.length === 0 &&
      this.#group.members.length === 0 &&
      this.#inFlight === undefined &&
      !this.#isPreparing
    );
  }

  #enqueue(task: Task): void {
    if (this.#poison !== undefined) return task.caller.reject(this.#poison);
    if (this.#queue.length >= QUEUE_LENGTH_MAX) {
      const hint = 'Await some of the writes before starting more, or use createMany().';
      return task.caller.reject(
        new StoreError('engine/overloaded', `${QUEUE_LENGTH_MAX} writes are waiting.`, {
          details: { limit: QUEUE_LENGTH_MAX },
          hint,
        }),
      );
    }
    this.#queue.push(task);
    this.#schedule();
  }

  /** Calls of one message arrive in one turn; they are taken up together after it. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isPreparing) return;
    let taken = 0;
    try {
      for (;;) {
        if (this.#retried.length > 0) {
          this.#queue.splice(0, taken, ...this.#retried);
          this.#retried = [];
          taken = 0;
        }
        if (
          taken >= this.#queue.length ||
          (this.#isHeld && this.#queue[taken]!.type !== 'note') ||
          this.#poison !== undefined ||
          this.#group.rows >= GROUP_ROWS_MAX
        )
          break;
        const together = this.#performTogether(taken);
        taken += together;
        if (together > 0 || this.#retried.length > 0) continue;
        const step = this.#perform(this.#queue[taken++]!);
        if (step instanceof Promise) {
          this.#isPreparing = true;
          step.then(
            () => this.#resume(),
            (error) => this.#fail(error),
          );
          return;
        }
      }
    } catch (error) {
      this.#fail(error);
      return;
    } finally {
      this.#queue.splice(0, taken);
    }
    this.#seal();
    this.#settleIdle();
  }

  #resume(): void {
    this.#isPreparing = false;
    this.#pump();
  }

  /**
   * Performs the single creates that stand in the queue from a position on, as one insert. Answers how many; 0 when they
   * have to be done one by one, because one of them is refused or waits for a page.
   */
  #performTogether(from: number): number {
    if (this.#alone > 0) {
      this.#alone -= 1;
      return 0;
    }
    const tasks = createsFrom(this.#queue, from);
    const [first] = tasks;
    if (first === undefined || tasks.length < TOGETHER_MIN) return 0;
    const rows = tasks.map(({ creates }) => creates.row);
    let prepared: PreparedWrite | undefined;
    try {
      prepared = this.#options.prepareCreates(first.creates.collection, rows);
    } catch (error) {
      if (error !== PAGE_MISS && !(error instanceof StoreError)) throw error;
    }
    if (prepared === undefined) {
      this.#alone = tasks.length;
      return 0;
    }
    const marks = this.#options.marks.ofCreates(prepared.collection, rows);
    const parts = marks === undefined ? [prepared] : [prepared, marks];
    for (const { collection } of parts) this.#group.touched.add(collection);
    try {
      parts.forEach(applyWrite);
    } catch (error) {
      if (error !== PAGE_MISS && !(error instanceof StoreError)) throw error;
      // Part of it is applied: back to what is under way, and the rest of the group is done again.
      const gathered = this.#group.members;
      this.#rollBack(this.#inFlight?.states);
      this.#retried = gathered.map(({ task, isTold }) => (isTold ? this.#told(task) : task));
      this.#alone = tasks.length + this.#retried.length;
      return 0;
    }
    this.#gatherTogether(tasks, prepared, marks);
    return tasks.length;
  }

  #gatherTogether(tasks: readonly CreateTask[], prepared: PreparedWrite, marks: PreparedWrite | undefined): void {
    const { collection } = prepared;
    const { name } = collection.spec;
    this.history.record(marks === undefined ? [prepared] : [prepared, marks]);
    this.#group.rows += tasks.length;
    for (const [at, task] of tasks.entries()) {
      const { row } = task.creates;
      const key = collection.keyOf(row);
      const events = (): readonly ChangeEvent[] => [{ type: 'create', key, row, before: undefined, origin: 'local' }];
      const operations: readonly Operation[] = [{ type: 'put', collection: collection.id, rows: [row] }];
      const told: Told[] = [{ collection: name, events }];
      if (marks === undefined) this.#gather(task, { value: undefined, operations, told });
      else {
        const mark = { ...marks, changes: [marks.changes[at]!] };
        told.push(toldOf(mark, 'local'));
        this.#gather(task, { value: undefined, operations, marks: operationsOf(mark), told });
      }
    }
  }

  #perform(task: Task): MaybePromise<void> {
    const { caller } = task;
    if (caller.signal?.aborted === true) return caller.reject(aborted());
    if (task.type === 'catalogue')
      return this.#gather(task, { value: undefined, operations: task.changes.map(toOperation) });
    if (task.type === 'note') return this.#gather(task, { value: undefined, operations: task.operations });
    if (task.type === 'upkeep') {
      return this.#change(task, [task.collection], task.run, (value) => this.#gather(task, { value, operations: [] }));
    }
    let prepared: MaybePromise<PreparedWrite>;
    try {
      prepared = this.#state.space.whenResident(task.prepare) as MaybePromise<PreparedWrite>;
    } catch (error) {
      return caller.reject(error);
    }
    if (!(prepared instanceof Promise)) return this.#apply(task, prepared);
    const { rollbacks } = this;
    return prepared.then(
      (ready) => (rollbacks === this.rollbacks ? this.#apply(task, ready) : this.#again(task)),
      (error) => (rollbacks === this.rollbacks ? caller.reject(error) : this.#again(task)),
    );
  }

  /**
   * The head went back while a task waited for pages. It may have been changed since, by what was prepared against a
   * head that is no more: it goes back once more, and the task is done again after those that came before it.
   */
  #again(task: Task): void {
    if (this.#poison !== undefined) return task.caller.reject(this.#poison);
    assert(this.#inFlight === undefined, 'Nothing is stored while a task waits and the head has gone back.');
    this.#rollBack(undefined);
    this.#retried = [...this.#retried, task];
  }

  #apply(task: Task, prepared: PreparedWrite): MaybePromise<void> {
    const { changes, inserts, deletes, catalogue } = prepared;
    if (changes.length === 0 && inserts === undefined && deletes === undefined && catalogue === undefined)
      return this.#answerUnchanged(task, prepared);
    const parts = partsOf(prepared);
    const marks = task.caller.isRemote === true ? undefined : this.#options.marks.ofCommit(parts);
    const all = marks === undefined ? parts : [...parts, marks];
    const { rollbacks } = this;
    /** Between chunks: after a rollback the rest would be done to another head. */
    const between = async (): Promise<void> => {
      await this.#options.yieldTask();
      if (rollbacks !== this.rollbacks || task.caller.signal?.aborted === true) throw aborted();
    };
    const apply = (): void => all.forEach(applyWrite);
    return this.#change(
      task,
      all.map(({ collection }) => collection),
      () =>
        deletes === undefined
          ? apply()
          : deleteRows(this.#state, prepared.collection, deletes, between).then(() =>
              this.#state.space.whenResident(apply),
            ),
      () => this.#gatherApplied(task, parts, marks, prepared.value),
    );
  }

  #gatherApplied(task: Task, parts: readonly PreparedWrite[], marks: PreparedWrite | undefined, value: unknown): void {
    const group = this.#group;
    const { isRemote, isOwn } = task.caller;
    const origin = isRemote === true && isOwn !== true ? 'remote' : 'local';
    for (const { changes, inserts, deletes, blobs, catalogue } of parts) {
      group.rows += changes.length + ((inserts ?? deletes)?.keys.length ?? 0);
      for (const blob of blobs) group.blobs.push(blob);
      for (const blob of deletes?.freedBlobs ?? []) group.freedBlobs.push(blob);
      for (const { freedBlob, after } of changes) {
        if (freedBlob !== undefined) group.freedBlobs.push(freedBlob);
        if (after?.stored instanceof BlobRow) this.#state.keepUnstored(after.stored, after.row);
      }
      if (catalogue !== undefined) group.catalogue.push(catalogue);
    }
    const operations = parts.length === 1 ? operationsOf(parts[0]!) : parts.flatMap(operationsOf);
    const told = parts.filter(({ catalogue }) => catalogue === undefined).map((part) => toldOf(part, origin));
    if (marks === undefined) {
      this.history.record(parts);
      return this.#gather(task, { value, operations, told });
    }
    this.history.record([...parts, marks]);
    this.#gather(task, { value, operations, marks: operationsOf(marks), told: [...told, toldOf(marks, origin)] });
  }

  /** Changes the head, pages being loaded as needed. A change that cannot be completed is undone with its group. */
  #change<T>(
    task: Task,
    collections: readonly CollectionState[],
    run: () => MaybePromise<T>,
    finish: (value: T) => void,
  ): MaybePromise<void> {
    for (const collection of collections) this.#group.touched.add(collection);
    const { rollbacks } = this;
    let changing: MaybePromise<T>;
    try {
      changing = this.#state.space.whenResident(run) as MaybePromise<T>;
    } catch (error) {
      return this.#undo(task, error);
    }
    if (!(changing instanceof Promise)) return finish(changing);
    return changing.then(
      (value) => (rollbacks === this.rollbacks ? finish(value) : this.#again(task)),
      (error) => (rollbacks === this.rollbacks ? this.#undo(task, error) : this.#again(task)),
    );
  }

  /**
   * A change could not be completed. The head goes back to what is under way, and the others are done again: from the
   * same head, so to the same effect, and what a deferred one of them has shown stays visible meanwhile.
   */
  #undo(task: Task, error: unknown): void {
    task.caller.reject(error);
    if (!(error instanceof StoreError)) throw error;
    const gathered = this.#group.members;
    this.#rollBack(this.#inFlight?.states);
    this.#retried = gathered.map(({ task: each, isTold }) => (isTold ? this.#told(each) : each));
  }

  /** A task whose effect was shown: it must succeed now. */
  #told(task: Task): Task {
    const reject = (error: unknown): void => {
      task.caller.reject(error);
      const cause = error instanceof StoreError ? error : new StoreError('engine/bug', String(error), { cause: error });
      if (this.#poison === undefined) this.#poisonWith(cause, this.#group.members);
    };
    return { ...task, isTold: true, caller: { ...task.caller, signal: undefined, reject } };
  }

  #rollBack(states: ReadonlyMap<Tree, TreeState> | undefined): void {
    this.rollbacks += 1;
    this.#dropUnstored(this.#group);
    this.#group = createGroup();
    this.history.dropAfter(states === undefined ? this.#storedCommit : this.#inFlight!.lastCommit);
    this.history.wakeAll();
    for (const tree of this.#state.trees) tree.rollback(states?.get(tree));
    this.#state.space.freed = [];
    this.#state.space.version += 1;
  }

  #dropUnstored({ blobs }: Group): void {
    for (const { id } of blobs) this.#state.dropUnstored(id);
  }

  #hideUnstored(): void {
    for (const tree of this.#state.trees) tree.visible = tree.stored;
  }

  /** A write that changes nothing is answered at once, unless it rests on something that is not stored yet. */
  #answerUnchanged(task: Task, { value }: PreparedWrite): void {
    if (this.#group.members.length > 0) return this.#gather(task, { value, operations: [] });
    const { durability } = task.caller;
    const answer = (): void => task.caller.resolve({ durability: this.#options.given(durability), value });
    if (this.#inFlight === undefined) answer();
    else this.#gather(task, { value, operations: [] });
  }

  #gather(
    task: Task,
    done: {
      readonly value: unknown;
      readonly operations: readonly Operation[];
      /** Stored with them, and no part of what is answered. */
      readonly marks?: readonly Operation[];
      readonly told?: readonly Told[];
    },
  ): void {
    const group = this.#group;
    const { caller } = task;
    const { origin } = caller;
    const isToRemember = origin !== undefined && done.operations.length > 0;
    let { operations } = done;
    if (done.marks !== undefined) operations = [...operations, ...done.marks];
    if (isToRemember) operations = [...operations, answeredBy(this.#state, origin, done)];
    const member: Member = {
      task,
      value: done.value,
      told: done.told ?? [],
      operations,
      isTold: task.isTold === true,
      isAnswered: false,
    };
    group.members.push(member);
    if (done.told !== undefined) group.untold.push(member);
    if (operations.length > 0 || (task.type === 'note' && task.isEmpty)) group.commits.push(operations);
    if (task.type === 'catalogue') group.catalogue.push(...task.changes);
    if (caller.durability === 'strict') group.isStrict = true;
    if (caller.durability === 'deferred') this.#showEarly(member);
    else group.isAwaited = true;
  }

  /**
   * `deferred`: what is applied becomes visible and is answered before it is stored. That shows all that came before it
   * as well, in every collection, so that nobody sees a part of a transaction; it is told first.
   */
  #showEarly(member: Member): void {
    const group = this.#group;
    for (const touched of [this.#inFlight?.touched ?? [], group.touched]) {
      for (const { trees } of touched) {
        for (const tree of trees) {
          tree.visible = tree.seal();
          group.shown.add(tree);
        }
      }
    }
    this.#state.space.version += 1;
    member.isAnswered = true;
    this.history.show(this.history.last);
    // Also when nobody listens: whoever comes now sees them already, and must not hear of them again.
    for (const each of [this.#inFlight, group]) {
      if (each === undefined) continue;
      this.#emit(each.untold);
      each.untold = [];
    }
    member.isTold = true;
    member.task.caller.resolve({ durability: this.#options.given('deferred'), value: member.value });
  }

  #seal(): void {
    const group = this.#group;
    if (this.#inFlight !== undefined || group.members.length === 0 || this.#poison !== undefined) return;
    if (!group.isAwaited) {
      this.#cancelTimer ??= this.#options.setTimer(() => {
        this.#cancelTimer = undefined;
        this.#group.isAwaited = true;
        this.#schedule();
      }, DEFERRED_MS);
      return;
    }
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    let payload: readonly Uint8Array[];
    try {
      payload = encodeCommits(group.commits);
    } catch (error) {
      return this.#refuseUnencodable(error);
    }
    const { space } = this.#state;
    const states = new Map<Tree, TreeState>();
    for (const { trees } of group.touched) for (const tree of trees) states.set(tree, tree.seal());
    space.version += 1;
    const sealed: SealedGroup = { ...group, states, freed: space.freed, lastCommit: this.history.last };
    space.freed = [];
    this.#group = createGroup();
    this.#inFlight = sealed;
    if (group.commits.length === 0) return this.#stored(sealed, undefined);
    this.#options.wal
      .append({
        payload,
        blobs: group.blobs,
        durability: group.isStrict ? 'strict' : 'relaxed',
      })
      .then(
        (appended) => this.#stored(sealed, appended),
        (error) => this.#notStored(sealed, error),
      )
      .catch((error) => this.#fail(error));
  }

  /** A row that cannot be stored was not refused before. Its write is, and the others are done again. */
  #refuseUnencodable(error: unknown): void {
    if (!(error instanceof StoreError)) return this.#fail(error);
    const gathered = this.#group.members;
    this.#rollBack(undefined);
    const sound: Task[] = [];
    for (const { task, operations, isTold } of gathered) {
      const member = isTold ? this.#told(task) : task;
      try {
        encodeCommits([operations]);
        sound.push(member);
      } catch (cause) {
        member.caller.reject(cause);
      }
    }
    if (this.#poison !== undefined) return;
    assert(sound.length < gathered.length, 'What cannot be encoded together cannot be encoded alone.');
    this.#retried = sound;
    this.#schedule();
  }

  #stored(group: SealedGroup, appended: WalAppended | undefined): void {
    assert(this.#inFlight === group, 'Groups are stored one after the other.');
    this.#inFlight = undefined;
    this.#dropUnstored(group);
    for (const [tree, state] of group.states) {
      // Deferred commits that came since are visible already, and stay so.
      if (!this.#group.shown.has(tree)) tree.visible = state;
      tree.stored = state;
    }
    this.#storedCommit = group.lastCommit;
    this.history.show(group.lastCommit);
    for (const change of group.catalogue) this.#state.applyCatalogueChange(change);
    this.#noteAnswered(group);
    this.#state.snapshots.publish({ pages: this.#state.space.pagesOf(group.freed), blobs: group.freedBlobs });
    const open = group.members.filter(({ isAnswered }) => !isAnswered);
    this.#emit(open);
    this.#options.onStored(appended);
    for (const { task, value } of open)
      task.caller.resolve({ durability: this.#options.given(task.caller.durability), value });
    if (!this.#isPreparing) this.#state.trim();
    // The next group has gathered meanwhile.
    if (!this.#isPreparing) this.#pump();
  }

  #noteAnswered({ members }: Group): void {
    for (const { task, operations } of members) {
      const last = task.caller.origin === undefined ? undefined : operations.at(-1);
      if (last?.type === 'answered' && !last.isOwn) this.#state.answered.note(last);
    }
  }

  /** Tells what has not been told. */
  #emit(members: readonly Member[]): void {
    for (const member of members) {
      if (member.isTold) continue;
      member.isTold = true;
      for (const { collection, events } of member.told) {
        if (!this.#options.hasListeners(collection)) continue;
        const found = events();
        if (found.length > 0) this.#options.onChanges(collection, found);
      }
    }
    this.#options.onTold();
  }

  #notStored(group: SealedGroup, error: unknown): void {
    const cause =
      error instanceof StoreError ? error : new StoreError('storage/failed', String(error), { cause: error });
    const gathered = this.#group;
    const isKnown =
      cause.code !== 'storage/outcome-unknown' &&
      cause.code !== 'storage/log-collision' &&
      cause.code !== 'wal/stopped';
    // Whoever was answered from memory cannot be taken back: the state in memory is no longer a true one.
    const hasPromised = [...group.members, ...gathered.members].some(({ isAnswered }) => isAnswered);
    this.#inFlight = undefined;
    this.#dropUnstored(group);
    this.#rollBack(undefined);
    this.#hideUnstored();
    for (const { task, isAnswered } of group.members) if (!isAnswered) task.caller.reject(refusalOf(cause));
    if (!isKnown || hasPromised) {
      this.#poisonWith(cause, [...group.members, ...gathered.members]);
      return;
    }
    this.#retried = [...gathered.members.map(({ task }) => task), ...this.#retried];
    if (!this.#isPreparing) this.#pump();
  }

  /** Another writer has the store: nothing more is written. */
  supersede(cause: StoreError): void {
    if (this.#poison !== undefined) return;
    const gathered = this.#group.members;
    this.#rollBack(this.#inFlight?.states);
    // What is under way may still be stored, and is answered then.
    this.#poisonWith(cause, gathered, [...gathered, ...(this.#inFlight?.members ?? [])]);
  }

  #poisonWith(cause: StoreError, gathered: readonly Member[], unstored: readonly Member[] = gathered): void {
    const poison = poisonOf(cause, { isPromiseLost: unstored.some(isOwnPromise) });
    this.#poison = poison;
    this.history.wakeAll();
    for (const { task, isAnswered } of gathered) if (!isAnswered) task.caller.reject(poison);
    for (const task of [...this.#retried, ...this.#queue]) task.caller.reject(poison);
    this.#retried = [];
    this.#queue = [];
    this.#options.onPoisoned(poison);
    this.#settleIdle();
  }

  /** Applying failed part way (a damaged page), or a bug: the head cannot be trusted, the stored state can. */
  #fail(error: unknown): void {
    this.#isPreparing = false;
    const cause = error instanceof StoreError ? error : new StoreError('engine/bug', String(error), { cause: error });
    const gathered = this.#group.members;
    this.#rollBack(undefined);
    this.#hideUnstored();
    this.#poisonWith(cause, gathered);
  }

  #settleIdle(): void {
    if (!this.#isIdle && this.#poison === undefined) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const settle of waiters) settle();
  }
}

const toOperation = (change: CatalogueChange): Operation => ({ type: 'catalogue', change });
