/** Goal: the example in PROTOCOL.md is what the code writes. Method: read the document's bytes, and make them anew. */
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { decodeClientMessage, decodeRelayMessage, encodeMessage } from '../../src/protocol/sync/index.ts';
import { textOf } from '../tidy/sources.ts';

const document = textOf('src/protocol/sync/PROTOCOL.md');

test('[WIRE-4] the push of the example', () => {
  const doc = new Y.Doc({ guid: 'tasks/a' });
  doc.clientID = 7;
  doc.getMap('fields').set('done', true);
  const change = { collection: 'tasks', key: 'a', update: Y.encodeStateAsUpdate(doc) };
  const push = { type: 'push', writer: WRITER, sequence: 1, hasMore: false, changes: [change] } as const;
  expect(hex(encodeMessage(push))).toBe(exampleFrom('66 '));
  expect(encodeMessage(push)).toHaveLength(sizeBefore('66 '));
  expect(decodeClientMessage(encodeMessage(push))).toEqual(push);
});

test('[WIRE-4] the acknowledgement of the example', () => {
  const ack = { type: 'ack', acks: [{ writer: WRITER, sequence: 1, logSequence: 1 }] } as const;
  expect(hex(encodeMessage(ack))).toBe(exampleFrom('67 '));
  expect(encodeMessage(ack)).toHaveLength(sizeBefore('67 '));
  expect(decodeRelayMessage(encodeMessage(ack))).toEqual(ack);
});

const WRITER = '000102030405060708090a0b0c0d0e0f';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The bytes of the block whose first line begins so: the left column, up to the next empty line. */
function exampleFrom(start: string): string {
  const lines = document
    .slice(document.indexOf(`    ${start}`))
    .split('\n\n')[0]!
    .split('\n');
  return lines.map((line) => line.slice(4).split('   ')[0]!.replaceAll(' ', '')).join('');
}

function sizeBefore(start: string): number {
  const before = document.slice(0, document.indexOf(`    ${start}`));
  return Number(before.match(/has (\d+) bytes(?!.*has \d+ bytes)/s)![1]);
}
