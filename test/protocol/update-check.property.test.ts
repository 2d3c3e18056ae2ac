/**
 * Goal: what Yjs writes passes, and what passes does Yjs no harm. Method: updates of random documents must pass; the
 * known bad ones must not; mutated ones that pass are applied, which must end soon, with or without an error.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { StoreError } from '../../src/base/store-error.ts';
import { checkStateVector, checkUpdate } from '../../src/protocol/sync/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { randomDocument } from './random-document.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 7);
const RUNS = Number(process.env['FUZZ_RUNS'] ?? 1_000);
const APPLY_MS_MAX = 250;

test('[R4] updates and states of random documents pass', () => {
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const { updates, state } = randomDocument(seed);
    for (const update of [...updates, state, Y.mergeUpdates([...updates])]) {
      expect(() => checkUpdate(update), `seed ${seed}`).not.toThrow();
    }
    const { structs, ds } = Y.decodeUpdate(state);
    const deletions = [...ds.clients.values()].reduce((sum, ranges) => sum + ranges.length, 0);
    expect(checkUpdate(state), `seed ${seed}`).toEqual({ structCount: structs.length, deletionCount: deletions });
    expect(() => checkStateVector(Y.encodeStateVectorFromUpdate(state)), `seed ${seed}`).not.toThrow();
  }
});

test('[R4] an update that leaves a gap passes: the missing part may come later', () => {
  const doc = new Y.Doc({ guid: 'gap' });
  const updates: Uint8Array[] = [];
  doc.on('update', (update: Uint8Array) => updates.push(update));
  for (let step = 0; step < 5; step++) doc.getMap('fields').set('n', step);
  const withGap = Y.mergeUpdates([updates[0]!, updates[4]!]);
  expect(checkUpdate(withGap).structCount).toBe(3);
});

test.each([
  ['nothing (yjs 498)', ''],
  ['text (yjs 479)', Buffer.from('garbagedoc', 'base64').toString('hex')],
  ['a version 2 update that asks for a huge run (yjs 687)', '00010000000001000100010200001602000001fdffffffff7f0000'],
  ['four billion clients', 'ffffffff0f'],
  ['four billion structs', '01ffffffff0f0100'],
  ['an empty text', '01010100040101610000'],
  ['a run of length 0', '0101010000000000'],
  ['a clock at which 1 more is the same', '01010180808080808080100001' + '00'],
  ['four billion values', '0101010008010161ffffffff0f00'],
  ['four billion fields', '01010100080101610176ffffffff0f00'],
  ['a client twice', '02' + '0101000001' + '0101000001' + '00'],
  ['an unknown content', '010101001f010161' + '00'],
  ['a subdocument', '0101010009010161' + '0178' + '7600' + '00'],
  ['bytes behind the end', '000000'],
  ['four billion deleted ranges', '000101ffffffff0f'],
  ['a deleted range of length 0', '000101010000'],
  ['the field __proto__', '0101010028010166' + '095f5f70726f746f5f5f' + '0178' + '00'],
])('[R4] %s is refused', (_, hex) => {
  expect(outcome(Uint8Array.from(Buffer.from(hex, 'hex')))).toBe('sync/invalid-update');
});

test('[R4] values nested too deep are refused, in both encodings', () => {
  const doc = new Y.Doc({ guid: 'deep' });
  doc.getMap('fields').set('deep', nested(200));
  expect(outcome(Y.encodeStateAsUpdate(doc))).toBe('sync/invalid-update');
  const text = new Y.Doc({ guid: 'deep' });
  text.getText('text').insertEmbed(0, nested(200) as object);
  expect(outcome(Y.encodeStateAsUpdate(text))).toBe('sync/invalid-update');
});

test('[R4] [S5] no name reaches a prototype', () => {
  for (const name of ['__proto__', 'constructor', 'prototype']) {
    const hostile = JSON.parse(`{"a": [{"${name}": {"polluted": true}}]}`) as object;
    const documents = [new Y.Doc({ guid: 'a' }), new Y.Doc({ guid: 'b' }), new Y.Doc({ guid: 'c' })] as const;
    documents[0].getMap('fields').set('x', hostile);
    documents[1].getMap(name).set('x', 1);
    documents[2].getText('t').insertEmbed(0, hostile);
    for (const doc of documents) expect(outcome(Y.encodeStateAsUpdate(doc)), name).toBe('sync/invalid-update');
  }
});

test('[R4] mutated updates that pass are applied in bounded time', { timeout: 120_000 }, () => {
  let passed = 0;
  let slowestMs = 0;
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const random = createSeededRandom(seed);
    const { state } = randomDocument(seed);
    for (let round = 0; round < 10; round++) {
      const mutated = mutate(state, random);
      const start = performance.now();
      if (outcome(mutated) === 'sound') {
        passed++;
        applyTo(mutated);
      }
      const tookMs = performance.now() - start;
      slowestMs = Math.max(slowestMs, tookMs);
      expect(tookMs, `seed ${seed}, ${Buffer.from(mutated).toString('hex')}`).toBeLessThan(APPLY_MS_MAX);
    }
  }
  // The mutations are mild enough that many come through: else this would test nothing.
  expect(passed).toBeGreaterThan(RUNS);
  console.log(`${passed} of ${RUNS * 10} mutations passed, the slowest took ${slowestMs.toFixed(1)} ms`);
});

test('[R4] random bytes are sound or refused by name', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(['sound', 'sync/invalid-update']).toContain(outcome(bytes));
    }),
    { seed: SEED, numRuns: RUNS * 5 },
  );
});

function outcome(update: Uint8Array): string {
  try {
    checkUpdate(update);
    return 'sound';
  } catch (error) {
    if (error instanceof StoreError) return error.code;
    throw error;
  }
}

/** As the relay does it: an error of Yjs is allowed, a hang is not. */
function applyTo(update: Uint8Array): void {
  const doc = new Y.Doc({ guid: 'mutated' });
  try {
    Y.applyUpdate(doc, update);
    Y.encodeStateAsUpdate(doc);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
}

function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  const mutated = bytes.slice();
  const count = 1 + Math.floor(random() * 3);
  for (let round = 0; round < count; round++) {
    const at = Math.floor(random() * mutated.length);
    mutated[at] = random() < 0.5 ? mutated[at]! ^ (1 << Math.floor(random() * 8)) : Math.floor(random() * 256);
  }
  return mutated;
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}
