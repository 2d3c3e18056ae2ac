/** Goal: the worked example of worker/transactions/FORMAT.md is what the code writes. Method: encode it and compare. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type CatalogueChange, decodeCommits, encodeCommits } from '../../worker/transactions/commit-format.ts';
import { bytesOfExample } from '../oracle/format-example.ts';

test('the worked example of a commit is what is written, and reads back', () => {
  const commits = [[{ type: 'delete', collection: 1, keys: ['t1'] }]] as const;
  const bytes = encodeCommits(commits).flatMap((part) => [...part]);
  expect(bytes).toEqual(bytesOfExample(readFileSync('worker/transactions/FORMAT.md', 'utf8')));
  expect(decodeCommits(Uint8Array.from(bytes))).toEqual(commits);
});

test('[MIG-5] the example of a migrated batch is what is written, and reads back', () => {
  const change = { type: 'migrate-rows', collection: 1, to: 2, upTo: 't1', done: 1 } as const;
  const commits = [
    [
      { type: 'put', collection: 1, rows: [{ id: 't1', p: 0 }] },
      { type: 'catalogue', change },
    ],
  ] as const;
  const bytes = encodeCommits(commits).flatMap((part) => [...part]);
  expect(bytes).toEqual(
    bytesOfExample(readFileSync('worker/transactions/FORMAT.md', 'utf8'), 'An example of version 2'),
  );
  expect(decodeCommits(Uint8Array.from(bytes))).toEqual(commits);
});

test('[T4] the example of a call of the leader is what is written, and reads back; so does each kind of answer', () => {
  const answered = { type: 'answered', isOwn: true, client: 'a1', call: 9 } as const;
  const remove = { type: 'delete', collection: 1, keys: ['t1'] } as const;
  const commits = [[remove, { ...answered, answer: { type: 'value', value: true } }]] as const;
  const bytes = encodeCommits(commits).flatMap((part) => [...part]);
  expect(bytes).toEqual(
    bytesOfExample(readFileSync('worker/transactions/FORMAT.md', 'utf8'), 'An example of version 4'),
  );
  const values = [undefined, false, true, 0, -1, 2 ** 53, 0.5].map((value) => ({ type: 'value', value }) as const);
  const all = [...values, { type: 'row', collection: 3, key: 't\ud800' } as const].map(
    (answer) => [remove, { ...answered, answer }] as const,
  );
  const written = encodeCommits(all).flatMap((part) => [...part]);
  expect(decodeCommits(Uint8Array.from(written))).toEqual(all);
});

test('[MIG-5] [MARK-7] only commits of a migration, or of what is synchronised, have the version that older packages refuse', () => {
  const versionOf = (change: CatalogueChange): number | undefined =>
    encodeCommits([[{ type: 'catalogue', change }]])[0]?.[0];
  expect(versionOf({ type: 'drop-index', collection: 1, name: 'n' })).toBe(1);
  const spec = { name: 'tasks', key: 'id', indexes: [], jsonSchema: undefined, version: 1 };
  expect(versionOf({ type: 'create-collection', id: 1, tree: 1, spec })).toBe(1);
  expect(versionOf({ type: 'create-collection', id: 1, tree: 1, spec: { ...spec, sync: false } })).toBe(1);
  expect(versionOf({ type: 'alter-collection', id: 1, spec: { ...spec, sync: true } })).toBe(5);
  expect(versionOf({ type: 'end-migration', collection: 1, version: 2 })).toBe(2);
  expect(() => decodeCommits(Uint8Array.of(6, 0, 0))).toThrow('knows 5');
});
