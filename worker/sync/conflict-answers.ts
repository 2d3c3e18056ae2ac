/**
 * What the application's own functions say to conflicts. They are the page's, so they are asked apart from the transaction
 * that needs the answer: it is begun again with what they have said, and asks again when it was about other values by then.
 * Whatever cannot be used is a reason, and the conflict is merged (CONF-5).
 */
import { assertRow } from '../../src/base/codec/index.ts';
import { deepEqual } from '../../src/base/deep-equal.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { assertCarries } from '../documents/index.ts';
import type { Answer, Question } from './conflict-rules.ts';
import { rowId } from './row-id.ts';
import type { AskPage } from './sync-context.ts';

/** Of a row that changes while the page is asked, or in which own and others' changes take turns: then it is merged. */
const ROUNDS_MAX = 30;

const unfitReason = (message: string): Answer => ({ reason: { code: 'conflict/unfit-answer', message } });

/** Where no page has the functions. */
export const noAnswers: AskPage = async (questions) =>
  questions.map(() => ({ reason: { code: 'conflict/no-function', message: 'No page has the function.' } }));

/** Of one go of taking over what came. */
export class ConflictAnswers {
  readonly #ask: AskPage;
  readonly #known = new Map<string, { readonly question: Question; readonly answer: Answer }[]>();
  #rounds = 0;

  constructor(ask: AskPage) {
    this.#ask = ask;
  }

  /** Undefined when it has to be asked first. */
  to(question: Question): Answer | undefined {
    const values = valuesOf(question);
    const known = this.#known.get(nameOf(question))?.find((each) => deepEqual(valuesOf(each.question), values));
    if (known !== undefined) return known.answer;
    if (this.#rounds < ROUNDS_MAX) return undefined;
    return { reason: { code: 'conflict/busy', message: `The values were others each of ${ROUNDS_MAX} times.` } };
  }

  async ask(questions: readonly Question[]): Promise<void> {
    if (questions.length === 0) return;
    this.#rounds += 1;
    const answers = await this.#ask(questions);
    for (const [place, question] of questions.entries()) {
      const name = nameOf(question);
      const known = this.#known.get(name) ?? [];
      known.push({ question, answer: checked(question, answers[place]) });
      this.#known.set(name, known);
    }
  }
}

const nameOf = ({ collection, key, field }: Question): string =>
  JSON.stringify([rowId(collection, key), field ?? null]);

const valuesOf = ({ base, local, remote }: Question): object => ({ base, local, remote });

function checked(question: Question, answer: Answer | undefined): Answer {
  if (answer === undefined) return unfitReason('There is no answer.');
  if ('reason' in answer) return answer;
  const { value } = answer;
  try {
    const { field } = question;
    if (value === undefined) return answer;
    if (field === undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      return unfitReason('The answer is no document.');
    }
    const row = (field === undefined ? value : { [field]: value }) as Row;
    assertRow(row, 0);
    for (const name of Object.keys(row)) assertCarries(name, row[name]);
    return answer;
  } catch (error) {
    if (error instanceof StoreError) return unfitReason(`The answer cannot be stored: ${error.message}`);
    throw error;
  }
}
