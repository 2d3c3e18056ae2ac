/**
 * The transactions of one client, by the numbers of the calls that began them. All of them end with the client: what
 * it leaves open is rolled back (TXN-9).
 */
import { toBeginOptions } from '../../src/protocol/begin-options.ts';
import type { EngineApi, EngineTransaction, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { TransactionCall } from '../../src/protocol/messages.ts';

import { ended } from './transaction.ts';

export class TransactionPort {
  readonly #engine: EngineApi;
  readonly #byNumber: Map<number, EngineTransaction> = new Map();

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /** Throws when there is none. */
  must(number: number): EngineTransaction {
    const transaction = this.#byNumber.get(number);
    if (transaction === undefined) throw ended();
    return transaction;
  }

  /** Answers the value of the call. */
  run(call: TransactionCall): MaybePromise<unknown> {
    if (call[0] === 'begin') return this.#begin(call[1], call[2]);
    const [, , number] = call;
    switch (call[0]) {
      case 'savepoint':
        return this.must(number).savepoint();
      case 'rollbackTo':
        return this.must(number).rollbackTo(call[3]);
      case 'lock':
        return this.must(number).lock(call[3], call[4]);
      case 'rollback': {
        const transaction = this.#byNumber.get(number);
        this.#byNumber.delete(number);
        return transaction?.rollback();
      }
      case 'commit': {
        const transaction = this.must(number);
        const end = (): void => void this.#byNumber.delete(number);
        const outcome = transaction.commit();
        if (outcome instanceof Promise) outcome.then(end, end);
        else end();
        return outcome;
      }
    }
  }

  stop(): void {
    for (const transaction of this.#byNumber.values()) transaction.rollback();
    this.#byNumber.clear();
  }

  #begin(number: number, options: object): void {
    this.#byNumber.set(number, this.#engine.begin(toBeginOptions(options)));
  }
}
