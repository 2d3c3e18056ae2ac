/** The application's own functions for conflicts, as the sync worker asks them (CONF-5). */
import { assertRow } from '../base/codec/index.ts';
import { deepEqual } from '../base/deep-equal.ts';
import { StoreError } from '../base/store-error.ts';
import type { ConflictAnswer, ConflictQuestion } from '../protocol/conflict-questions.ts';
import type { ConflictFunction } from '../schema/definition.ts';

type Functions = ConflictFunction<unknown> | Readonly<Record<string, ConflictFunction<unknown>>>;

/** Asks twice, with copies that cannot be changed. Never throws. */
export function answerConflict(
  definitions: Readonly<Record<string, { readonly conflict?: unknown }>>,
  question: ConflictQuestion,
): ConflictAnswer {
  const { collection, key, field } = question;
  const conflict = definitions[collection]?.conflict as Functions;
  const decide = field === undefined ? conflict : (conflict as Exclude<Functions, ConflictFunction<unknown>>)[field];
  const what = `${collection} ${JSON.stringify(key)}${field === undefined ? '' : `, field ${field}`}`;
  const refuse = (code: string, message: string): ConflictAnswer => ({
    reason: { code: `conflict/${code}`, message: `The function for ${what} ${message}` },
  });
  if (typeof decide !== 'function') return refuse('no-function', 'is not there.');
  try {
    const [value, again] = [ask(decide, question), ask(decide, question)];
    if (value instanceof Promise) return refuse('unfit-answer', 'answers with a promise: it has to decide at once.');
    // What cannot be stored could not travel to the worker either.
    assertRow({ value }, 0);
    if (!deepEqual(value, again)) return refuse('not-deterministic', 'gives two answers to one question.');
    return { value };
  } catch (error) {
    if (error instanceof StoreError) return refuse('unfit-answer', `answers what cannot be stored: ${error.message}`);
    return refuse('function-failed', `has failed: ${error}`);
  }
}

function ask(decide: ConflictFunction<unknown>, { base, local, remote }: ConflictQuestion): unknown {
  const [before, here, there] = structuredClone([base, local, remote]).map(frozen);
  return decide(before, here, there);
}

/** In depth. Dates and binary cannot be frozen. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
