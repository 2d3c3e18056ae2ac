/** A random life of a Yjs document with everything that documents may hold, by two writers who do not always agree. */
import * as Y from 'yjs';
import { createSeededRandom } from '../fakes/seeded-random.ts';

export type RandomDocument = { readonly updates: readonly Uint8Array[]; readonly state: Uint8Array };

const FIELDS = ['title', 'done', 'count', 'tags', 'due', 'note'];

export function randomDocument(seed: number): RandomDocument {
  const random = createSeededRandom(seed);
  const updates: Uint8Array[] = [];
  const docs = [11, 2 ** 40 + 5].map((client) => {
    const doc = new Y.Doc({ guid: 'random' });
    doc.clientID = client + seed;
    doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin !== 'other') updates.push(update);
    });
    return doc;
  });
  const steps = 2 + Math.floor(random() * 20);
  for (let step = 0; step < steps; step++) {
    const doc = docs[Math.floor(random() * 2)]!;
    doc.transact(() => randomEdit(doc, random));
    if (random() < 0.3) for (const update of updates) for (const other of docs) Y.applyUpdate(other, update, 'other');
  }
  const [first, second] = docs as [Y.Doc, Y.Doc];
  for (const update of [...updates]) Y.applyUpdate(first, update, 'other');
  second.destroy();
  return { updates, state: Y.encodeStateAsUpdate(first) };
}

function randomEdit(doc: Y.Doc, random: () => number): void {
  const fields = doc.getMap('fields');
  const field = FIELDS[Math.floor(random() * FIELDS.length)]!;
  const text = doc.getText('body');
  const edits: readonly (() => void)[] = [
    () => fields.set(field, randomValue(random, 0)),
    () => fields.set(field, randomValue(random, 0)),
    () => fields.delete(field),
    () => fields.set('list', new Y.Array()),
    () => (fields.get('list') as Y.Array<unknown> | undefined)?.push([listValue(random), listValue(random)]),
    () => fields.set('map', new Y.Map([['inner', new Y.Map()]])),
    () => text.insert(Math.floor(random() * (text.length + 1)), 'some \u{1f600} text'),
    () => text.delete(0, Math.min(text.length, 3)),
    () => text.format(0, text.length, { bold: true, size: { px: 3 } }),
    () => text.insertEmbed(0, { image: [1, 'x'] }),
    () => doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p'), new Y.XmlText('hello')]),
  ];
  edits[Math.floor(random() * edits.length)]!();
}

/** Yjs takes neither undefined nor big integers as elements of a list. */
function listValue(random: () => number): unknown {
  const value = randomValue(random, 1);
  return value === undefined || typeof value === 'bigint' ? null : value;
}

function randomValue(random: () => number, depth: number): unknown {
  const values: readonly unknown[] = [
    null,
    true,
    false,
    Math.floor(random() * 1e6) - 5e5,
    -(2 ** 52) + 1,
    2 ** 60,
    random(),
    1.5,
    'text "with" \\ marks',
    '',
    Uint8Array.of(1, 2, 3),
    10n ** 15n,
    undefined,
  ];
  const choice = Math.floor(random() * (values.length + 2));
  if (choice < values.length) return values[choice];
  if (depth > 2) return [];
  const inner = (): unknown => randomValue(random, depth + 1);
  return choice === values.length ? [inner(), inner()] : { a: inner(), b: inner() };
}
