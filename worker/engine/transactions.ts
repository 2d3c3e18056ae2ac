/** The open transactions of an engine, and the locks between them. */
import { StoreError } from '../../src/base/store-error.ts';
import type { BeginOptions } from '../../src/protocol/engine-api.ts';
import { LockTable } from '../transactions/index.ts';
import { Transaction, type TransactionContext } from './transaction.ts';

/** Transactions that may be open at a time. Each keeps a snapshot. */
const OPEN_MAX = 1_000;

export class Transactions {
  readonly #context: TransactionContext;
  readonly #open: Set<Transaction> = new Set();
  #lastId = 0;

  constructor(context: Omit<TransactionContext, 'locks' | 'onEnd'>) {
    this.#context = { ...context, locks: new LockTable(), onEnd: (transaction) => this.#open.delete(transaction) };
  }

  get openCount(): number {
    return this.#open.size;
  }

  get lockCount(): number {
    return this.#context.locks.size;
  }

  begin(options: BeginOptions): Transaction {
    if (this.#open.size >= OPEN_MAX) throw tooMany();
    this.#lastId += 1;
    const transaction = new Transaction(this.#lastId, this.#context, options);
    this.#open.add(transaction);
    return transaction;
  }

  /** Rolls all of them back. What is on its way to storage goes on. */
  endAll(why: StoreError): void {
    for (const transaction of [...this.#open]) transaction.end(why);
  }
}

const tooMany = (): StoreError =>
  new StoreError('transaction/too-many', `${OPEN_MAX} transactions are open.`, {
    details: { limit: OPEN_MAX },
    hint: 'Await some of them before more are begun.',
  });
