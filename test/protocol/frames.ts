/** Arbitrary messages of the sync protocol, for round trips and mutations. */
import fc from 'fast-check';
import * as sync from '../../src/protocol/sync/index.ts';

const natural = fc.maxSafeNat();
const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const writer = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(sync.writerName);
// Whole characters: the wire is UTF-8, which has no lone surrogates.
const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: 'grapheme', maxLength });
const key = fc.oneof(
  text(40),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
);
const row = fc.record({ collection: fc.string({ minLength: 1, maxLength: 20 }), key });
const change = fc.tuple(row, bytes(60)).map(([name, update]) => ({ ...name, update }));
const changes = fc.array(change, { maxLength: 8 });
const cursor = fc.record({ sequence: natural, ordinal: fc.nat(0xffff_ffff) });
const bytesMax = fc.nat(sync.PAGE_BYTES_MAX);

export const clientMessage: fc.Arbitrary<Exclude<sync.ClientMessage, sync.ForeignHello>> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    versionMin: fc.constant(1),
    versionMax: fc.integer({ min: 1, max: 50 }),
    store: text(10),
    token: text(30),
    epoch: text(5),
  }),
  fc.record({ type: fc.constant('push' as const), writer, sequence: positive, hasMore: fc.boolean(), changes }),
  fc.record({ type: fc.constant('pull' as const), request: positive, after: natural, bytesMax, follow: fc.boolean() }),
  fc.record({ type: fc.constant('rows' as const), request: positive, after: cursor, bytesMax }),
  fc.record({
    type: fc.constant('digest' as const),
    request: positive,
    after: fc.option(row, { nil: undefined }),
    rowsMax: fc.integer({ min: 0, max: sync.DIGEST_ROWS_MAX }),
  }),
  fc.record({ type: fc.constant('states' as const), request: positive, rows: fc.array(row, { maxLength: 6 }) }),
  fc.record({ type: fc.constant('beat' as const), head: natural }),
);

const batches = fc.uniqueArray(positive, { maxLength: 6 }).chain((sequences) =>
  fc.tuple(
    ...sequences
      .toSorted((a, b) => a - b)
      .map((sequence) =>
        fc.record({
          sequence: fc.constant(sequence),
          writer,
          writerSequence: natural,
          changes: fc.option(changes, { nil: undefined }),
        }),
      ),
  ),
);
const projection = fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined });
const foldedRow = fc
  .tuple(row, cursor, bytes(60), projection)
  .map(([name, at, state, shown]) => ({ at, ...name, state, projection: shown }));

export const relayMessage: fc.Arbitrary<sync.RelayMessage> = fc.oneof(
  fc.record({
    type: fc.constant('welcome' as const),
    version: natural,
    epoch: text(10),
    head: natural,
    floor: natural,
    frameBytesMax: natural,
    batchBytesMax: natural,
  }),
  fc.record({
    type: fc.constant('ack' as const),
    acks: fc.array(fc.record({ writer, sequence: natural, logSequence: natural }), { maxLength: 10 }),
  }),
  fc.record({
    type: fc.constant('refuse' as const),
    code: fc.constantFrom(...(Object.keys(sync.REFUSAL_NUMBERS) as sync.RefusalCode[])),
    about: natural,
    request: natural,
    writer: fc.oneof(writer, fc.constant('')),
    retryAfterMs: natural,
    text: text(20),
  }),
  fc.record({
    type: fc.constant('deliver' as const),
    request: natural,
    isComplete: fc.boolean(),
    head: natural,
    batches,
  }),
  fc.record({
    type: fc.constant('row-page' as const),
    request: natural,
    isComplete: fc.boolean(),
    through: natural,
    rowCount: natural,
    rows: fc.array(foldedRow, { maxLength: 6 }),
  }),
  fc.record({
    type: fc.constant('digests' as const),
    request: natural,
    isLast: fc.boolean(),
    through: natural,
    head: natural,
    rowCount: natural,
    rows: fc.array(
      fc.tuple(row, fc.uint8Array({ minLength: 8, maxLength: 8 })).map(([name, digest]) => ({ ...name, digest })),
      { maxLength: 6 },
    ),
  }),
  fc.record({ type: fc.constant('state-page' as const), request: natural, rows: changes }),
  fc.record({ type: fc.constant('beat' as const), head: natural }),
);
