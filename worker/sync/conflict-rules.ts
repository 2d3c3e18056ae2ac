/**
 * What a conflict comes to: a pure function of what was before the own changes (`base`), what this device has (`local`),
 * what the others have (`remote`) and what the document makes of both (`merged`). Knows neither Yjs nor the store.
 *
 * CONF-3: all strategies but `merge` and `manual` go by `base`, `local` and `remote` alone, so it does not matter which of two
 * concurrent changes Yjs prefers: what only one side has changed is that side's.
 */
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Key, Row } from '../../src/base/row.ts';
import { type ConflictSpec, type StrategyName, strategyOf } from '../../src/protocol/conflict-options.ts';
import type { ConflictAnswer, ConflictQuestion } from '../../src/protocol/conflict-questions.ts';
import { fitProblem } from '../../src/protocol/field-fit.ts';
import type { FieldTypes } from '../../src/protocol/field-types.ts';
import type { Refusal } from '../../src/protocol/sync-worker.ts';

export type ConflictRows = {
  readonly base: Row | undefined;
  readonly local: Row | undefined;
  readonly remote: Row | undefined;
  readonly merged: Row | undefined;
};

export type Question = ConflictQuestion;
export type Answer = ConflictAnswer;

export type ConflictInput = ConflictRows & {
  readonly collection: string;
  readonly key: Key;
  readonly keyField: string;
  readonly spec: ConflictSpec;
  readonly types: FieldTypes;
  /** Of `last-write-wins`: when a side wrote a field, or without one the row; 0 when that was not told. */
  readonly timeOf: (side: 'local' | 'remote', field?: string) => number;
  /** Undefined when the page was not asked yet. */
  readonly answerTo: (question: Question) => Answer | undefined;
};

/** For the inbox. */
export type ConflictNote = {
  readonly kind: 'manual' | 'merged';
  /** Those that both have changed, or whose value was dropped. Of a row that one side has deleted: all that the other changed. */
  readonly fields: readonly string[];
  /** What was dropped, by field; a field that is not in it was to be removed. Null: that the row was deleted. */
  readonly dropped: Row | null;
  readonly reason?: Refusal | undefined;
};

export type Resolution = {
  readonly row: Row | undefined;
  /** When the row was written, or deleted, that stays; undefined: it is changed now. */
  readonly at?: number | undefined;
  /** Times that fields keep, whoever writes them now. */
  readonly times: ReadonlyMap<string, number>;
  readonly notes: readonly ConflictNote[];
  /** Has to be asked first; the rest of the answer is none. */
  readonly questions: readonly Question[];
};

export function resolveConflict(input: ConflictInput): Resolution {
  const { local, remote } = input;
  if (local === undefined && remote === undefined) return resolved(undefined);
  return local === undefined || remote === undefined ? resolveDeleted(input) : resolveFields(input, local, remote);
}

const resolved = (row: Row | undefined, more: Partial<Resolution> = {}): Resolution => ({
  row,
  times: new Map(),
  notes: [],
  questions: [],
  ...more,
});

/** One side has deleted the row, or does not have it. */
function resolveDeleted(input: ConflictInput): Resolution {
  const { base, local, remote, merged, spec } = input;
  const kept = local ?? remote!;
  // The other side has left it as it was, or nobody has deleted it: it was never there.
  if (base === undefined || deepEqual(kept, base)) return resolved(merged);
  const strategy = strategyOf(spec);
  const fields = changedFields(base, kept);
  const ended = (row: Row | undefined, reason?: Refusal): Resolution => {
    const note: ConflictNote = {
      kind: 'merged',
      fields,
      dropped: row === undefined ? pick(kept, Object.keys(kept)) : null,
      reason,
    };
    return resolved(row, { notes: [note] });
  };
  switch (strategy) {
    case 'merge':
      return ended(merged);
    case 'manual':
      return resolved(merged, { notes: [{ kind: 'manual', fields, dropped: {} }] });
    case 'server-wins':
      return ended(remote);
    case 'client-wins':
      return ended(local);
    case 'last-write-wins': {
      const side = local === undefined ? 'remote' : 'local';
      const written = Math.max(...fields.map((field) => input.timeOf(side, field)));
      const deleted = input.timeOf(side === 'local' ? 'remote' : 'local');
      if (written === deleted) return ended(merged);
      return { ...ended(written > deleted ? kept : undefined), at: Math.max(written, deleted) };
    }
    case 'custom': {
      const question = rowQuestion(input);
      const answer = rowAnswer(input, question);
      if (answer === undefined) return resolved(merged, { questions: [question] });
      if ('reason' in answer) return ended(merged, answer.reason);
      const row = answer.value as Row | undefined;
      if (row === undefined || deepEqual(row, kept)) return ended(row);
      return resolved(row);
    }
  }
}

function resolveFields(input: ConflictInput, local: Row, remote: Row): Resolution {
  const { base, keyField, types, spec } = input;
  const isPlain = (field: string): boolean => field !== keyField && !Object.hasOwn(types, field);
  const byLocal = new Set(changedFields(base, local).filter(isPlain));
  const byRemote = new Set(changedFields(base, remote).filter(isPlain));
  const isWhole = typeof spec === 'string' && spec !== 'merge' && spec !== 'last-write-wins';
  return isWhole
    ? resolveWhole(input, { local, remote, byLocal, byRemote, strategy: spec })
    : resolveEach(input, { local, remote, byLocal, byRemote });
}

type Sides = {
  readonly local: Row;
  readonly remote: Row;
  /** Plain fields that a side has changed. */
  readonly byLocal: ReadonlySet<string>;
  readonly byRemote: ReadonlySet<string>;
};

/** The plain fields of a row are one thing: two changes of it are a conflict, also of different fields. */
function resolveWhole(input: ConflictInput, sides: Sides & { readonly strategy: StrategyName }): Resolution {
  const { local, remote, byLocal, byRemote, strategy } = sides;
  const { merged } = input;
  const differing = [...new Set([...byLocal, ...byRemote])].filter((field) => !deepEqual(local[field], remote[field]));
  const areEqual = differing.length === 0 && strategy !== 'custom';
  if (byLocal.size === 0 || byRemote.size === 0 || areEqual) {
    return strategy === 'manual' ? resolved(merged) : resolved(withPlain(input, byLocal.size === 0 ? remote : local));
  }
  switch (strategy) {
    case 'server-wins':
      return withDropped(input, sides, withPlain(input, remote));
    case 'client-wins':
      return withDropped(input, sides, withPlain(input, local));
    case 'custom': {
      const question = rowQuestion(input);
      const answer = rowAnswer(input, question);
      if (answer === undefined) return resolved(merged, { questions: [question] });
      if ('reason' in answer) return withDropped(input, sides, merged, answer.reason);
      const row = answer.value as Row | undefined;
      return withDropped(input, sides, row === undefined ? undefined : withPlain(input, row));
    }
    default:
      return resolved(merged, { notes: [{ kind: 'manual', fields: differing, dropped: {} }] });
  }
}

/** Field by field. */
function resolveEach(input: ConflictInput, sides: Sides): Resolution {
  const { merged, spec } = input;
  const { local, remote, byLocal, byRemote } = sides;
  const row: Record<string, unknown> = { ...(merged ?? local) };
  const times = new Map<string, number>();
  const questions: Question[] = [];
  const manual: string[] = [];
  let reason: Refusal | undefined;
  for (const field of new Set([...byLocal, ...byRemote])) {
    const strategy = strategyOf(spec, field);
    if (strategy === 'merge') continue;
    const isBoth = byLocal.has(field) && byRemote.has(field);
    // A function may make something of two equal changes, too: both have added 1.
    if (!isBoth || (strategy !== 'custom' && deepEqual(local[field], remote[field]))) {
      if (strategy === 'manual') continue;
      const side = byLocal.has(field) ? 'local' : 'remote';
      set(row, field, sides[side][field]);
      const time = strategy === 'last-write-wins' ? input.timeOf(side, field) : 0;
      if (time > 0) times.set(field, time);
      continue;
    }
    switch (strategy) {
      case 'server-wins':
        set(row, field, remote[field]);
        break;
      case 'client-wins':
        set(row, field, local[field]);
        break;
      case 'manual':
        manual.push(field);
        break;
      case 'last-write-wins': {
        const [here, there] = [input.timeOf('local', field), input.timeOf('remote', field)];
        if (here !== there) set(row, field, (here > there ? local : remote)[field]);
        if (here > 0 || there > 0) times.set(field, Math.max(here, there));
        break;
      }
      case 'custom': {
        const values = { base: input.base?.[field], local: local[field], remote: remote[field] };
        const question = { collection: input.collection, key: input.key, field, ...values };
        const answer = input.answerTo(question);
        if (answer === undefined) questions.push(question);
        else if ('reason' in answer) reason ??= answer.reason;
        else set(row, field, answer.value);
      }
    }
  }
  const isManual = (field: string): boolean => manual.includes(field);
  const settled = withDropped(input, sides, row, reason, isManual);
  const notes: readonly ConflictNote[] =
    manual.length > 0 ? [{ kind: 'manual', fields: manual, dropped: {} }, ...settled.notes] : settled.notes;
  return { ...settled, times, questions, notes };
}

/** `row` is what it comes to. What a side has changed and what is not in it was dropped, unless neither's value is there. */
function withDropped(
  { merged }: ConflictInput,
  { local, remote, byLocal, byRemote }: Sides,
  row: Row | undefined,
  reason?: Refusal,
  isManual: (field: string) => boolean = () => false,
): Resolution {
  const dropped: Record<string, unknown> = {};
  const fields: string[] = [];
  for (const field of new Set([...byLocal, ...byRemote])) {
    if (isManual(field)) continue;
    const lost = [byLocal.has(field) ? local : undefined, byRemote.has(field) ? remote : undefined].filter(
      (side) => side !== undefined && !deepEqual(side[field], row?.[field]),
    );
    // A function has made something else of both.
    const isBoth = byLocal.has(field) && byRemote.has(field);
    if (lost.length === 0 || (isBoth && lost.length === 2 && row !== undefined)) continue;
    fields.push(field);
    set(dropped, field, lost[0]![field]);
  }
  const isDropped = fields.length > 0 || reason !== undefined;
  const notes: readonly ConflictNote[] = isDropped ? [{ kind: 'merged', fields, dropped, reason }] : [];
  return resolved(row === merged ? merged : row, { notes });
}

/** Plain fields of one row, and what fields with a type hold after both. */
function withPlain({ merged, types }: ConflictInput, plain: Row): Row {
  const row: Record<string, unknown> = { ...plain };
  for (const field of Object.keys(types)) set(row, field, (merged ?? plain)[field]);
  return row;
}

function rowQuestion({ collection, key, base, local, remote }: ConflictInput): Question {
  return { collection, key, field: undefined, base, local, remote };
}

/** Its key stays, and fields with a type hold what they can. */
function rowAnswer(input: ConflictInput, question: Question): Answer | undefined {
  const answer = input.answerTo(question);
  if (answer === undefined || 'reason' in answer || answer.value === undefined) return answer;
  const row = answer.value as Row;
  const unfit = (message: string): Answer => ({ reason: { code: 'conflict/unfit-answer', message } });
  if (row[input.keyField] !== input.key) return unfit(`The answer has another ${input.keyField}.`);
  for (const [field, type] of Object.entries(input.types)) {
    const problem = row[field] === undefined ? undefined : fitProblem(type, row[field]);
    if (problem !== undefined) return unfit(`Field ${JSON.stringify(field)} of the answer ${problem}.`);
  }
  return answer;
}

const changedFields = (base: Row | undefined, row: Row): readonly string[] =>
  [...new Set([...Object.keys(base ?? {}), ...Object.keys(row)])].filter(
    (field) => !deepEqual(base?.[field], row[field]),
  );

const pick = (row: Row, fields: readonly string[]): Row =>
  Object.fromEntries(fields.filter((field) => row[field] !== undefined).map((field) => [field, row[field]]));

function set(row: Record<string, unknown>, field: string, value: unknown): void {
  if (value === undefined) delete row[field];
  else row[field] = value;
}
