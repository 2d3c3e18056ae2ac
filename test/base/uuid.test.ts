/** Goal: ids are valid UUIDs of version 7 that grow strictly, whatever the clock does, and do not repeat. */
import { expect, test } from 'vitest';
import { createUuid7 } from '../../src/base/uuid.ts';

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Bytes of a fixed sequence. */
function seeded(seed: number): (bytes: Uint8Array) => void {
  let state = seed;
  return (bytes) => {
    for (let i = 0; i < bytes.length; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      bytes[i] = state >>> 24;
    }
  };
}

const timeOf = (id: string): number => Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);

test('ids have the form of version 7 and carry the time', () => {
  const next = createUuid7(() => 1_700_000_000_123.9, seeded(1));
  for (let i = 0; i < 1_000; i++) {
    const id = next();
    expect(id).toMatch(FORM);
    expect(timeOf(id)).toBe(1_700_000_000_123);
  }
});

test('ids grow within a millisecond, over milliseconds, and when the clock steps back', () => {
  let ms = 1_700_000_000_000;
  const next = createUuid7(() => ms, seeded(2));
  let last = '';
  for (let i = 0; i < 20_000; i++) {
    if (i % 7 === 0) ms++;
    if (i % 1_000 === 999) ms -= 5_000;
    const id = next();
    expect(id > last).toBe(true);
    last = id;
  }
});

test('the highest randomness leaves room to count', () => {
  const next = createUuid7(
    () => 5,
    (bytes) => bytes.fill(255),
  );
  // The counter starts below its half, so it lasts for 2^25 ids at least: only the step is tried here.
  const ids = Array.from({ length: 1_000 }, next);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test('two generators with different randomness do not meet', () => {
  const [one, two] = [createUuid7(() => 5, seeded(3)), createUuid7(() => 5, seeded(4))];
  const ids = new Set(Array.from({ length: 2_000 }, () => [one(), two()]).flat());
  expect(ids.size).toBe(4_000);
});
