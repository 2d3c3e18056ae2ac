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
      !/^dist\/((index|transaction|lifecycle|sync|document|conflicts|standalone|worker|worker-start|sync-worker|react|vue|svelte|solid|relay|collection-store)\.js(\.map)?|(sync-)?worker\.d\.ts|(relay-)?types\/.*\.d\.ts)$/.test(
        path,
      ) && !DOCUMENTS.includes(path),
  );
  expect(unexpected).toEqual([]);
  const wanted = [
    'dist/index.js',
    'dist/conflicts.js',
    'dist/document.js',
    'dist/lifecycle.js',
    'dist/transaction.js',
    'dist/standalone.js',
    'dist/worker.js',
    'dist/worker-start.js',
    'dist/worker.d.ts',
    'dist/sync.js',
    'dist/sync-worker.js',
    'dist/sync-worker.d.ts',
    'dist/types/index.d.ts',
    'dist/relay.js',
    'dist/collection-store.js',
    'dist/relay-types/server/index.d.ts',
  ];
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
  for (const [moduleResolution, output] of await compileInBothResolutions('use.ts')) {
    expect(output, moduleResolution).toBe('');
  }
});

test('bindings resolve beside their frameworks, at run time and for a strict compiler', async () => {
  await installation.link('react', '@types/react', 'csstype', 'vue', 'svelte', 'solid-js');
  await writeFile(
    join(installation.folder, 'use-bindings.ts'),
    `import type { Query, Store, CollectionDefinition } from 'collection-store';
     import * as react from 'collection-store/react';
     import * as solid from 'collection-store/solid';
     import * as svelte from 'collection-store/svelte';
     import * as vue from 'collection-store/vue';
     import type { Accessor } from 'solid-js';
     import type { Readable } from 'svelte/store';
     import type { ComputedRef } from 'vue';
     type Task = { id: string; title: string };
     declare const store: Store<{ tasks: CollectionDefinition<Task, Task, 'id'> }>;
     declare const query: Query<Task>;
     export const title: string | undefined = react.useQuery(() => query, []).rows[0]?.title;
     export const rows: readonly Task[] = react.useSuspenseQuery(() => query, []);
     export const row: Task | undefined = react.useDocument(store.tasks, 'a').row;
     export const state: 'open' | string = react.useStatus(store).state;
     export const ref: ComputedRef<readonly Task[]> = vue.useQuery(() => query).rows;
     export const readable: Readable<svelte.QueryState<Task>> = svelte.queryStore(query);
     export const signal: Accessor<readonly Task[]> = solid.useQuery(() => query).rows;
     // @ts-expect-error The key is text.
     react.useDocument(store.tasks, 5);
     // @ts-expect-error It must be said what the query depends on.
     react.useQuery(() => query);
     // @ts-expect-error Tasks have no such field.
     vue.useQuery(() => store.tasks.find({ titel: 'x' }));`,
  );
  for (const [moduleResolution, output] of await compileInBothResolutions('use-bindings.ts')) {
    // The declarations of the frameworks are their own affair.
    const ours = output.split('\n').filter((line) => /^(use-bindings|node_modules\/collection-store)/.test(line));
    expect(ours, moduleResolution).toEqual([]);
  }
  const script = `const names = ['react', 'vue', 'svelte', 'solid'];
    const all = await Promise.all(names.map((name) => import('collection-store/' + name)));
    console.log(JSON.stringify(all.map((found) => Object.keys(found))));`;
  await writeFile(join(installation.folder, 'names.js'), script);
  const { stdout } = await run(process.execPath, ['names.js'], { cwd: installation.folder });
  expect(JSON.parse(stdout)).toEqual([
    ['useDocument', 'useQuery', 'useStatus', 'useSuspenseQuery'],
    ['useDocument', 'useQuery', 'useStatus'],
    ['documentStore', 'queryStore', 'statusStore'],
    ['useDocument', 'useQuery', 'useStatus'],
  ]);
});

/** What the compiler says of a file in the project, by kind of resolution. */
async function compileInBothResolutions(file: string): Promise<readonly (readonly [string, string])[]> {
  await writeFile(join(installation.folder, 'package.json'), '{ "type": "module" }');
  const outputs: [string, string][] = [];
  for (const [module, moduleResolution] of [
    ['esnext', 'bundler'],
    ['nodenext', 'nodenext'],
  ]) {
    const compilerOptions = { ...STRICT, module, moduleResolution };
    await writeFile(join(installation.folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
    const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', installation.folder];
    const { stdout } = await run(process.execPath, tsc).catch((error: { stdout: string }) => error);
    outputs.push([moduleResolution!, stdout]);
  }
  return outputs;
}

const STRICT = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  target: 'es2022',
  lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
  types: [],
};

test('the worker call stands in the client as bundlers look for it', async () => {
  const [own, ofSync] = ['worker-start', 'sync-worker'];
  const calls = { 'index.js': [own], 'sync.js': [ofSync], 'standalone.js': [own, ofSync] };
  for (const [name, workers] of Object.entries(calls)) {
    const text = await readFile(join(installation.folder, 'node_modules/collection-store/dist', name), 'utf8');
    for (const worker of workers)
      expect(text).toContain(`new Worker(new URL('./${worker}.js', import.meta.url), { type: 'module' })`);
  }
  const start = await readFile(join(installation.folder, 'node_modules/collection-store/dist/worker-start.js'), 'utf8');
  expect(start).toContain("new URL('./worker.js', import.meta.url)");
  expect(start).toContain('import(/* webpackIgnore: true */ /* @vite-ignore */');
});

const DOCUMENTS = ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'];
