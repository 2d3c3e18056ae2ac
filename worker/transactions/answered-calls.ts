/**
 * Writes that were stored for tabs other than the leader's, and what they were answered: a tab whose leader died repeats
 * what was not answered, and the next leader must not do it twice (T4). Each is stored with its write, in one commit;
 * a checkpoint, which ends the log's use, writes those that still count into the log anew.
 *
 * Bounded by what tabs have under way: a tab says with each message which calls it will not repeat. The leader's own page
 * is answered before anything more is stored: what was stored for it is not kept here, and found in the last group of the
 * log by whoever recovers it.
 */
import type { Row } from '../../src/base/row.ts';
import type { CallOrigin } from '../../src/protocol/engine-api.ts';
import { type CollectionState, encodePrimaryKey } from '../indexes/index.ts';
import type { AnsweredOperation, AnsweredValue, Operation } from './commit-format.ts';

export class AnsweredCalls {
  readonly #byClient: Map<string, Map<number, AnsweredValue>> = new Map();
  /** Of one group of the log that is being recovered: calls of the page beside its writer. */
  #own: AnsweredOperation[] = [];

  get clients(): readonly string[] {
    return [...this.#byClient.keys()];
  }

  note({ client, call, answer }: AnsweredOperation): void {
    const calls = this.#byClient.get(client);
    if (calls === undefined) this.#byClient.set(client, new Map([[call, answer]]));
    else calls.set(call, answer);
  }

  /** Found in the log. */
  recovered(operation: AnsweredOperation): void {
    if (operation.isOwn === true) this.#own.push(operation);
    else this.note(operation);
  }

  /** A group of the log begins. `isSameWriter`: whoever wrote it had answered its page what the group before it tells. */
  beginGroup({ isSameWriter }: { readonly isSameWriter: boolean }): void {
    if (!isSameWriter) this.endGroups();
    this.#own = [];
  }

  /** What the last group tells may not have been answered. */
  endGroups(): void {
    for (const operation of this.#own) this.note(operation);
    this.#own = [];
  }

  find({ client, call }: CallOrigin): AnsweredValue | undefined {
    return this.#byClient.get(client)?.get(call);
  }

  /** The client will not repeat its calls below a number. */
  forget(client: string, below: number): void {
    const calls = this.#byClient.get(client);
    if (calls === undefined) return;
    for (const call of calls.keys()) if (call < below) calls.delete(call);
    if (calls.size === 0) this.#byClient.delete(client);
  }

  /** All of them, for the log. */
  toOperations(): readonly AnsweredOperation[] {
    return [...this.#byClient].flatMap(([client, calls]) =>
      [...calls].map(([call, answer]) => ({ type: 'answered' as const, client, call, answer })),
    );
  }
}

/** What is stored with a write of operations, to answer it again. */
export function answeredBy(
  state: { byId(collection: number): CollectionState },
  { client, call, answers, isOwn }: CallOrigin,
  { value, operations }: { readonly value: unknown; readonly operations: readonly Operation[] },
): AnsweredOperation {
  const keyOf = (collection: number, row: Row): string => encodePrimaryKey(state.byId(collection).keyOf(row));
  const answer = (given: AnsweredValue): AnsweredOperation => ({
    type: 'answered',
    client,
    call,
    answer: given,
    ...(isOwn === true ? { isOwn } : {}),
  });
  if (answers === 'count') {
    const count = operations.reduce(
      (sum, operation) => sum + (operation.type === 'put' ? operation.rows.length : 1),
      0,
    );
    return answer({ type: 'value', value: count });
  }
  const [written] = operations;
  const isRow = answers === 'row' || (typeof value === 'object' && value !== null);
  if (isRow && written?.type === 'put') {
    return answer({ type: 'row', collection: written.collection, key: keyOf(written.collection, written.rows[0]!) });
  }
  if (isRow && written?.type === 'put-blob') {
    return answer({ type: 'row', collection: written.collection, key: written.key });
  }
  return answer({ type: 'value', value: typeof value === 'number' || typeof value === 'boolean' ? value : undefined });
}
