/**
 * Goal: the checker of histories finds each class of anomaly and accuses no sound history. Method: histories with one
 * planted anomaly, written by hand and hidden in long sound ones, and random serial executions.
 */
import { describe, expect, test } from 'vitest';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { findAnomalies, toText } from './checker.ts';
import type { AnomalyType, Operation, Transaction } from './history.ts';

const a = (key: string, value: number): Operation => ({ type: 'append', key, value });
const r = (key: string, ...list: readonly number[]): Operation => ({ type: 'read', key, list });
const ok = (id: string, ...operations: readonly Operation[]): Transaction => ({ id, outcome: 'committed', operations });
const last = (...operations: readonly Operation[]): Transaction => ({ ...ok('last', ...operations), isLast: true });
const aborted = (id: string, ...operations: readonly Operation[]): Transaction => ({
  id,
  outcome: 'aborted',
  operations,
});
const unknown = (id: string, ...operations: readonly Operation[]): Transaction => ({
  id,
  outcome: 'unknown',
  operations,
});

const typesIn = (history: readonly Transaction[]): readonly AnomalyType[] => [
  ...new Set(findAnomalies(history).map(({ type }) => type)),
];

const PLANTED: readonly (readonly [name: string, type: AnomalyType, history: readonly Transaction[]])[] = [
  [
    'dirty write: two lists in two orders',
    'G0',
    [ok('1', a('x', 1), a('y', 1)), ok('2', a('x', 2), a('y', 2)), ok('3', r('x', 1, 2), r('y', 2, 1))],
  ],
  ['aborted read', 'G1a', [aborted('1', a('x', 1)), ok('2', r('x', 1))]],
  ['aborted read in the middle of a list', 'G1a', [aborted('1', a('x', 1)), ok('2', a('x', 2)), ok('3', r('x', 1, 2))]],
  ['intermediate read', 'G1b', [ok('1', a('x', 1), a('x', 2)), ok('2', r('x', 1))]],
  ['circular information', 'G1c', [ok('1', a('x', 1), r('y', 1)), ok('2', a('y', 1), r('x', 1))]],
  ['lost update', 'lost-update', [ok('1', r('x'), a('x', 1)), ok('2', r('x'), a('x', 2)), ok('3', r('x', 1, 2))]],
  ['lost update that wiped out the other', 'lost-update', [ok('1', r('x'), a('x', 1)), ok('2', r('x'), a('x', 2))]],
  ['lost append', 'lost-append', [ok('1', a('x', 1)), ok('2', a('x', 2)), last(r('x', 2))]],
  [
    'read skew: half of a transaction',
    'G-single',
    [ok('1', a('x', 1), a('y', 1)), ok('2', r('x', 1), r('y')), ok('3', r('x', 1), r('y', 1))],
  ],
  [
    'a reader overtaken through a third',
    'G-single',
    [ok('1', r('x'), r('y', 1)), ok('2', a('x', 1)), ok('3', r('x', 1), a('y', 1)), ok('4', r('x', 1), r('y', 1))],
  ],
  [
    'write skew',
    'write-skew',
    [ok('1', r('x'), r('y'), a('x', 1)), ok('2', r('x'), r('y'), a('y', 1)), ok('3', r('x', 1), r('y', 1))],
  ],
  [
    'a circle of three reads that were overtaken',
    'G2-item',
    [
      ok('1', r('x'), a('y', 1)),
      ok('2', r('y'), a('z', 1)),
      ok('3', r('z'), a('x', 1)),
      ok('4', r('x', 1), r('y', 1), r('z', 1)),
    ],
  ],
  [
    'the anomaly of a reader only',
    'G2-item',
    [ok('1', r('x'), a('y', 1)), ok('2', a('x', 1)), ok('3', r('x', 1), r('y')), ok('4', r('x', 1), r('y', 1))],
  ],
  ['a value from nowhere', 'unexplained-value', [ok('1', r('x', 7))]],
  ['a value twice', 'unexplained-value', [ok('1', a('x', 1)), ok('2', a('x', 1))]],
  ['own write not seen', 'internal', [ok('1', r('x'), a('x', 1), r('x'))]],
  ['a read that does not repeat', 'internal', [ok('1', r('x'), r('x', 1)), ok('2', a('x', 1))]],
  ['lists that branch', 'no-order', [ok('1', a('x', 1)), ok('2', a('x', 2)), ok('3', r('x', 1)), ok('4', r('x', 2))]],
];

describe('planted', () => {
  test.each(PLANTED)('%s is found', (_name, type, history) => {
    expect(typesIn(history), toText(findAnomalies(history))).toContain(type);
  });

  test.each(PLANTED)('%s is found among 300 sound transactions', (_name, type, history) => {
    const sound = serialHistory(300, 77);
    const hidden = [...sound.slice(0, 150), ...history, ...sound.slice(150)];
    expect(typesIn(hidden)).toContain(type);
  });

  test('a circle is told as it goes, each step with its reason', () => {
    const [anomaly] = findAnomalies(PLANTED[0]![2]);
    expect(anomaly!.transactions).toHaveLength(2);
    expect(anomaly!.explanation).toMatch(/1 -ww-> 2 \(x: 1 before 2\)/);
  });
});

describe('sound', () => {
  test.each([1, 2, 3, 4, 5])('a serial execution of 1,000 transactions, seed %i', (seed) => {
    const history = serialHistory(1_000, seed);
    expect(findAnomalies(history), toText(findAnomalies(history))).toEqual([]);
  });

  test('the order in which a history was written down does not matter', () => {
    const random = createSeededRandom(9);
    const shuffled = serialHistory(500, 9)
      .map((each) => [random(), each] as const)
      .sort(([one], [other]) => one - other)
      .map(([, each]) => each);
    expect(findAnomalies(shuffled)).toEqual([]);
  });

  test('what nobody was told of may have happened, or not', () => {
    expect(findAnomalies([unknown('1', a('x', 1)), ok('2', r('x', 1))])).toEqual([]);
    expect(findAnomalies([unknown('1', a('x', 1)), ok('2', r('x'))])).toEqual([]);
  });

  test('what an aborted transaction saw does not matter', () => {
    expect(findAnomalies([ok('1', a('x', 1), a('y', 1)), aborted('2', r('x', 1), r('y'))])).toEqual([]);
  });

  test('snapshot readers of different moments', () => {
    const history = [
      ok('1', a('x', 1), a('y', 1)),
      ok('2', a('x', 2)),
      ok('3', r('x', 1), r('y', 1)),
      ok('4', r('x', 1, 2), r('y', 1)),
      ok('5', r('x'), r('y')),
    ];
    expect(findAnomalies(history)).toEqual([]);
  });
});

/** Transactions one after the other; some are aborted; the last one reads everything. */
function serialHistory(count: number, seed: number): readonly Transaction[] {
  const random = createSeededRandom(seed);
  const lists = new Map<string, number[]>();
  const keys = Array.from({ length: 8 }, (_, at) => `s${at}`);
  let value = 1_000;
  const history: Transaction[] = [];
  for (let n = 0; n < count; n += 1) {
    const isAborted = random() < 0.1;
    const own = new Map<string, number[]>();
    const operations: Operation[] = [];
    for (let left = 1 + Math.floor(random() * 5); left > 0; left -= 1) {
      const key = keys[Math.floor(random() * keys.length)]!;
      const list = own.get(key) ?? [...(lists.get(key) ?? [])];
      own.set(key, list);
      if (random() < 0.5) operations.push(r(key, ...list));
      else {
        value += 1;
        list.push(value);
        operations.push(a(key, value));
      }
    }
    if (!isAborted) for (const [key, list] of own) lists.set(key, list);
    history.push(isAborted ? aborted(`s${n}`, ...operations) : ok(`s${n}`, ...operations));
  }
  return [...history, last(...keys.map((key) => r(key, ...(lists.get(key) ?? []))))];
}
