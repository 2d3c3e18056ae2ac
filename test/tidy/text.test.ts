/** Goal: habits of CONTRIBUTING.md that a machine can check. Method: read the text of every file of ours. */
import { expect, test } from 'vitest';
import { repositoryFiles, sourceFiles, textOf } from './sources.ts';

const texts = repositoryFiles()
  .filter((path) => /\.(ts|mts|mjs|js|json|md|html|css|yml)$|^\.ci\/run$/.test(path) && path !== 'package-lock.json')
  .map((path) => ({ path, lines: textOf(path).split('\n') }));

test('sources are ASCII', () => {
  expect(find(/[^\n\t -~]/, /\.(ts|mts|mjs|js|css)$/)).toEqual([]);
});

test('no file names a path of one machine', () => {
  // Written in two parts, so that this file does not find itself.
  const absolute = new RegExp(`(?<![\\w.:/])/(${['home', 'Users', 'root', 'work', 'tmp'].join('|')})/\\w`);
  expect(find(absolute)).toEqual([]);
});

test('work that is left to do has an issue', () => {
  const mark = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b(?!.*(#\\d+|https?://))`);
  expect(find(mark)).toEqual([]);
});

test('no module makes an error with a stack while it is loaded', () => {
  expect(find(/^(export )?(const|let) .*= (new )?\w*Error\(/, /^(src|worker)\/.*\.ts$/)).toEqual([]);
});

test('no test is left alone or left out', () => {
  expect(find(/\b(test|it|describe)\.(only|skip|todo)\b\(/, /\.test\.ts$/)).toEqual([]);
});

test('file names are kebab-case', () => {
  const wrong = sourceFiles('src', 'worker', 'server', 'test', 'e2e', 'demo').filter(
    (path) => !/^[a-z0-9-]+(\.[a-z0-9-]+)*\.ts$/.test(path.slice(path.lastIndexOf('/') + 1)),
  );
  expect(wrong).toEqual([]);
});

test('files stay readable', () => {
  const sizes = texts
    .filter(({ path }) => /^(src|worker|server)\/.*\.ts$/.test(path))
    .map(({ path, lines }) => ({ path, lines: lines.length }))
    .sort((a, b) => b.lines - a.lines);
  const median = sizes[Math.floor(sizes.length / 2)]?.lines ?? 0;
  const long = sizes.filter(({ lines }) => lines > LINES_NOTED);
  const list = long.map(({ path, lines }) => `  ${path}: ${lines}`).join('\n');
  console.log(`Source files: ${sizes.length}, median ${median} lines, over ${LINES_NOTED}: ${long.length}\n${list}`);
  expect(sizes.filter(({ lines }) => lines > LINES_MAX)).toEqual([]);
});

/** Longer files are listed on each run, to be looked at. */
const LINES_NOTED = 300;
/** Longer files fail: nobody reads them. */
const LINES_MAX = 700;

function find(pattern: RegExp, paths = /./): readonly string[] {
  return texts
    .filter(({ path }) => paths.test(path))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, index) =>
        pattern.test(line) ? [`${path}:${index + 1}: ${line.trim().slice(0, 100)}`] : [],
      ),
    );
}
