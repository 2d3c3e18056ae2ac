/** A storage that does its work at once and answers when a scheduler lets it: late, and in another order. */
import type { Storage } from '../../worker/storage/storage.ts';
import { interceptStorage, type StorageOperation } from './intercepted-storage.ts';

/** Called with each answer; it runs `answer` once, whenever it likes. */
export type AnswerScheduler = (answer: () => void, operation: StorageOperation) => void;

export function createLateStorage(inner: Storage, schedule: AnswerScheduler): Storage {
  return interceptStorage(
    inner,
    (operation, run) =>
      new Promise((resolve, reject) => {
        run().then(
          (value) => schedule(() => resolve(value), operation),
          (error: unknown) => schedule(() => reject(error), operation),
        );
      }),
  );
}

export interface ManualScheduler {
  readonly schedule: AnswerScheduler;
  /** Operations whose answers wait, oldest first. */
  readonly waiting: readonly StorageOperation[];
  /** Gives the answer at `index`, the oldest by default. */
  release(index?: number): void;
}

/** Holds every answer until the test releases it. */
export function createManualScheduler(): ManualScheduler {
  const queue: { readonly answer: () => void; readonly operation: StorageOperation }[] = [];
  return {
    schedule: (answer, operation) => queue.push({ answer, operation }),
    get waiting() {
      return queue.map(({ operation }) => operation);
    },
    release: (index = 0) => queue.splice(index, 1)[0]?.answer(),
  };
}

/**
 * Answers after a pseudo-random number of turns of the event loop, at most `turnsMax`. `random` gives numbers in [0, 1);
 * `nextTurn` runs a function in a later turn.
 */
export function createRandomScheduler(options: {
  readonly random: () => number;
  readonly turnsMax: number;
  readonly nextTurn: (run: () => void) => void;
}): AnswerScheduler {
  const { random, turnsMax, nextTurn } = options;
  const after = (turns: number, run: () => void): void => (turns === 0 ? run() : nextTurn(() => after(turns - 1, run)));
  return (answer) => after(Math.floor(random() * (turnsMax + 1)), answer);
}
