/**
 * Goal: unmodified y-websocket clients and our devices edit the same documents (R18). Method: y-websocket 3 as published,
 * with ws as its WebSocket, against a relay on LevelDB; the states at the end are compared byte by byte.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { fieldsOf, setFields } from './device.ts';
import { type RunningFixture, startRelay } from './relay-fixture.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 18);

let folder: string;
let fixture: RunningFixture;
let providers: WebsocketProvider[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-stock-'));
  fixture = await startRelay({ data: folder });
  providers = [];
});
afterEach(async () => {
  for (const provider of providers) leave(provider);
  await fixture.stop();
  await rm(folder, { recursive: true, force: true });
});

test('[R18] two clients in a room converge to equal bytes, and so does one who comes later', async () => {
  const [first, second] = [joinRoom('room', 'letters'), joinRoom('room', 'letters')];
  first.doc.getText('body').insert(0, 'hello ');
  second.doc.getText('body').insert(0, 'world ');
  second.doc.getMap('meta').set('title', 'Greeting');
  await converged(first, second);
  const late = joinRoom('room', 'letters');
  await converged(first, second, late);
  expect(late.doc.getText('body').toString()).toHaveLength(12);
});

test('[R18] text and fields of a row go both ways between stock clients and our devices', async () => {
  const device = await fixture.device();
  await device.push(1, [setFields('a', { title: 'from a device' })]);
  const editor = joinRoom('doc/app/tasks', 'a');
  await until(() => editor.doc.getMap('fields').get('title') === 'from a device');
  const { head } = await device.next('welcome');
  expect(head).toBe(0);
  device.send({ type: 'pull', request: 1, after: 1, bytesMax: 1000, follow: true });
  await device.next('deliver');

  editor.doc.transact(() => {
    editor.doc.getMap('fields').set('done', true);
    editor.doc.getMap('fields').set('notes', new Y.Text('typed'));
  });
  const delivered = (await device.next('deliver')).batches.flatMap(({ changes }) => changes ?? []);
  expect(delivered.map(({ collection, key }) => [collection, key])).toEqual([['tasks', 'a']]);
  expect(fieldsOf(delivered.map(({ update }) => update))).toEqual({ done: true, notes: 'typed' });

  await device.push(2, [setFields('a', { priority: 3 }), setFields('b', { title: 'another' })]);
  await until(() => editor.doc.getMap('fields').get('priority') === 3);
  expect(editor.doc.getMap('fields').toJSON()).toEqual({
    title: 'from a device',
    done: true,
    notes: 'typed',
    priority: 3,
  });
  const other = joinRoom('doc/app/tasks', 'b');
  await until(() => other.doc.getMap('fields').get('title') === 'another');
});

test('[R18] a numeric key is another row than its text', async () => {
  const device = await fixture.device();
  await device.push(1, [setFields(5, { kind: 'number' }), setFields('5', { kind: 'text' })]);
  const [number, text] = [joinRoom('doc/app/tasks', '5', { key: 'number' }), joinRoom('doc/app/tasks', '5')];
  await until(() => number.doc.getMap('fields').has('kind') && text.doc.getMap('fields').has('kind'));
  expect(number.doc.getMap('fields').get('kind')).toBe('number');
  expect(text.doc.getMap('fields').get('kind')).toBe('text');
});

test('[R18] awareness is seen by others, and ends with the client', async () => {
  const [first, second] = [joinRoom('room', 'a'), joinRoom('room', 'a')];
  await converged(first, second);
  first.provider.awareness.setLocalStateField('user', { name: 'Ada' });
  await until(() => second.provider.awareness.getStates().get(first.doc.clientID)?.['user']?.name === 'Ada');
  const late = joinRoom('room', 'a');
  await until(() => late.provider.awareness.getStates().get(first.doc.clientID)?.['user']?.name === 'Ada');
  leave(first.provider);
  await until(() => !second.provider.awareness.getStates().has(first.doc.clientID));
  await until(() => !late.provider.awareness.getStates().has(first.doc.clientID));
});

test('[R18] edits made offline on both sides meet again, also when the relay was started anew', async () => {
  const [first, second] = [joinRoom('room', 'offline'), joinRoom('room', 'offline')];
  first.doc.getText('body').insert(0, 'base');
  await converged(first, second);
  const port = Number(new URL(fixture.url).port);
  await fixture.stop();
  first.doc.getText('body').insert(0, 'left ');
  second.doc.getText('body').insert(4, ' right');
  first.doc.getText('body').delete(5, 1);
  fixture = await startRelay({ data: folder }, port);
  await converged(first, second);
  expect(first.doc.getText('body').toString()).toBe('left ase right');
  const late = joinRoom('room', 'offline');
  await converged(first, late);
});

test.each(['room', 'doc/app/notes'])(
  '[R6] a relay that lost all under live clients of %s: nothing is there twice',
  async (kind) => {
    const [first, second] = [joinRoom(kind, 'lost'), joinRoom(kind, 'lost')];
    first.doc.getText('body').insert(0, 'base');
    await converged(first, second);
    const port = Number(new URL(fixture.url).port);
    await fixture.stop();
    first.doc.getText('body').insert(0, 'left ');
    second.doc.getText('body').insert(4, ' right');
    await rm(folder, { recursive: true, force: true });
    fixture = await startRelay({ data: folder }, port);
    await converged(first, second);
    expect(first.doc.getText('body').toString()).toBe('left base right');
    const late = joinRoom(kind, 'lost');
    await converged(first, late);
    expect(late.doc.getText('body').toString()).toBe('left base right');
  },
);

test('[R18] reconnecting changes nothing, and stores nothing', async () => {
  const first = joinRoom('room', 'again');
  first.doc.getText('body').insert(0, 'text');
  first.doc.getText('body').delete(0, 2);
  await converged(first, joinRoom('room', 'again'));
  const stored = await storedCount();
  for (let round = 0; round < 3; round++) {
    first.provider.disconnect();
    first.provider.connect();
    await until(() => first.provider.synced);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(await storedCount()).toBe(stored);
});

test(`[R18] random edits with disconnections converge to equal bytes (seed ${SEED})`, async () => {
  const random = createSeededRandom(SEED);
  const members = [1, 2, 3, 4].map(() => joinRoom('doc/app/notes', 'shared'));
  for (let step = 0; step < 200; step++) {
    const { doc, provider } = members[Math.floor(random() * members.length)]!;
    randomEdit(doc, random);
    if (random() < 0.04) provider.disconnect();
    if (random() < 0.08) provider.connect();
    if (random() < 0.2) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  for (const { provider } of members) provider.connect();
  await converged(...members);
  await converged(members[0]!, joinRoom('doc/app/notes', 'shared'));
});

test('[R11] a document is let go with its last client, and whoever joins meanwhile finds all of it', async () => {
  for (let round = 0; round < 20; round++) {
    const member = joinRoom('room', 'busy');
    member.doc.getArray('list').push([round]);
    await until(() => member.provider.synced);
    // Half of them leave before their update can be stored: the client has it, and brings it when it is back.
    if (round % 2 === 0) await until(async () => (await storedCount()) > round / 2);
    leave(member.provider);
  }
  await until(async () => (await fixture.relay.health()).documents === 0);
  const last = joinRoom('room', 'busy');
  await until(() => last.provider.synced);
  const list = last.doc.getArray<number>('list').toArray();
  expect(list).toEqual(expect.arrayContaining([0, 2, 4, 6, 8, 10, 12, 14, 16, 18]));
});

test('[R18] a wrong token closes for good, the right one opens', async () => {
  await fixture.stop();
  fixture = await startRelay({ data: folder, secret: 'open sesame' });
  const closed = (params: Record<string, string>): Promise<number> => {
    const { provider } = joinRoom('room', 'secret', params);
    return new Promise((resolve) => {
      provider.on('closed', ({ code }) => resolve(code));
      provider.on('sync', () => resolve(0));
    });
  };
  expect(await closed({})).toBe(4401);
  expect(await closed({ token: 'guess' })).toBe(4401);
  expect(await closed({ token: 'open sesame' })).toBe(0);
});

test('[R4] an update that is not sound closes its client, and changes nothing for the others', async () => {
  const calm = joinRoom('room', 'calm');
  calm.doc.getText('body').insert(0, 'text');
  await until(() => calm.provider.synced);
  const bytes = Buffer.from('0001010000', 'hex');
  const socket = new WebSocket(`${fixture.url}/room/calm`);
  socket.on('open', () => socket.send(Uint8Array.of(0, 2, bytes.length, ...bytes)));
  expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(4422);
  await converged(calm, joinRoom('room', 'calm'));
});

type Member = { readonly doc: Y.Doc; readonly provider: WebsocketProvider };

/** y-websocket is told a server and a room; the kind of document is part of the server's address. */
function joinRoom(kind: string, name: string, params: Record<string, string> = {}): Member {
  const doc = new Y.Doc({ guid: name });
  const provider = new WebsocketProvider(`${fixture.url}/${kind}`, name, doc, {
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
    params,
    maxBackoffTime: 200,
  });
  providers.push(provider);
  return { doc, provider };
}

function leave(provider: WebsocketProvider): void {
  provider.destroy();
  provider.awareness.destroy();
}

function randomEdit(doc: Y.Doc, random: () => number): void {
  const text = doc.getText('body');
  const fields = doc.getMap('fields');
  const edits = [
    () => text.insert(Math.floor(random() * (text.length + 1)), String.fromCharCode(97 + Math.floor(random() * 26))),
    () => text.delete(Math.floor(random() * text.length), text.length > 0 ? 1 : 0),
    () => fields.set(`f${Math.floor(random() * 4)}`, Math.floor(random() * 100)),
    () => fields.delete(`f${Math.floor(random() * 4)}`),
  ];
  edits[Math.floor(random() * edits.length)]!();
}

async function converged(...members: readonly Member[]): Promise<void> {
  const states = (): readonly string[] =>
    members.map(({ doc }) => Buffer.from(Y.encodeStateAsUpdate(doc)).toString('hex'));
  await until(() => members.every(({ provider }) => provider.synced) && new Set(states()).size === 1);
}

async function storedCount(): Promise<number> {
  return Number((await fixture.relay.metrics()).match(/relay_batches_stored_total (\d+)/)![1]);
}

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const start = Date.now();
  while (!(await isTrue())) {
    if (Date.now() - start > 15_000) throw new Error('Waited 15 s in vain.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
