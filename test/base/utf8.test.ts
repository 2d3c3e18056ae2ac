/** Goal: short texts that are put together by hand are what TextDecoder makes of them. Oracle: TextDecoder. */
import { expect, test } from 'vitest';
import { decodeUtf8 } from '../../src/base/utf8.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';

const SEED = 20_261_122;
const TEXTS = 2_000;

test(`[R4] any bytes are read as TextDecoder reads them, or refused as it does (seed ${SEED})`, () => {
  const random = createSeededRandom(SEED);
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let refused = 0;
  for (let count = 0; count < TEXTS; count++) {
    const length = Math.floor(random() * 40);
    // Of ASCII alone, or of bytes of all kinds now and then.
    const isAscii = random() < 0.5;
    const bytes = Uint8Array.from({ length: length + 4 }, () => Math.floor(random() * (isAscii ? 128 : 200)));
    if (!isAscii && random() < 0.5)
      bytes.set(new TextEncoder().encode('\uFEFF\u00e9'.repeat(9)).subarray(0, length), 2);
    const read = (decode: () => string): string | undefined => {
      try {
        return decode();
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        refused += 1;
        return undefined;
      }
    };
    const text = read(() => decodeUtf8(bytes, 2, 2 + length));
    expect(text, `seed ${SEED}, text ${count}`).toBe(read(() => decoder.decode(bytes.subarray(2, 2 + length))));
  }
  expect(refused).toBeGreaterThan(100);
});
