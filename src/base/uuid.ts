/**
 * UUIDs of version 7 (RFC 9562): 48 bits of milliseconds, then a counter, then randomness. Ids of one generator grow
 * strictly, also within a millisecond and when the clock steps back, so new rows go to the end of the primary tree.
 */

/** Random bytes drawn at once: one call of the platform for many ids. */
const POOL_BYTES = 2048;
/** Random bytes of one id: 14 bits for the counter's start, 48 bits that stay random. */
const ID_BYTES = 8;
/** The counter has the 12 bits of rand_a and 14 bits of rand_b; it starts in its lower half, to have room. */
const COUNTER_MAX = 2 ** 26 - 1;

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** `now` gives milliseconds since 1970; `random` fills the bytes it is given. */
export function createUuid7(now: () => number, random: (bytes: Uint8Array) => void): () => string {
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;
  let lastMs = -1;
  let counter = 0;
  let prefix = '';

  return () => {
    if (at === POOL_BYTES) {
      random(pool);
      at = 0;
    }
    const ms = Math.floor(now());
    if (ms > lastMs) {
      startMillisecond(ms);
    } else if (++counter > COUNTER_MAX) {
      // The counter is used up: borrow from the future rather than wait or repeat (RFC 9562, 6.2).
      startMillisecond(lastMs + 1);
    }
    const id =
      prefix +
      HEX[0x70 | (counter >>> 22)]! +
      HEX[(counter >>> 14) & 255]! +
      '-' +
      HEX[0x80 | ((counter >>> 8) & 63)]! +
      HEX[counter & 255]! +
      '-' +
      HEX[pool[at + 2]!]! +
      HEX[pool[at + 3]!]! +
      HEX[pool[at + 4]!]! +
      HEX[pool[at + 5]!]! +
      HEX[pool[at + 6]!]! +
      HEX[pool[at + 7]!]!;
    at += ID_BYTES;
    return id;
  };

  function startMillisecond(ms: number): void {
    lastMs = ms;
    const hex = ms.toString(16).padStart(12, '0');
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-`;
    counter = ((pool[at]! << 8) | pool[at + 1]!) << 9;
  }
}
