/** A live source that a test speaks for, and that counts who listens. */
import { Observable, type Subscriber } from 'rxjs';
import type { LiveSource } from '../../src/bindings/live-source.ts';

export class ScriptedSource<T> implements LiveSource<T> {
  readonly question: NonNullable<LiveSource<T>['question']>;
  readonly #listeners = new Set<Subscriber<readonly T[]>>();
  readonly #answer: Promise<T[]>;
  opened = 0;

  /** `answer`: what awaiting gives. */
  constructor(question: readonly unknown[] = [], answer: Promise<T[]> = Promise.resolve([])) {
    this.question = [ASKED, ...question];
    this.#answer = answer;
    answer.catch(() => {});
  }

  get active(): number {
    return this.#listeners.size;
  }

  readonly $: Observable<readonly T[]> = new Observable((subscriber) => {
    this.opened++;
    this.#listeners.add(subscriber);
    return () => this.#listeners.delete(subscriber);
  });

  // biome-ignore lint/suspicious/noThenProperty: a query is awaited.
  then<A = T[], B = never>(
    onRows?: ((rows: T[]) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#answer.then(onRows, onError);
  }

  tell(rows: readonly T[]): void {
    for (const listener of [...this.#listeners]) listener.next(rows);
  }

  fail(error: unknown): void {
    for (const listener of [...this.#listeners]) listener.error(error);
  }

  end(): void {
    for (const listener of [...this.#listeners]) listener.complete();
  }
}

const ASKED = {};
