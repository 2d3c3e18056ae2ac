/** The repository's own files, for the tests that read them. Paths are relative to the root, with `/`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const ROOT: string = new URL('../..', import.meta.url).pathname;

const SKIPPED = new Set(['node_modules', 'dist', '.cache', '.git', 'coverage', 'test-results']);

export function repositoryFiles(...below: readonly string[]): readonly string[] {
  const folders = below.length === 0 ? [''] : below;
  return folders.flatMap((folder) => walk(folder)).sort();
}

/** TypeScript files below the given folders. */
export function sourceFiles(...below: readonly string[]): readonly string[] {
  return repositoryFiles(...below).filter((path) => path.endsWith('.ts'));
}

export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, textOf(path), ts.ScriptTarget.Latest, true);
}

/** What a file imports, as written. */
export function importsOf(path: string): readonly string[] {
  return ts.preProcessFile(textOf(path), true, true).importedFiles.map(({ fileName }) => fileName);
}

/** Where a node stands, for a message. */
export function placeOf(file: ts.SourceFile, node: ts.Node): string {
  return `${file.fileName}:${file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1}`;
}

function walk(folder: string): string[] {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true });
  return entries.flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    return entry.isDirectory() ? walk(path) : [path];
  });
}
