/** Questions to the page that has the application's functions. Each is answered, in time or by its deadline (T6). */
import type { Platform } from '../../src/base/platform.ts';
import type { ConflictAnswer, ConflictQuestion } from '../../src/protocol/conflict-questions.ts';

/** The page may be busy, or stopped by the browser; what others have sent waits meanwhile. */
const ANSWER_TIMEOUT_MS = 5_000;

export class PageQuestions {
  readonly #platform: Pick<Platform, 'setTimer'>;
  readonly #send: (id: number, questions: readonly ConflictQuestion[]) => void;
  readonly #open = new Map<number, (answers: readonly ConflictAnswer[]) => void>();
  #asked = 0;

  constructor(
    platform: Pick<Platform, 'setTimer'>,
    send: (id: number, questions: readonly ConflictQuestion[]) => void,
  ) {
    this.#platform = platform;
    this.#send = send;
  }

  /** Answers in the order of the questions. */
  ask(questions: readonly ConflictQuestion[]): Promise<readonly ConflictAnswer[]> {
    this.#asked += 1;
    const id = this.#asked;
    return new Promise((resolve) => {
      const stopTimer = this.#platform.setTimer(() => {
        const message = `The page has not answered for ${ANSWER_TIMEOUT_MS} ms.`;
        this.answered(
          id,
          questions.map(() => ({ reason: { code: 'conflict/timeout', message } })),
        );
      }, ANSWER_TIMEOUT_MS);
      this.#open.set(id, (answers) => {
        stopTimer();
        resolve(answers);
      });
      this.#send(id, questions);
    });
  }

  answered(id: number, answers: readonly ConflictAnswer[]): void {
    const resolve = this.#open.get(id);
    this.#open.delete(id);
    resolve?.(answers);
  }
}
