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

test('[MIG-5] only commits of a migration have the version that older packages refuse', () => {
  const versionOf = (change: CatalogueChange): number | undefined =>
    encodeCommits([[{ type: 'catalogue', change }]])[0]?.[0];
  expect(versionOf({ type: 'drop-index', collection: 1, name: 'n' })).toBe(1);
  expect(versionOf({ type: 'end-migration', collection: 1, version: 2 })).toBe(2);
  expect(() => decodeCommits(Uint8Array.of(4, 0, 0))).toThrow('knows 3');
});
