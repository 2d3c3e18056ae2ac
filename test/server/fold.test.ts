/** Goal: folding a backlog costs what it weighs, and gives what each update alone would. Method: work that is counted. */
import { expect, test, vi } from 'vitest';
import * as Y from 'yjs';
import { condensed, foldRow } from '../../server/documents/index.ts';
import { openKeyedLog } from '../../server/log/index.ts';
import { statesRange } from '../../server/log/log-keys.ts';
import { openMemoryStore } from '../../server/log/memory-store.ts';
import { Metrics } from '../../server/observe/index.ts';
import { Folder } from '../../server/relay/folder.ts';
import { createPlatform } from '../../src/base/platform.ts';
import { encodeChanges } from '../../src/protocol/sync/index.ts';
import { createSeededRandom } from '../fakes/seeded-random.ts';
import { fieldsOf, setFields } from './device.ts';

const SEED = 20_260_801;
const HISTORIES = 40;
const WRITER = 'c'.repeat(32);

test('[REL-9] a fold walks through the clients of a row a few times, however many updates it takes', () => {
  const updates = Array.from({ length: 600 }, (_, n) => setFields('a', { [`f${n}`]: n }).update);
  const { state } = foldRow(undefined, updates.slice(0, 300));
  const emitted = vi.spyOn(Y.Doc.prototype, 'emit');
  try {
    const folded = foldRow(state, updates.slice(300));
    // Yjs lists all clients before and after each transaction.
    expect(emitted.mock.calls.filter(([name]) => name === 'afterTransactionCleanup')).toHaveLength(1);
    expect(Object.keys(fieldsOf([folded.state]) as object)).toHaveLength(600);
  } finally {
    emitted.mockRestore();
  }
});

test('[REL-9] a backlog is folded with about as many bytes of states as it has itself', async () => {
  const platform = createPlatform();
  const store = openMemoryStore();
  const isState = ([kind]: Uint8Array): boolean => kind === statesRange(0, undefined).from[0];
  let stateBytes = 0;
  const log = await openKeyedLog(
    {
      ...store,
      write(writes, durability) {
        for (const write of writes) if (write.type === 'put' && isState(write.key)) stateBytes += write.value.length;
        return store.write(writes, durability);
      },
    },
    platform,
  );
  const main = await log.open('main');
  let backlogBytes = 0;
  for (let n = 1; n <= 2_400; n++) {
    // Fields that nobody writes again: states grow by what is written.
    const body = encodeChanges([setFields(`row ${n % 4}`, { [`f${n}`]: 'x'.repeat(4_000) })]);
    backlogBytes += body.length;
    await main.append({ writer: WRITER, writerSequence: n, body });
  }
  const parts = { log: main, platform, metrics: new Metrics(), observe: () => {}, onFolded: () => {} };
  await new Folder({ ...parts, tailBytesMax: Number.MAX_SAFE_INTEGER }).settle();
  expect([main.folded, main.rowCount]).toEqual([2_400, 4]);
  // Each is about twice what was written, with the projection beside it; and there was less of it at each fold before.
  expect(stateBytes / backlogBytes).toBeLessThan(6);
});

test(`[REL-9] updates folded together give what they give one by one (seed ${SEED})`, () => {
  for (let history = 0; history < HISTORIES; history++) {
    const random = createSeededRandom(SEED + history);
    const updates = randomHistory(random, edit);
    let state: Uint8Array | undefined;
    for (let from = 0, to = 0; from < updates.length; from = to) {
      to = from + 1 + Math.floor(random() * 40);
      const folded = foldRow(state, updates.slice(from, to));
      expect(folded.refused, `history ${history}`).toEqual([]);
      state = folded.state;
    }
    const singly = documentOf(updates);
    const together = documentOf([state!]);
    expect(together.getMap('fields').toJSON(), `history ${history}`).toEqual(singly.getMap('fields').toJSON());
    expect(Y.equalSnapshots(Y.snapshot(together), Y.snapshot(singly)), `history ${history}`).toBe(true);
    // And it goes on in the same way: what comes later meets the same neighbours.
    const next = setFields('a', { f0: 'last' }).update;
    for (const doc of [singly, together]) Y.applyUpdate(doc, next);
    expect(Y.encodeStateVector(together), `history ${history}`).toEqual(Y.encodeStateVector(singly));
    expect(together.getMap('fields').toJSON()).toEqual(singly.getMap('fields').toJSON());
  }
});

test(`[REL-10] what is sent as one update gives the bytes that the updates give one by one (seed ${SEED})`, () => {
  for (let history = 0; history < HISTORIES; history++) {
    // Without types inside of types: of those even Yjs' own clients keep what is deleted in different pieces.
    const updates = randomHistory(createSeededRandom(SEED + history), editFlat);
    const sent = condensed(updates);
    expect(sent.length, `history ${history}`).toBeLessThan(updates.length / 10);
    const [together, singly] = [documentOf(sent), documentOf(updates)];
    expect(Y.encodeStateAsUpdate(together), `history ${history}`).toEqual(Y.encodeStateAsUpdate(singly));
  }
});

type Edit = (doc: Y.Doc, random: () => number) => void;

/** Three clients that hear of each other now and then. */
function randomHistory(random: () => number, change: Edit): readonly Uint8Array[] {
  const updates: Uint8Array[] = [];
  const docs = [1, 2, 3].map((clientID) => {
    const doc = new Y.Doc({ guid: 'row' });
    doc.clientID = clientID;
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'relay') updates.push(update);
    });
    return doc;
  });
  for (let step = 0; step < 120; step++) {
    const doc = docs[Math.floor(random() * docs.length)]!;
    if (random() < 0.2) for (const update of updates.slice()) Y.applyUpdate(doc, update, 'relay');
    else change(doc, random);
  }
  return updates;
}

function editFlat(doc: Y.Doc, random: () => number): void {
  const text = doc.getText('body');
  const at = Math.floor(random() * (text.length + 1));
  const choice = random();
  if (choice < 0.4) text.insert(at, 'ab');
  else if (choice < 0.6) text.delete(at, Math.min(1, text.length - at));
  else if (choice < 0.9) doc.getMap('fields').set(`f${Math.floor(random() * 4)}`, random());
  else doc.getMap('fields').delete(`f${Math.floor(random() * 4)}`);
}

/** Fields, texts and maps in them, which are removed again. */
function edit(doc: Y.Doc, random: () => number): void {
  const fields = doc.getMap('fields');
  const field = `f${Math.floor(random() * 4)}`;
  const there = fields.get(field);
  const choice = random();
  if (choice < 0.1) fields.delete(field);
  else if (choice < 0.2) fields.set(field, new Y.Text('text'));
  else if (choice < 0.3) fields.set(field, new Y.Map([['n', random()]]));
  else if (there instanceof Y.Text) {
    const at = Math.floor(random() * (there.length + 1));
    if (random() < 0.7) there.insert(at, 'ab');
    else there.delete(at, Math.min(2, there.length - at));
  } else if (there instanceof Y.Map) there.set(`n${Math.floor(random() * 3)}`, random());
  else fields.set(field, random());
}

function documentOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc({ guid: 'row' });
  for (const update of updates) Y.applyUpdate(doc, update);
  return doc;
}
