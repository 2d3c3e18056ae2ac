/**
 * Goal: the checker of what devices saw of each other finds each class of anomaly and accuses no sound history. Method:
 * histories with one planted anomaly, and random ones of devices that share one log.
 */
import { expect, test } from 'vitest';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { type CausalAnomalyType, type CausalHistory, findCausalAnomalies } from './causal.ts';

type Event = CausalHistory[number];
const w = (device: string, transaction: string): Event => ({
  type: 'write',
  device,
  transaction,
  rows: [`${transaction}.0`, `${transaction}.1`],
});
const r = (device: string, ...transactions: readonly string[]): Event => ({
  type: 'read',
  device,
  rows: transactions.flatMap((transaction) =>
    transaction.includes('.') ? transaction : [`${transaction}.0`, `${transaction}.1`],
  ),
});
const typesIn = (history: CausalHistory): readonly CausalAnomalyType[] => [
  ...new Set(findCausalAnomalies(history, { isHealed: true }).map(({ type }) => type)),
];

test.each<readonly [CausalAnomalyType, CausalHistory]>([
  ['unexplained-row', [w('a', '1'), r('a', '1', '2.0'), r('a', '1')]],
  ['half-transaction', [w('a', '1'), r('b', '1.1'), r('a', '1'), r('b', '1')]],
  ['own-write-unseen', [w('a', '1'), r('a'), r('a', '1')]],
  ['unseen-again', [w('a', '1'), r('b', '1'), r('b'), r('b', '1')]],
  [
    'effect-before-cause',
    [w('a', '1'), r('b', '1'), w('b', '2'), r('c', '2'), r('a', '1', '2'), r('b', '1', '2'), r('c', '1', '2')],
  ],
  ['effect-before-cause', [w('a', '1'), w('a', '2'), r('b', '2'), r('a', '1', '2'), r('b', '1', '2')]],
  ['lost-write', [w('a', '1'), w('b', '2'), r('b', '1', '2'), r('a', '1')]],
  ['no-convergence', [w('a', '1'), w('b', '2'), r('b', '1', '2'), r('a', '1')]],
])('[R21] finds %s', (type, history) => {
  expect(typesIn(history)).toContain(type);
});

test('[R21] of two that did not know of each other either may be seen first', () => {
  const history = [w('a', '1'), w('b', '2'), r('c', '2'), r('d', '1')];
  expect(typesIn([...history, ...['a', 'b', 'c', 'd'].map((device) => r(device, '1', '2'))])).toEqual([]);
});

test('[R21] random histories of devices that follow one log are sound, and are not when one skips something', () => {
  let found = 0;
  for (let seed = 1; seed <= 300; seed++) {
    const random = createSeededRandom(seed);
    const below = (count: number): number => Math.floor(random() * count);
    const log: string[] = [];
    const devices = ['a', 'b', 'c'].map((name) => ({ name, has: [] as string[], unsent: [] as string[], at: 0 }));
    const history: Event[] = [];
    let skipped: string | undefined;
    const pull = (device: (typeof devices)[number], to: number): void => {
      for (; device.at < to; device.at++) {
        const transaction = log[device.at]!;
        if (device.has.includes(transaction)) continue;
        const isSkipped = seed % 2 === 0 && skipped === undefined && device.name === 'c' && log.length > 12;
        if (isSkipped) skipped = transaction;
        else device.has.push(transaction);
      }
    };
    for (let step = 0; step < 60; step++) {
      const device = devices[below(3)]!;
      const dice = random();
      if (dice < 0.3) {
        const transaction = `${step}`;
        history.push(w(device.name, transaction));
        device.has.push(transaction);
        device.unsent.push(transaction);
      } else if (dice < 0.5) log.push(...device.unsent.splice(0));
      else if (dice < 0.75) pull(device, device.at + below(log.length - device.at + 1));
      else history.push(r(device.name, ...device.has));
    }
    for (const { unsent } of devices) log.push(...unsent.splice(0));
    for (const device of devices) {
      pull(device, log.length);
      history.push(r(device.name, ...device.has));
    }
    const types = typesIn(history);
    if (skipped === undefined) expect(types, `seed ${seed}`).toEqual([]);
    else {
      expect(types, `seed ${seed}`).toContain('lost-write');
      if (types.includes('effect-before-cause')) found++;
    }
  }
  expect(found).toBeGreaterThan(50);
});
