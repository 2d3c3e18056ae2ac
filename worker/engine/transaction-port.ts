/**
 * The transactions of one client, by the numbers of the calls that began them. All of them end with the client: what
 * it leaves open is rolled back (TXN-9).
 */
import { toBeginOptions } from '../../src/protocol/begin-options.ts';
import type { CallOrigin, EngineApi, EngineTransaction, MaybePromise } from '../../src/protocol/engine-api.ts';
import type { TransactionCall } from '../../src/protocol/messages.ts';
import { transactionInterrupted } from '../tabs/index.ts';
import { ended } from './transaction.ts';

export class TransactionPort {
  readonly #engine: EngineApi;
  readonly #isRemote: boolean | undefined;
  readonly #byNumber: Map<number, EngineTransaction> = new Map();
  /** Of the transactions begun here. A client begins them in order: those below were another leader's. */
  #firstNumber: number = Number.POSITIVE_INFINITY;

  /** `isRemote`: whoever begins them brings what other devices have done. */
  constructor(engine: EngineApi, isRemote?: boolean) {
    this.#engine = engine;
    this.#isRemote = isRemote;
  }

  /** Throws when there is none. */
  must(number: number): EngineTransaction {
    const transaction = this.#byNumber.get(number);
    if (transaction === undefined) throw number < this.#firstNumber ? transactionInterrupted() : ended();
    return transaction;
  }

  /** Answers the value of the call. */
  run(call: TransactionCall, origin: CallOrigin | undefined): MaybePromise<unknown> {
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
        // The client may want to run it again.
        if (transaction === undefined && number < this.#firstNumber) throw transactionInterrupted();
        this.#byNumber.delete(number);
        return transaction?.rollback();
      }
      case 'commit': {
        const transaction = this.must(number);
        const end = (): void => void this.#byNumber.delete(number);
        const outcome = transaction.commit(origin);
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
    this.#firstNumber = Math.min(this.#firstNumber, number);
    this.#byNumber.set(number, this.#engine.begin({ ...toBeginOptions(options), isRemote: this.#isRemote }));
  }
}
