/** Numbers from a seed: the page and the driver draw the same ones. */
export type Random = {
  /** 0 <= n < 1. */
  next(): number;
  /** A whole number, 0 <= n < `end`. */
  below(end: number): number;
  /** Letters and digits that do not compress. */
  text(length: number): string;
};

/** Mulberry32: 32 bits of state, good enough to mix operations. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const bits = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const next = (): number => bits() / 0x1_0000_0000;
  return {
    next,
    below: (end) => Math.floor(next() * end),
    text(length) {
      let text = '';
      while (text.length < length) text += bits().toString(36);
      return text.slice(0, length);
    },
  };
}

/** A seed for one part of a run. */
export const seedFor = (seed: number, part: number): number =>
  (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(part + 1, 0xc2b2ae35)) >>> 0;
