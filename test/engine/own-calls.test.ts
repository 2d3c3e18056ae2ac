/**
 * Goal: what a leader's own page has asked and was not answered can be asked again of the next leader, and is done once
 * (T4, T7). Method: engines one after the other on one home; the first is left without a close, as a tab that was stopped.
 */
import { expect, test } from 'vitest';
import { encodeRows } from '../../src/base/codec/index.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { type Call, type ClientMessage, OK, type Reply, type ServerMessage } from '../../src/protocol/messages.ts';
import type { Engine } from '../../worker/engine/index.ts';
import { PortServer, type ServedPort } from '../../worker/engine/port-server.ts';
import { createMemoryImage } from '../../worker/storage/index.ts';
import { collection, openOnImage } from './engine-fixture.ts';

const COLLECTIONS = [collection('rows')];
const INCREMENT = (id: number, key = 'a'): Call => [
  'plain',
  id,
  'rows',
  { type: 'update', collection: 'rows', key, changes: { $inc: { n: 1 } } },
  undefined,
  false,
  false,
];

/** The page beside an engine, or a follower of it. */
function connect(engine: Engine, client: string, how: 'own' | 'follower') {
  const replies = new Map<number, Reply>();
  const port: ServedPort = {
    onmessage: null,
    postMessage: (message: ServerMessage) => {
      for (const reply of message) replies.set(reply[0], reply);
    },
    close: () => undefined,
  };
  new PortServer(engine, port, how === 'own' ? { client, isOwn: true } : { client });
  const ask = async (...message: ClientMessage): Promise<Reply | undefined> => {
    port.onmessage?.({ data: message } as MessageEvent<ClientMessage>);
    const id = message[0].at(-1)![1];
    await expect.poll(() => replies.has(id)).toBe(true);
    return replies.get(id);
  };
  return { ask, create: (id: number, key: string) => ask([CREATE(id)], encodeRows([{ id: key, n: 0 }])) };
}

const CREATE = (id: number): Call => ['write', id, 'rows', 'create', 1, undefined, false];

const countOf = async (engine: Engine, key = 'a'): Promise<unknown> => (await engine.get('rows', key))?.['n'];

test('[T4] [T7] the last call of a page beside its engine is known to the next engine', async () => {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS);
  const page = connect(first, 'tab', 'own');
  await page.create(1, 'a');
  await page.ask([INCREMENT(2)], undefined);
  await page.ask([INCREMENT(3)], undefined);

  const next = await openOnImage(image, COLLECTIONS);
  const again = connect(next, 'tab', 'follower');
  expect(await again.ask([INCREMENT(3)], undefined)).toEqual([3, OK, { id: 'a', n: 2 }, 'none']);
  expect(await countOf(next)).toBe(2);
  expect(await again.ask([INCREMENT(4)], undefined)).toEqual([4, OK, { id: 'a', n: 3 }, 'none']);
});

test('[T4] [T7] and to the one after it, also when the log has been taken up into pages', async () => {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS);
  const page = connect(first, 'tab', 'own');
  await page.create(1, 'a');
  await page.ask([INCREMENT(2)], undefined);

  const second = await openOnImage(image, COLLECTIONS);
  await connect(second, 'other', 'own').create(1, 'b');
  await second.checkpoint();
  const third = await openOnImage(image, COLLECTIONS);
  expect(await connect(third, 'tab', 'follower').ask([INCREMENT(2)], undefined)).toEqual([
    2,
    OK,
    { id: 'a', n: 1 },
    'none',
  ]);
  expect(await countOf(third)).toBe(1);
});

test('[T4] what a page beside its engine was answered is not kept, in memory or by the next engine', async () => {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS);
  const page = connect(first, 'tab', 'own');
  await page.create(1, 'a');
  for (let id = 2; id < 50; id++) await page.ask([INCREMENT(id)], undefined);
  expect(first.answeredClients).toEqual([]);

  const next = await openOnImage(image, COLLECTIONS);
  expect(next.answeredClients).toEqual(['tab']);
  expect(next.answered({ client: 'tab', call: 48 })).toBeUndefined();
  expect(next.answered({ client: 'tab', call: 49 })).toBeDefined();
});

test('[T4] each kind of answer is the same when it is asked for again', async () => {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS);
  const page = connect(first, 'tab', 'own');
  const rows = Array.from({ length: 3 }, (_, at) => ({ id: `r${at}`, n: at }));
  const many: Call = ['write', 1, 'rows', 'create', 3, undefined, false];
  const answers: [ClientMessage, Reply | undefined][] = [];
  const asked: readonly ClientMessage[] = [
    [[many], encodeRows(rows)],
    [[INCREMENT(2, 'r1')], undefined],
    [[['plain', 3, 'rows', { type: 'delete', collection: 'rows', key: 'r0' }, undefined, false, false]], undefined],
    [
      [
        [
          'plain',
          4,
          'rows',
          { type: 'updateMany', collection: 'rows', selector: {}, changes: { $set: { m: 1 } } },
          undefined,
          false,
          false,
        ],
      ],
      undefined,
    ],
  ];
  for (const message of asked) {
    answers.push([message, await page.ask(...message)]);
    // Of each, while it is the last one.
    const next = await openOnImage(image, COLLECTIONS);
    expect(await connect(next, 'tab', 'follower').ask(...message)).toEqual(answers.at(-1)![1]);
  }
});

test('[T4] [T7] no checkpoint begins when another tab has the store: it would take up what the page was not answered', async () => {
  const image = createMemoryImage();
  const first = await openOnImage(image, COLLECTIONS);
  await connect(first, 'tab', 'own').create(1, 'a');
  const running = first.checkpoint();
  const waiting = first.checkpoint();
  first.supersede(new StoreError('tabs/lock-stolen', 'Another tab has the store.'));
  await running;
  await expect(waiting).rejects.toMatchObject({ code: 'engine/superseded' });
});
