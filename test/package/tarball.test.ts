/** Goal: the tarball holds what it should and resolves everywhere it promises to. Method: pack it and ask the checkers. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Installation, installPackage, ROOT } from './installation.ts';

const run = promisify(execFile);

let installation: Installation;
beforeAll(async () => {
  installation = await installPackage();
});
afterAll(() => installation.remove());

test('holds the built files, their declarations and the documents, and nothing else', () => {
  const unexpected = installation.files.filter(
    (path) =>
      !/^dist\/((index|standalone|worker)\.js(\.map)?|worker\.d\.ts|types\/.*\.d\.ts)$/.test(path) &&
      !DOCUMENTS.includes(path),
  );
  expect(unexpected).toEqual([]);
  const wanted = ['dist/index.js', 'dist/standalone.js', 'dist/worker.js', 'dist/worker.d.ts', 'dist/types/index.d.ts'];
  expect([...wanted, ...DOCUMENTS].filter((path) => !installation.files.includes(path))).toEqual([]);
});

test('publint finds nothing to say', async () => {
  const { messages, pkg } = await publint({ pkgDir: join(installation.folder, 'node_modules/collection-store') });
  expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
});

test('types resolve from every entry point', async () => {
  const attw = join(ROOT, 'node_modules/@arethetypeswrong/cli/dist/index.js');
  const args = [attw, installation.tarball, '--profile', 'esm-only', '--format', 'json'];
  const { stdout } = await run(process.execPath, args).catch((error: { stdout: string }) => error);
  const { analysis } = JSON.parse(stdout) as { readonly analysis: { readonly problems: readonly Problem[] } };
  // The package is for bundlers and browsers: require() and the oldest resolution are not promised.
  const promised = analysis.problems.filter(
    ({ resolutionKind }) => !['node10', 'node16-cjs'].includes(resolutionKind ?? ''),
  );
  expect(promised).toEqual([]);
});

type Problem = { readonly kind: string; readonly entrypoint?: string; readonly resolutionKind?: string };

test('a strict compiler takes the declarations, without skipLibCheck and in both modern resolutions', async () => {
  await writeFile(
    join(installation.folder, 'use.ts'),
    `import { defineCollection, openStore, StoreError } from 'collection-store';
     import { openStore as same } from 'collection-store/standalone';
     type Task = { id: string; title: string };
     const store = await openStore({ name: 'x', collections: { tasks: defineCollection<Task>({}) } });
     const task: Task | undefined = await store.tasks.get('a');
     // @ts-expect-error A title is text.
     await store.tasks.create({ title: 5 });
     export { same, StoreError, task };`,
  );
  await writeFile(join(installation.folder, 'package.json'), '{ "type": "module" }');
  for (const [module, moduleResolution] of [
    ['esnext', 'bundler'],
    ['nodenext', 'nodenext'],
  ]) {
    const compilerOptions = { ...STRICT, module, moduleResolution };
    await writeFile(join(installation.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
    const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', installation.folder];
    const { stdout } = await run(process.execPath, tsc).catch((error: { stdout: string }) => error);
    expect(stdout, moduleResolution).toBe('');
  }
});

const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  target: 'es2022',
  lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
  types: [],
};

test('the worker call stands in the client as bundlers look for it', async () => {
  for (const name of ['index.js', 'standalone.js']) {
    const text = await readFile(join(installation.folder, 'node_modules/collection-store/dist', name), 'utf8');
    expect(text).toContain("new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })");
  }
});

const DOCUMENTS = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
