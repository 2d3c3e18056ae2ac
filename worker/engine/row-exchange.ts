/** Rows that go to the page to be worked on there, and come back as answers: one batch is under way at a time. */
import { encodeRows } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import type { StoreError } from '../../src/base/store-error.ts';
import type { MigratedBatch } from '../../src/protocol/engine-api.ts';

/** Characters of what a page tells of an error. */
const REASON_LENGTH_MAX = 2_000;

type Send = (bytes: Uint8Array, facts: readonly number[]) => void;

export class RowExchange {
  readonly #send: Send;
  #waiting:
    | { readonly resolve: (batch: MigratedBatch) => void; readonly reject: (error: StoreError) => void }
    | undefined;
  #end: StoreError | undefined;

  constructor(send: Send) {
    this.#send = send;
  }

  /** `facts` are for the page's function. */
  ask(rows: readonly Row[], ...facts: readonly number[]): Promise<MigratedBatch> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end);
      this.#waiting = { resolve, reject };
      this.#send(encodeRows(rows), facts);
    });
  }

  take(rows: readonly Row[]): void {
    this.#waiting?.resolve({ rows });
  }

  fail(row: number, version: number, reason: string): void {
    this.#waiting?.resolve({ row, version, reason: reason.slice(0, REASON_LENGTH_MAX) });
  }

  /** The page answers no more. */
  cancel(error: StoreError): void {
    this.#end = error;
    this.#waiting?.reject(error);
  }
}
