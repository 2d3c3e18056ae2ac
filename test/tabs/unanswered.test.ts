/** Goal: what a tab says to leaders of answers that it needs no more never names one that it needs. Method: calls by hand. */
import { expect, test } from 'vitest';
import { type Call, OK, ROWS } from '../../src/protocol/messages.ts';
import { Unanswered } from '../../worker/tabs/index.ts';

const WRITE = (id: number): Call => ['plain', id, 'rows', DELETE, undefined, false, false];
const DELETE = { type: 'delete', collection: 'rows', key: 'a' } as const;
const FIND = (id: number): Call => ['find', id, 'rows', {}, {}];

test('[T4] a commit that is asked after is needed, however late it is asked after', () => {
  const unanswered = new Unanswered();
  unanswered.add([[['begin', 1, {}]], undefined]);
  unanswered.note([[1, OK, undefined]]);
  unanswered.add([[['commit', 2, 1]], undefined]);
  unanswered.add([[WRITE(3)], undefined]);
  expect(unanswered.done).toBe(2);
  const { messages } = unanswered.forNext();
  expect(messages.flatMap(([calls]) => calls)).toEqual([WRITE(3), ['recall', 2, 'commit']]);
  // It stood behind the write, so the write's number was told, and the answer of the commit forgotten.
  expect(unanswered.done).toBe(2);
  unanswered.note([[2, OK, undefined, 'relaxed']]);
  expect(unanswered.done).toBe(3);
});

test('[T4] a stream that is read slowly does not keep the answers of all writes since', () => {
  const unanswered = new Unanswered();
  unanswered.add([[FIND(1)], undefined]);
  unanswered.note([[1, ROWS, [{ id: 'a' }], false, []]]);
  for (let id = 2; id < 100; id++) {
    unanswered.add([[WRITE(id)], undefined]);
    unanswered.note([[id, OK, true]]);
  }
  expect(unanswered.done).toBe(100);
  expect(unanswered.ids).toEqual([1]);
});

test('[T4] of many calls, those that are open are said again, in their order', () => {
  const unanswered = new Unanswered();
  for (let id = 1; id <= 20_000; id++) unanswered.add([[WRITE(id)], undefined]);
  for (let id = 1; id <= 20_000; id++) if (id % 5_000 !== 0) unanswered.note([[id, OK, true]]);
  expect(unanswered.done).toBe(5_000);
  const { messages } = unanswered.forNext();
  expect(messages.map(([[call]]) => call?.[1])).toEqual([5_000, 10_000, 15_000, 20_000]);
});
