/**
 * Goal: frames are read as they were written, and bytes from anybody do no harm. Method: round trips of random messages;
 * then random bytes, truncations and bit flips, which must end at once in a message or in `sync/malformed`.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { decodeClientMessage, decodeRelayMessage, encodeMessage } from '../../src/protocol/sync/index.ts';
import { clientMessage, relayMessage } from './frames.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_121);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 2_000);
/** A frame of a few hundred bytes takes microseconds; this is a hang. */
const FRAME_MS_MAX = 250;

const settings = { seed: SEED, numRuns: RUNS };

test('[WIRE-1] what a client sends is read as it was written', () => {
  fc.assert(
    fc.property(clientMessage, (message) => {
      expect(decodeClientMessage(encodeMessage(message))).toEqual(message);
    }),
    settings,
  );
});

test('[WIRE-1] what a relay sends is read as it was written', () => {
  fc.assert(
    fc.property(relayMessage, (message) => {
      expect(decodeRelayMessage(encodeMessage(message))).toEqual(message);
    }),
    settings,
  );
});

test('[WIRE-2] random bytes are refused by name or are a message', () => {
  // The first byte is often a type that exists, else nothing behind it would be read.
  const type = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 100, max: 109 }));
  fc.assert(
    fc.property(type, fc.uint8Array({ maxLength: 300 }), (first, rest) => {
      decodesOrRefuses(Uint8Array.of(first, ...rest));
    }),
    { ...settings, numRuns: RUNS * 5 },
  );
});

test('[WIRE-2] a frame that was cut is refused', () => {
  fc.assert(
    fc.property(fc.oneof(clientMessage, relayMessage), fc.nat(), (message, cut) => {
      const frame = encodeMessage(message);
      const short = frame.subarray(0, cut % frame.length);
      expect(outcome(decodeClientMessage, short)).toBe('sync/malformed');
      expect(outcome(decodeRelayMessage, short)).toBe('sync/malformed');
    }),
    settings,
  );
});

test('[WIRE-2] a frame with flipped bits is refused by name or is a message', () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 7 })), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.oneof(clientMessage, relayMessage), flips, (message, bits) => {
      const frame = encodeMessage(message);
      for (const [at, bit] of bits) frame[at % frame.length]! ^= 1 << bit;
      decodesOrRefuses(frame);
    }),
    settings,
  );
});

test('[WIRE-2] counts and lengths that no frame pays for cost nothing', () => {
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f];
  const writer = Array.from({ length: 16 }, () => 1);
  const frames = [
    [102, ...writer, 1, 0, ...huge],
    [102, ...writer, 1, 0, 1, ...huge],
    [102, ...writer, 1, 0, 1, 1, 97, 0, ...huge],
    [102, ...writer, 1, 0, 1, 1, 97, 0, 1, 97, ...huge],
    [103, ...huge],
    [106, 0, 1, 0, ...huge],
    [108, 1, 0, 0, 0, ...huge],
    [100, 1, 1, ...huge],
  ];
  for (const frame of frames) {
    const bytes = Uint8Array.from(frame);
    const before = process.memoryUsage().arrayBuffers;
    expect(outcome(decodeClientMessage, bytes)).toBe('sync/malformed');
    expect(outcome(decodeRelayMessage, bytes)).toBe('sync/malformed');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
  }
});

test('[WIRE-3] a hello tells its versions, whatever a later version puts behind them', () => {
  const foreign = Uint8Array.of(100, 7, 9, 1, 2, 3, 4, 5);
  expect(decodeClientMessage(foreign)).toEqual({ type: 'foreign-hello', versionMin: 7, versionMax: 9 });
  const older = Uint8Array.of(100, 0, 0);
  expect(decodeClientMessage(older)).toEqual({ type: 'foreign-hello', versionMin: 0, versionMax: 0 });
  expect(outcome(decodeClientMessage, Uint8Array.of(100, 9, 7))).toBe('sync/malformed');
});

function decodesOrRefuses(bytes: Uint8Array): void {
  const start = performance.now();
  for (const decode of [decodeClientMessage, decodeRelayMessage]) {
    expect(['message', 'sync/malformed']).toContain(outcome(decode, bytes));
  }
  expect(performance.now() - start).toBeLessThan(FRAME_MS_MAX);
}

function outcome(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): string {
  try {
    decode(bytes);
    return 'message';
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}
