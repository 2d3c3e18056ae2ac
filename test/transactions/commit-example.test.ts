/** Goal: the worked example of worker/transactions/FORMAT.md is what the code writes. Method: encode it and compare. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeCommits, encodeCommits } from '../../worker/transactions/commit-format.ts';
import { bytesOfExample } from '../oracle/format-example.ts';

test('the worked example of a commit is what is written, and reads back', () => {
  const commits = [[{ type: 'delete', collection: 1, keys: ['t1'] }]] as const;
  const bytes = encodeCommits(commits).flatMap((part) => [...part]);
  expect(bytes).toEqual(bytesOfExample(readFileSync('worker/transactions/FORMAT.md', 'utf8')));
  expect(decodeCommits(Uint8Array.from(bytes))).toEqual(commits);
});
