/**
 * Merges what came for a row with own changes that the log did not have before it, and resolves what conflicts (CONF-1).
 *
 * With each own change the row's state without it is kept, and brought along: whatever comes is merged into it, too. So it
 * is always what the others have, and the way from it before and after says what they have changed.
 */

import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import type { RowName } from '../../src/protocol/sync/index.ts';
import { clockOf, RowDocument } from '../documents/index.ts';
import { changeTimes } from './change-times.ts';
import type { InboxDraft } from './conflict-inbox.ts';
import { type Answer, type Question, resolveConflict } from './conflict-rules.ts';
import { believed } from './hybrid-clock.ts';
import { readDocument } from './local-change.ts';
import { addOwn, type OwnChange } from './own-runs.ts';
import type { SyncContext } from './sync-context.ts';

/** Where an update stands in the log, and whether this store has written it itself. */
export type UpdatePlace = { readonly at: number; readonly isOwn: boolean };
/** An update of a row; a whole state has no place. */
export type Arrived = Partial<UpdatePlace> & { readonly update: Uint8Array };

export type MergeParts = {
  readonly context: SyncContext;
  readonly name: RowName;
  /** The row's; it is changed. Its row is what is stored. */
  readonly document: RowDocument;
  readonly own: readonly OwnChange[];
  /** In the order of the log, all sound. */
  readonly arrived: readonly Arrived[];
  /** Where an own batch stands that was told in the same go; undefined: not told. */
  readonly placeOf: (change: OwnChange) => number | undefined;
  /** Of the batch that takes what is changed here. */
  readonly nextSequence: number;
  readonly answerTo: (question: Question) => Answer | undefined;
};

export type MergeResult = {
  readonly own: readonly OwnChange[];
  /** What the conflicts came to, as one update, when that is not what the document has made of both. */
  readonly update: Uint8Array | undefined;
  readonly inbox: readonly InboxDraft[];
  readonly questions: readonly Question[];
};

export function mergeArrived(parts: MergeParts): MergeResult {
  const merge = new RowMerge(parts);
  for (const group of merge.groups()) {
    merge.take(group);
    // What comes after it depends on the answer.
    if (merge.hasQuestions) break;
  }
  return merge.result();
}

/** What others did without an own batch in between. */
type Group = { readonly updates: readonly Uint8Array[]; readonly isOwn: boolean };

class RowMerge {
  readonly #parts: MergeParts;
  readonly #updates: Uint8Array[] = [];
  readonly #inbox: InboxDraft[] = [];
  readonly #questions: Question[] = [];
  #own: readonly OwnChange[];

  constructor(parts: MergeParts) {
    this.#parts = parts;
    this.#own = parts.own.filter((change) => !parts.context.runs.isSettled(change));
  }

  get hasQuestions(): boolean {
    return this.#questions.length > 0;
  }

  /** Lazily: taking one may add to what is own. */
  *groups(): Generator<Group> {
    const { arrived } = this.#parts;
    for (let from = 0; from < arrived.length; ) {
      this.#own = this.#ownAt(arrived[from]!);
      const isOwn = arrived[from]!.isOwn === true;
      let to = from + 1;
      for (; to < arrived.length && (arrived[to]!.isOwn === true) === isOwn; to++) {
        if (this.#ownAt(arrived[to]!).length < this.#own.length) break;
      }
      yield { updates: arrived.slice(from, to).map(({ update }) => update), isOwn };
      from = to;
    }
  }

  /** Own changes that the log does not have before something. */
  #ownAt({ update, at }: Arrived): readonly OwnChange[] {
    const { placeOf, document, context } = this.#parts;
    if (at !== undefined) return this.#own.filter((change) => !((placeOf(change) ?? Number.POSITIVE_INFINITY) < at));
    if (this.#own.length === 0) return this.#own;
    const mine = document.state;
    const isThere = this.#own.every(({ run }) => {
      const clientId = context.runs.clientIdOf(run);
      return clientId === undefined || clockOf(update, clientId) >= clockOf(mine, clientId);
    });
    return isThere ? [] : this.#own;
  }

  take({ updates, isOwn }: Group): void {
    const { document } = this.#parts;
    const oldest = isOwn ? undefined : this.#own[0];
    const local = oldest === undefined ? undefined : readDocument(document);
    const localTimes = oldest === undefined ? undefined : this.#copyOf(document.state);
    const others = oldest === undefined ? undefined : this.#copyOf(oldest.before);
    const base = others && readDocument(others);
    for (const update of updates) document.apply(update);
    if (others === undefined) return;
    for (const update of updates) others.apply(update);
    const remote = readDocument(others);
    const merged = readDocument(document);
    if (!others.isComplete) {
      // It builds on own changes that count as not told yet: nothing can be said about what others had.
      this.#own = [];
      return;
    }
    this.#own = this.#own.map((change, at) => ({
      ...change,
      before: at === 0 ? others.state : this.#with(change, updates),
    }));
    if ([base, local, remote, merged].some((read) => read instanceof StoreError)) return;
    this.#resolve(
      { base, local, remote, merged } as { [Side in 'base' | 'local' | 'remote' | 'merged']: Row | undefined },
      { local: localTimes!, remote: others },
    );
  }

  result(): MergeResult {
    const { document } = this.#parts;
    const [first, ...more] = this.#updates;
    const update = more.length > 0 ? document.state : first;
    return { own: this.#own, update, inbox: this.#inbox, questions: this.#questions };
  }

  #resolve(
    rows: { readonly [Side in 'base' | 'local' | 'remote' | 'merged']: Row | undefined },
    sides: { readonly local: RowDocument; readonly remote: RowDocument },
  ): void {
    const { context, name, document, answerTo, nextSequence } = this.#parts;
    const synced = context.collections.get(name.collection)!;
    const { notes, questions, row, times, at } = resolveConflict({
      ...rows,
      ...name,
      keyField: synced.key,
      spec: synced.conflict ?? 'merge',
      types: synced.fields,
      timeOf: (side, field) => believed(sides[side].timeOf(field), context.platform),
      answerTo,
    });
    this.#questions.push(...questions);
    if (questions.length > 0) return;
    for (const note of notes) {
      const { base, local, remote } = rows;
      this.#inbox.push({ ...name, base, local, remote, note });
    }
    // A document that is not there at all must not get a tombstone.
    if (row === undefined && rows.merged === undefined) return;
    const before = document.state;
    const timed = changeTimes(context, name.collection, document);
    const update = document.put(row, timed && { ...timed, now: at ?? timed.now, byField: times });
    if (update === undefined) return;
    this.#updates.push(update);
    this.#own = addOwn(this.#own, { run: context.runs.current, sequence: nextSequence, before });
  }

  #with({ before }: OwnChange, updates: readonly Uint8Array[]): Uint8Array {
    const copy = this.#copyOf(before);
    for (const update of updates) copy.apply(update);
    return copy.state;
  }

  #copyOf(state: Uint8Array | undefined): RowDocument {
    const { context, name } = this.#parts;
    const { fields, key } = context.collections.get(name.collection)!;
    return new RowDocument({ name, types: fields, keyField: key, clientId: context.clientId, state });
  }
}
