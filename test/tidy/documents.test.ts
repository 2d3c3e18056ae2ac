/**
 * Goal: what documents show is true. Method: compile every TypeScript block of every document as a file of its own, with
 * the package's name standing for its source; follow every relative link.
 */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compile } from 'svelte/compiler';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { compileScript, parse } from 'vue/compiler-sfc';
import { ROOT, repositoryFiles, textOf } from './sources.ts';

const documents = repositoryFiles().filter((path) => path.endsWith('.md'));

test('TypeScript in documents compiles', { timeout: 60_000 }, () => {
  const blocks = new Map(documents.flatMap(blocksOf));
  expect(blocks.size).toBeGreaterThan(0);
  expect(problemsOf(blocks)).toEqual([]);
});

test('components in documents compile', () => {
  const texts = documents.map(textOf).join('\n');
  const components = [...texts.matchAll(/^```(vue|svelte)\n(.*?)^```$/gms)];
  expect(components.map(([, kind]) => kind)).toEqual(expect.arrayContaining(['vue', 'svelte']));
  const problems = components.flatMap(([, kind, text = '']) =>
    kind === 'vue' ? problemsOfVue(text) : problemsOfSvelte(text),
  );
  expect(problems).toEqual([]);
});

test('[canary] a component that is wrong is noticed', () => {
  expect(problemsOfVue('<script setup>const {</script><template><p></template>')).not.toEqual([]);
  expect(problemsOfSvelte('{#each rows as row}<p>')).not.toEqual([]);
});

test('[canary] a wrong name in a block is noticed', { timeout: 60_000 }, () => {
  const name = join(ROOT, 'canary.block.ts');
  const blocks = new Map([[name, "import { openStores } from 'collection-store';\nawait openStores();\n"]]);
  expect(problemsOf(blocks).join()).toContain('openStores');
});

test('relative links lead somewhere', () => {
  const broken = documents.flatMap((path) => {
    const links = [...textOf(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? '');
    return links
      .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
      .map((target) => `${path}: ${target}`);
  });
  expect(broken).toEqual([]);
});

function problemsOfVue(text: string): readonly string[] {
  const { descriptor, errors } = parse(text);
  if (errors.length > 0) return errors.map(String);
  try {
    compileScript(descriptor, { id: 'block', inlineTemplate: true });
    return [];
  } catch (error) {
    return [String(error)];
  }
}

function problemsOfSvelte(text: string): readonly string[] {
  try {
    return compile(text, { generate: 'client' }).warnings.map(({ message }) => message);
  } catch (error) {
    return [String(error)];
  }
}

/** Each block as a file beside its document, so that relative imports and the package's name resolve as they would. */
function blocksOf(path: string): readonly (readonly [name: string, text: string])[] {
  const blocks = [...textOf(path).matchAll(/^```(tsx?)\n(.*?)^```$/gms)];
  return blocks.map(([, kind = '', text = ''], index) => {
    // Components import the store that the first example of their document opens.
    const name = text.includes('export const store =') ? 'store.ts' : `${basename(path)}.${index + 1}.block.${kind}`;
    return [join(ROOT, dirname(path), name), `${text}\nexport {};\n`];
  });
}

function problemsOf(blocks: ReadonlyMap<string, string>): readonly string[] {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  // A block shows a thought; what it declares need not be used or exported with its type.
  const relaxed = {
    ...options,
    noUnusedLocals: false,
    isolatedDeclarations: false,
    declaration: false,
    jsx: ts.JsxEmit.ReactJSX,
  };
  const host = ts.createCompilerHost(relaxed);
  const { getSourceFile, fileExists, readFile } = host;
  host.getSourceFile = (name, language, ...rest) => {
    const text = blocks.get(name);
    return text === undefined ? getSourceFile(name, language, ...rest) : ts.createSourceFile(name, text, language);
  };
  host.fileExists = (name) => blocks.has(name) || fileExists(name);
  host.readFile = (name) => blocks.get(name) ?? readFile(name);
  const program = ts.createProgram([...blocks.keys()], relaxed, host);
  // Only the blocks: the sources have a check of their own.
  const found = [...blocks.keys()].flatMap((name) => {
    const file = program.getSourceFile(name);
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  });
  return found.map(({ file, start, messageText }) => {
    const line = file === undefined || start === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
    return `${file?.fileName.replace(ROOT, '')}:${line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}
