/** Goal: what becomes of rows that two devices change at once. Method: two documents, changes exchanged, each rule alone. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyUpdate, Doc, encodeStateAsUpdate } from 'yjs';
import { BINARY_TYPES } from '../../src/base/codec/index.ts';
import type { Row } from '../../src/base/row.ts';
import { StoreError } from '../../src/base/store-error.ts';
import { assertFieldTypes, type FieldTypes } from '../../src/protocol/field-types.ts';
import { checkUpdate } from '../../src/protocol/sync/index.ts';
import { RowDocument } from '../../worker/documents/index.ts';

const TYPES: FieldTypes = { notes: 'text', steps: 'list', likes: 'counter', labels: 'set', address: 'map' };
const NAME = { collection: 'tasks', key: 'a' };

let writers = 1;
function device(state?: Uint8Array): RowDocument {
  writers += 1;
  return new RowDocument({ name: NAME, types: TYPES, clientId: writers, state });
}

/** Two devices with the same row. */
function pair(row: Row): readonly [RowDocument, RowDocument] {
  const first = device();
  first.put(row);
  return [first, device(first.state)];
}

/** Changes that neither knows of, and then both do. Answers the row that both have. */
function together(
  [first, second]: readonly [RowDocument, RowDocument],
  mine: Row | undefined,
  theirs: Row | undefined,
): Row | undefined {
  const sent = first.put(mine)!;
  const received = second.put(theirs)!;
  first.apply(received);
  second.apply(sent);
  expect(first.row).toEqual(second.row);
  return first.row;
}

describe('plain fields', () => {
  const row = {
    id: 'a',
    nothing: null,
    yes: true,
    count: 1.5,
    negative: -0,
    none: Number.NaN,
    endless: Number.NEGATIVE_INFINITY,
    name: 'caf\u00e9 \u{1f600}',
    at: new Date(86_400_000),
    never: new Date(Number.NaN),
    bytes: new Uint8Array([1, 2, 3]),
    buffer: new Uint8Array([4, 5]).buffer,
    floats: new Float32Array([1.5, -2]),
    view: new DataView(new Uint8Array([9, 8]).buffer),
    nested: { list: [1, [new Date(5)], { deep: new Uint8Array([7]) }], empty: {}, none: [] },
    $date: 'a field of the application',
    inner: { $date: 5, $object: { $bytes: new Uint8Array([1]) } },
    fields: 'no name is taken',
  };

  test('[DOC-3] every value comes to another device as it was', () => {
    const [first, second] = pair(row);
    expect(first.row).toEqual(row);
    expect(second.row).toEqual(row);
    const there = second.row as typeof row;
    expect(Object.is(there.negative, -0)).toBe(true);
    expect(there.floats).toBeInstanceOf(Float32Array);
    expect(there.buffer).toBeInstanceOf(ArrayBuffer);
    expect(there.view).toBeInstanceOf(DataView);
  });

  test.each(BINARY_TYPES.filter((type) => type in globalThis))(
    '[DOC-3] a value of the type %s keeps its type',
    (type) => {
      const View = (globalThis as unknown as Record<string, new (buffer: ArrayBuffer) => object>)[type]!;
      const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
      const value = type === 'ArrayBuffer' ? bytes : new View(bytes);
      const [, second] = pair({ id: 'a', value, nested: [value] });
      expect(second.row).toEqual({ id: 'a', value, nested: [value] });
      expect(second.row!['value']).toBeInstanceOf(View);
    },
  );

  test('[DOC-2] writing the same again changes nothing', () => {
    const [first, second] = pair({ ...row, notes: 'n', steps: [1], likes: 2, labels: ['x'], address: { city: 'X' } });
    expect(first.put(structuredClone(first.row))).toBeUndefined();
    expect(second.put(structuredClone(second.row))).toBeUndefined();
  });

  test('[DOC-2] of different fields both changes stay', () => {
    const both = together(pair({ id: 'a', x: 1, y: 1 }), { id: 'a', x: 2, y: 1 }, { id: 'a', x: 1, y: 2, z: 3 });
    expect(both).toEqual({ id: 'a', x: 2, y: 2, z: 3 });
  });

  test('of one field one change stays, the same one on both', () => {
    const both = together(pair({ id: 'a', x: 1 }), { id: 'a', x: 2 }, { id: 'a', x: 3 });
    expect([2, 3]).toContain(both?.['x']);
  });

  test('two devices that create the same row have the fields of both', () => {
    const both = together([device(), device()], { id: 'a', x: 1, notes: 'one' }, { id: 'a', y: 2, likes: 5 });
    expect(both).toEqual({ id: 'a', x: 1, y: 2, notes: 'one', likes: 5 });
  });
});

describe('fields with a type', () => {
  test('[DOC-3] text: both insertions stay, and characters of two units are not cut', () => {
    const both = together(
      pair({ id: 'a', notes: 'one \u{1f600} two' }),
      { id: 'a', notes: 'zero one \u{1f600} two' },
      { id: 'a', notes: 'one \u{1f601} two!' },
    );
    expect(both?.['notes']).toBe('zero one \u{1f601} two!');
  });

  test('[DOC-3] list: both insertions stay, equal elements included', () => {
    const both = together(
      pair({ id: 'a', steps: ['b', 'd'] }),
      { id: 'a', steps: ['a', 'b', 'd'] },
      { id: 'a', steps: ['b', { c: 1 }, 'd', 'd'] },
    );
    expect(both?.['steps']).toEqual(['a', 'b', { c: 1 }, 'd', 'd']);
  });

  test('[DOC-3] counter: what both add is added, and engine runs add up', () => {
    const [first, second] = pair({ id: 'a', likes: 10 });
    expect(together([first, second], { id: 'a', likes: 13 }, { id: 'a', likes: 8 })?.['likes']).toBe(11);
    const later = device(first.state);
    later.put({ id: 'a', likes: 12 });
    second.apply(later.state);
    expect(second.row?.['likes']).toBe(12);
  });

  test('[DOC-3] set: who adds wins over who removes, elements come once and in order', () => {
    const both = together(
      pair({ id: 'a', labels: ['x', 'y'] }),
      { id: 'a', labels: ['y', 3, 'z', 'z'] },
      { id: 'a', labels: ['w', 'x', 'y'] },
    );
    expect(both?.['labels']).toEqual([3, 'w', 'y', 'z']);
    const again = together(
      pair({ id: 'a', labels: [] }),
      { id: 'a', labels: ['x'] },
      { id: 'a', labels: ['x', new Date(3)] },
    );
    expect(again?.['labels']).toEqual(['x', new Date(3)]);
  });

  test('[DOC-3] map: fields at any depth are changed apart, and an object stays where the other side puts a value', () => {
    const before = { city: 'X', at: { x: 1, y: 1 }, none: {} };
    const mine = { city: 'Y', at: { x: 2, y: 1 }, none: {}, more: { deep: { er: 1 } } };
    const theirs = { city: 'X', at: { x: 1, y: 2 }, none: 5, more: 'value' };
    const both = together(pair({ id: 'a', address: before }), { id: 'a', address: mine }, { id: 'a', address: theirs });
    expect(both?.['address']).toEqual({ city: 'Y', at: { x: 2, y: 2 }, none: 5, more: { deep: { er: 1 } } });
  });

  test('empty values are not missing ones', () => {
    const empty = { id: 'a', notes: '', steps: [], likes: 0, labels: [], address: {} };
    const [first, second] = pair(empty);
    expect(second.row).toEqual(empty);
    first.put({ id: 'a', likes: 0 });
    second.apply(first.state);
    expect(second.row).toEqual({ id: 'a', likes: 0 });
  });

  test('a field that is removed while another device writes in it keeps what was written', () => {
    const both = together(pair({ id: 'a', notes: 'old' }), { id: 'a' }, { id: 'a', notes: 'old new' });
    expect(both).toEqual({ id: 'a', notes: ' new' });
  });
});

describe('deletion', () => {
  test('[DOC-4] a deleted row is gone on both, whatever the other one changed, and takes little space', () => {
    const long = { id: 'a', x: 'x'.repeat(5_000), notes: 'n'.repeat(5_000) };
    const [first, second] = pair(long);
    expect(together([first, second], undefined, { ...long, y: 1 })).toBeUndefined();
    expect(first.state.length).toBeLessThan(200);
    expect(first.put(undefined)).toBeDefined();
    expect(first.put(undefined)).toBeUndefined();
  });

  test('[DOC-4] a row that is made again has its new fields, and nothing of the old ones', () => {
    const [first, second] = pair({ id: 'a', x: 1, notes: 'old', labels: ['o'], likes: 7 });
    first.put(undefined);
    first.put({ id: 'a', y: 2, labels: ['n'], likes: 1 });
    second.apply(first.state);
    expect(second.row).toEqual({ id: 'a', y: 2, labels: ['n'], likes: 1 });
  });
});

describe('updates', () => {
  test('an update passes the check of the relay, and holds the change alone', () => {
    const first = device();
    expect(() => checkUpdate(first.put({ id: 'a', x: 'x'.repeat(1_000), notes: 'n' })!)).not.toThrow();
    const change = first.put({ id: 'a', x: 'x'.repeat(1_000), notes: 'n!' })!;
    expect(() => checkUpdate(change)).not.toThrow();
    expect(change.length).toBeLessThan(30);
  });

  test('a run that opens its own row again goes on under its own client id', () => {
    const options = { name: NAME, types: TYPES, clientId: 2 ** 50 + 3 };
    const first = new RowDocument(options);
    first.put({ id: 'a', likes: 1 });
    const again = new RowDocument({ ...options, state: first.state });
    again.put({ id: 'a', likes: 3 });
    const doc = new Doc();
    applyUpdate(doc, again.state);
    expect([...doc.getMap('likes')]).toEqual([[`${2 ** 50 + 3}`, 3]]);
    expect(doc.store.clients.size).toBe(1);
  });

  test('[DOC-6] what another client of the document writes is read as far as a row can hold it', () => {
    const first = device();
    first.put({ id: 'a', notes: 'text' });
    const doc = new Doc();
    doc.clientID = 77;
    applyUpdate(doc, first.state);
    doc.getMap('fields').set('plain', { $date: 'no date', $object: 5 });
    doc.getMap('fields').set('$unknown', 1);
    doc.getMap('fields').set('big', 5n);
    doc.getText('notes').insert(4, '!');
    doc.getText('notes').insertEmbed(0, { image: 'x' });
    doc.getMap('labels').set('anything', 'l');
    doc.getMap('likes').set('77', 'many');
    doc.getMap('address').set('not a way', 1);
    first.apply(encodeStateAsUpdate(doc));
    expect(first.row).toEqual({
      id: 'a',
      plain: { $date: 'no date', $object: 5 },
      big: 5,
      notes: 'text!',
      labels: ['l'],
      likes: 0,
      address: {},
    });
    first.put({ id: 'a', notes: 'other' });
    expect(first.row).toEqual({ id: 'a', notes: 'other' });
  });
});

test('the example of FORMAT.md', () => {
  const format = readFileSync(new URL('../../worker/documents/FORMAT.md', import.meta.url), 'utf8');
  const [, example = ''] = format.split('## An example');
  const bytes = [...example.matchAll(/^ {4}((?:[0-9a-f]{2} )+)/gm)].flatMap(([, line]) => line!.trim().split(' '));
  const document = new RowDocument({ name: NAME, types: { likes: 'counter' }, clientId: 7 });
  expect(Buffer.from(document.put({ id: 'a', likes: 3 })!).toString('hex')).toBe(bytes.join(''));
  expect(example).toContain(`${bytes.length} bytes`);
});

describe('refusals', () => {
  const codeOf = (run: () => unknown): string => {
    try {
      run();
      return 'ok';
    } catch (error) {
      return error instanceof StoreError ? `${error.code} ${error.message}` : String(error);
    }
  };
  const half = '\ud83d';

  test.each<readonly [string, unknown]>([
    ['notes', 5],
    ['notes', half],
    ['steps', 'abc'],
    ['likes', Number.NaN],
    ['likes', '5'],
    ['labels', [['nested']]],
    ['labels', [half]],
    ['address', []],
    ['address', { [half]: 1 }],
    ['plain', { in: [half] }],
    [half, 1],
  ])('[DOC-5] %s: %j is refused by name, and nothing is changed', (field, value) => {
    const [first] = pair({ id: 'a', likes: 1 });
    const { state } = first;
    const refused = codeOf(() => first.put({ id: 'a', likes: 5, [field]: value }));
    expect(refused).toMatch(/^sync\/unfit-value Field "/);
    expect(refused).toContain(JSON.stringify(field));
    expect(first.state).toEqual(state);
  });

  test('types under names of the document itself, and unknown types, are refused', () => {
    expect(codeOf(() => assertFieldTypes(TYPES))).toBe('ok');
    for (const wrong of [
      { fields: 'text' },
      { '': 'text' },
      { 'a.b': 'text' },
      { constructor: 'map' },
      { a: 'toString' },
      { a: 1 },
    ]) {
      expect(
        codeOf(() => assertFieldTypes(wrong)),
        JSON.stringify(wrong),
      ).toMatch(/^collection\/invalid-field-type/);
    }
  });
});

test('[DOC-2] what an editor has embedded or formatted stays where it is when the application rewrites the text', () => {
  const editor = new Doc();
  const text = editor.getText('notes');
  text.insert(0, 'abcdef');
  text.insertEmbed(3, { image: 1 });
  text.insertEmbed(0, { image: 0 });
  text.format(5, 2, { bold: true });
  const name = { collection: 'tasks', key: 'a' };
  const types = { notes: 'text' } as const;
  const rowOf = (value: string): unknown[] => {
    const document = new RowDocument({ name, types, clientId: 7, state: encodeStateAsUpdate(editor) });
    document.put({ id: 'a', notes: value });
    expect(document.row).toEqual({ id: 'a', notes: value });
    const read = new Doc();
    applyUpdate(read, document.state);
    return read.getText('notes').toDelta();
  };
  const image = (n: number): object => ({ insert: { image: n } });
  expect(text.toString()).toBe('abcdef');
  expect(rowOf('abef')).toEqual([
    image(0),
    { insert: 'ab' },
    image(1),
    { insert: 'e', attributes: { bold: true } },
    { insert: 'f' },
  ]);
  expect(rowOf('abcXdef!')).toEqual([
    image(0),
    { insert: 'abcX' },
    image(1),
    { insert: 'de', attributes: { bold: true } },
    { insert: 'f!' },
  ]);
  expect(rowOf('')).toEqual([image(0), image(1)]);
});

test('[DOC-1] formats that mean nothing any more are left to editors: reading a row changes nothing in its document', () => {
  const [one, two] = [new Doc(), new Doc()];
  one.getText('notes').insert(0, 'hello');
  const base = encodeStateAsUpdate(one);
  applyUpdate(two, base);
  one.getText('notes').format(0, 5, { bold: true });
  two.getText('notes').delete(0, 5);
  const updates = [encodeStateAsUpdate(one), encodeStateAsUpdate(two)];
  const states = [false, true].map((isRead) => {
    const name = { collection: 'tasks', key: 'a' };
    const document = new RowDocument({ name, types: { notes: 'text' }, clientId: 7, state: base });
    for (const update of updates) {
      if (isRead) expect(document.row).toBeDefined();
      document.apply(update);
    }
    return Buffer.from(document.state).toString('hex');
  });
  expect(states[0]).toBe(states[1]);
});
