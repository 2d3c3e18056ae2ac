/** A live count: one more, one less. */
import type { FindSpec } from '../../src/protocol/definition.ts';
import type { ChangeEvent, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { LiveUpdate } from '../../src/protocol/live.ts';
import { compilePredicate, interestOf, type Predicate, parseSelector } from '../query/index.ts';
import { narrowestOf } from './interest.ts';
import type { LiveResult, Watch } from './live-result.ts';
import type { LiveSource } from './live-source.ts';

export class CountResult implements LiveResult {
  readonly tellsEachLoad: boolean = false;
  readonly watches: readonly Watch[];
  readonly #source: LiveSource;
  readonly #collection: string;
  readonly #find: FindSpec;
  readonly #accepts: Predicate;
  #matching: number | undefined;
  #state: number | undefined;

  constructor(source: LiveSource, collection: string, find: FindSpec) {
    const selector = parseSelector(find.selector);
    this.#source = source;
    this.#collection = collection;
    this.#find = find;
    this.#accepts = compilePredicate(selector);
    this.watches = [{ collection, interest: narrowestOf(interestOf(selector)) }];
  }

  get needsLoad(): boolean {
    return this.#matching === undefined;
  }

  get state(): unknown {
    return this.#state;
  }

  load(): MaybePromise<void> {
    const take = (count: number): void => {
      this.#matching = count;
    };
    const count = this.#source.count(this.#collection, this.#find.selector);
    return count instanceof Promise ? count.then(take) : take(count);
  }

  apply({ before, row }: ChangeEvent): void {
    if (before !== undefined && this.#accepts(before)) this.#matching! -= 1;
    if (row !== undefined && this.#accepts(row)) this.#matching! += 1;
  }

  forget(): void {
    this.#matching = undefined;
  }

  publish(): void {
    const { skip, limit = Number.POSITIVE_INFINITY } = this.#find;
    this.#state = Math.min(Math.max(0, this.#matching! - skip), limit);
  }

  updateFrom(former: unknown): LiveUpdate | undefined {
    return this.#state === undefined || former === this.#state ? undefined : { count: this.#state };
  }
}
