/** Goal: the page's own timers keep what callers believe of them. Method: real timers, briefly. */
import { expect, test } from 'vitest';
import { createPlatform } from '../../src/base/platform.ts';

test('[T6] a delay that no timer can hold does not end at once', async () => {
  const { setTimer } = createPlatform();
  let runs = 0;
  const stops = [Number.POSITIVE_INFINITY, 1e12].map((delayMs) => setTimer(() => runs++, delayMs));
  await new Promise((resolve) => setTimeout(resolve, 30));
  for (const stop of stops) stop();
  expect(runs).toBe(0);
});

test('yielding lets other tasks run, in order', async () => {
  const { yieldTask } = createPlatform();
  const order: string[] = [];
  await Promise.all([yieldTask().then(() => order.push('a')), yieldTask().then(() => order.push('b'))]);
  expect(order).toEqual(['a', 'b']);
});
