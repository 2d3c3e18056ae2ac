/** Goal: the encoder by hand writes what Yjs writes. Method: random rows through both, byte by byte. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StoreError } from '../../src/base/store-error.ts';
import { freshRow, RowDocument } from '../../worker/documents/index.ts';

const name = { collection: 'rows', key: 'k' };
const scalar = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    false,
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    63,
    64,
    -65,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 53,
  ),
  fc.integer(),
  fc.double(),
  fc.float(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme', maxLength: 300 }),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 200 }),
  fc.float64Array({ maxLength: 3 }),
);
const field = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  fc.constantFrom('$', '$x', '$deleted', '$:a', '$$'),
  fc.constant('half \ud800'),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('$date', '$x')), tie('any'), {
      maxKeys: 4,
      noNullPrototype: true,
    }),
  ),
})).any;
const row = fc.dictionary(field, value, { maxKeys: 12, noNullPrototype: true });
const clientId = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }));

function outcome(run: () => Uint8Array | undefined): unknown {
  try {
    return run();
  } catch (error) {
    if (error instanceof StoreError) return [error.code, error.message];
    throw error;
  }
}

test('[DOC-2] [DOC-3] [DOC-5] a row written by hand is the update and the state that Yjs makes of it', () => {
  fc.assert(
    fc.property(row, clientId, (given, id) => {
      const document = new RowDocument({ name, types: {}, clientId: id });
      const update = outcome(() => document.put(given));
      const fresh = outcome(() => freshRow(given, id));
      expect(fresh).toEqual(update);
      if (fresh instanceof Uint8Array) expect(fresh).toEqual(document.state);
    }),
    { numRuns: 3_000 },
  );
});
