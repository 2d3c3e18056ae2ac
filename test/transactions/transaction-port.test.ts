/** Goal: over a port, everything of a transaction is a message, and all of it ends with its client (TXN-9). Method: ports by hand. */
import { expect, test } from 'vitest';
import { encodeRows } from '../../src/base/codec/index.ts';
import type { Call, ClientMessage, Reply, ServerMessage } from '../../src/protocol/messages.ts';
import { servePort } from '../../worker/engine/port-server.ts';
import { keptBy, NOTHING, openBank, turn } from './transaction-fixture.ts';

/** A client that speaks to a port: messages of calls, and the replies to each call. */
function connect(engine: Parameters<typeof servePort>[0]) {
  const { port1, port2 } = new MessageChannel();
  const stop = servePort(engine, port2);
  const replies = new Map<number, Reply[]>();
  port1.onmessage = ({ data }: MessageEvent<ServerMessage>) => {
    for (const reply of data) replies.set(reply[0], [...(replies.get(reply[0]) ?? []), reply]);
  };
  const send = async (...message: ClientMessage): Promise<void> => {
    port1.postMessage(message);
    await turn();
  };
  const hasAnswer = (id: number): boolean => replies.has(id);
  const answerTo = async (id: number): Promise<readonly unknown[] | undefined> => {
    for (let left = 200; left > 0 && !hasAnswer(id); left -= 1) await turn();
    return replies.get(id)?.at(-1)?.slice(1);
  };
  return { stop, send, answerTo, hasAnswer, close: () => port1.close() };
}

const BEGIN = (id: number): Call => ['begin', id, {}];
const GET = (id: number, tx: number, key: string): Call => ['in', id, tx, ['get', id, 'accounts', key]];
const DELETE = (id: number, tx: number, key: string): Call => [
  'in',
  id,
  tx,
  ['plain', id, 'accounts', { type: 'delete', collection: 'accounts', key }, undefined, false, false],
];

test('[TXN-11] a whole transaction may travel in one message', async () => {
  const { engine, accounts } = await openBank();
  const client = connect(engine);
  const create: Call = ['in', 3, 1, ['write', 3, 'accounts', 'create', 1, undefined, false]];
  const message: Call[] = [BEGIN(1), DELETE(2, 1, 'a'), create, GET(4, 1, 'z'), ['commit', 5, 1]];
  await client.send(message, encodeRows([{ id: 'z', balance: 7 }]));
  expect(await client.answerTo(4)).toEqual([0, { id: 'z', balance: 7 }]);
  expect(await client.answerTo(5)).toEqual([0, undefined, 'none']);
  expect(await accounts.getMany('a', 'z')).toEqual([undefined, { id: 'z', balance: 7 }]);
  client.stop();
  client.close();
});

test('[TXN-9] the transactions of a client end with its port', async () => {
  const { engine, accounts, begin } = await openBank();
  const [gone, other] = [connect(engine), connect(engine)];
  await gone.send([BEGIN(1), DELETE(2, 1, 'a'), ['lock', 3, 1, 'accounts', 'b'], BEGIN(4), GET(5, 4, 'a')], undefined);
  await other.send([BEGIN(1), ['lock', 2, 1, 'accounts', 'b'], GET(3, 1, 'a')], undefined);
  expect(other.hasAnswer(2)).toBe(false);
  gone.stop();
  await turn();
  expect(await other.answerTo(2)).toEqual([0, undefined]);
  expect(await other.answerTo(3)).toMatchObject([0, { id: 'a', balance: 100 }]);
  await other.send([['rollback', 4, 1]], undefined);
  expect(await accounts.count()).toBe(5);
  expect(await keptBy(engine)).toEqual(NOTHING);
  begin().raw.rollback();
  other.stop();
  gone.close();
  other.close();
});

test('[TXN-11] numbers of transactions belong to their client', async () => {
  const { engine } = await openBank();
  const [one, two] = [connect(engine), connect(engine)];
  await one.send([BEGIN(1), DELETE(2, 1, 'a')], undefined);
  // What it has not begun here may have been begun under another leader.
  await two.send([GET(2, 1, 'a'), ['commit', 3, 1], ['rollback', 4, 1]], undefined);
  for (const id of [2, 3, 4]) expect(await two.answerTo(id)).toMatchObject([1, { code: 'transaction/interrupted' }]);
  await two.send([BEGIN(5), ['rollback', 6, 5], GET(7, 5, 'a'), ['rollback', 8, 5]], undefined);
  await two.send([['in', 9, 5, ['health', 9]]], undefined);
  expect(await two.answerTo(6)).toEqual([0, undefined]);
  expect(await two.answerTo(7)).toMatchObject([1, { code: 'transaction/ended' }]);
  expect(await two.answerTo(8)).toEqual([0, undefined]);
  expect(await two.answerTo(9)).toMatchObject([1, { code: 'transaction/unsupported-call' }]);
  await one.send([['commit', 3, 1]], undefined);
  expect(await one.answerTo(3)).toEqual([0, undefined, 'none']);
  for (const client of [one, two]) {
    client.stop();
    client.close();
  }
});
