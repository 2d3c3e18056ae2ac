/**
 * Goal: every rule has a proof and every proof a rule. Method: compare the ids in test titles with those listed in
 * test/RULES.md and in the SPEC.md of folders. `[canary]` marks tests of the tests and is no rule.
 */
import { expect, test } from 'vitest';
import { repositoryFiles, sourceFiles, textOf } from './sources.ts';

const ID = /[A-Z]+-?\d+/;
const listed = new Set(repositoryFiles('test', 'src', 'worker', 'server', 'e2e').filter(isRuleList).flatMap(idsListed));
const proven = new Map<string, string>();
for (const path of sourceFiles('test', 'e2e').filter((file) => !file.endsWith('/rules.test.ts'))) {
  for (const id of idsInTitles(textOf(path))) proven.set(id, path);
}

test('every rule has a test that carries its id', () => {
  expect([...listed].filter((id) => !proven.has(id))).toEqual([]);
});

test('every id in a test title is a rule', () => {
  expect([...proven].filter(([id]) => !listed.has(id)).map(([id, path]) => `${id} in ${path}`)).toEqual([]);
});

test('[canary] ids are read from titles, also of suites and contract suites', () => {
  expect(idsInTitles("test('[B7] x'"), 'plain title').toEqual(['B7']);
  expect(idsInTitles('describe(`[B1] [WAL-4] y`'), 'two ids').toEqual(['B1', 'WAL-4']);
  expect(idsInTitles('const x = rows[A1];'), 'not a title').toEqual([]);
});

function isRuleList(path: string): boolean {
  return path === 'test/RULES.md' || path.endsWith('/SPEC.md');
}

/** An id in the first cell of a table row or at the start of a list item. */
function idsListed(path: string): readonly string[] {
  const matches = textOf(path).matchAll(/^(?:\| *|[-*] +)[*`]*([A-Z]+-?\d+)[*`]*\b/gm);
  return [...matches].flatMap(([, id]) => (id === undefined ? [] : [id]));
}

/** Ids in brackets at the start of a string: a title, wherever the call that takes it stands. */
function idsInTitles(text: string): readonly string[] {
  const starts = [...text.matchAll(/['"`]((?:\[[A-Za-z0-9-]+\] ?)+)/g)].map(([, ids]) => ids ?? '');
  const ids = starts.flatMap((start) => [...start.matchAll(/\[([A-Za-z0-9-]+)\]/g)].map(([, id]) => id ?? ''));
  return ids.filter((id) => new RegExp(`^${ID.source}$`).test(id));
}
