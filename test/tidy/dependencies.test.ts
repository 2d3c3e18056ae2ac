/** Goal: rule S12, what a user installs is known. Method: read package.json, the lockfile and the built files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { ROOT, textOf } from './sources.ts';

/** Runtime dependencies that the project has decided on. Another one needs a reason in ARCHITECTURE.md. */
const CLIENT = ['comlink', 'idb', 'lib0', 'rxjs', 'y-protocols', 'y-websocket', 'yjs'];
/** Of the relay: no browser bundle imports them. */
const RELAY = ['classic-level', 'ws'];
const ALLOWED = [...CLIENT, ...RELAY];
/** What those bring along: RxJS has tslib, lib0 isomorphic.js, and the others belong to classic-level. */
const BROUGHT = [
  ...['tslib', 'isomorphic.js', 'abstract-level', 'base64-js', 'buffer', 'ieee754', 'is-buffer', 'level-supports'],
  ...['level-transcoder', 'maybe-combine-errors', 'module-error', 'napi-macros', 'node-gyp-build'],
];
/** Its script looks for the binary in the package, and finds it: with --ignore-scripts it works as well. */
const SCRIPTED = ['node_modules/classic-level'];

type Manifest = { readonly dependencies: Record<string, string>; readonly devDependencies: Record<string, string> };
type Locked = {
  readonly version: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
};

const imports = (name: string): readonly string[] =>
  ts.preProcessFile(textOf(`dist/${name}`), true, true).importedFiles.map(({ fileName }) => fileName);

const manifest = JSON.parse(textOf('package.json')) as Manifest;
const lockfile = JSON.parse(textOf('package-lock.json')) as { readonly packages: Record<string, Locked> };

test('[S12] runtime dependencies are the named ones', () => {
  expect(Object.keys(manifest.dependencies).filter((name) => !ALLOWED.includes(name))).toEqual([]);
});

test('[S12] every version is exact and locked', () => {
  const all = { ...manifest.dependencies, ...manifest.devDependencies };
  const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version));
  expect(loose).toEqual([]);
  const unlocked = Object.entries(all).filter(
    ([name, version]) => lockfile.packages[`node_modules/${name}`]?.version !== version,
  );
  expect(unlocked).toEqual([]);
});

test('[S12] the lockfile names every package that an installation anywhere asks for', () => {
  // npm ci refuses a lockfile without the builds for other platforms, and npm install does not say that it left them out.
  const missing = Object.values(lockfile.packages).flatMap(({ optionalDependencies = {} }) =>
    Object.keys(optionalDependencies).filter(
      (name) => !Object.keys(lockfile.packages).some((path) => path.endsWith(`node_modules/${name}`)),
    ),
  );
  expect(missing).toEqual([]);
});

test('[S12] nothing that a user installs runs a script, and nothing else brings packages along', () => {
  const runtime = Object.entries(lockfile.packages).filter(([path, { dev }]) => path !== '' && !dev);
  expect(runtime.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual(SCRIPTED);
  const names = runtime.filter(([, { optional }]) => !optional).map(([path]) => path.replace('node_modules/', ''));
  expect(names.filter((name) => !ALLOWED.includes(name) && !BROUGHT.includes(name))).toEqual([]);
});

test.skipIf(!existsSync(join(ROOT, 'dist/index.js')))('[S12] built files import what they should', () => {
  // What is imported when it is used stands beside it.
  expect(imports('index.js').toSorted()).toEqual([
    './lifecycle.js',
    './sync.js',
    './transaction.js',
    'comlink',
    'rxjs',
  ]);
  expect(imports('transaction.js')).toEqual([]);
  expect(imports('lifecycle.js')).toEqual([]);
  expect(textOf('dist/transaction.js')).not.toMatch(/StoreError/);
  expect(imports('standalone.js')).toEqual([]);
  expect(imports('worker.js')).toEqual([]);
  expect(imports('worker-start.js')).toEqual([]);
  // The application's own Yjs is handed to it.
  expect(imports('document.js')).toEqual(['rxjs']);
  expect(imports('sync.js')).toEqual(['rxjs', './document.js', './conflicts.js']);
  expect(imports('conflicts.js').toSorted()).toEqual(['./transaction.js', 'rxjs']);
  expect(imports('sync-worker.js')).toEqual([]);
  // It is parsed at each opening.
  expect(textOf('dist/worker.js')).not.toMatch(/Yjs/);
  expect(textOf('dist/sync-worker.js')).toMatch(/Yjs/);
  const ofRelay = imports('relay.js').filter((name) => !name.startsWith('node:'));
  expect(ofRelay.toSorted()).toEqual(['classic-level', 'lib0/encoding', 'ws', 'yjs']);
  expect(imports('collection-store.js').filter((name) => !name.startsWith('node:'))).toEqual(['./relay.js']);
});

test.skipIf(!existsSync(join(ROOT, 'dist/react.js')))('[BIND-6] a built binding imports its framework alone', () => {
  expect(imports('react.js')).toEqual(['react']);
  expect(imports('vue.js')).toEqual(['vue']);
  expect(imports('svelte.js')).toEqual(['svelte/store']);
  expect(imports('solid.js')).toEqual(['solid-js']);
  // Nor has it a copy of the client in it: each of these is a few functions.
  const names = ['react', 'vue', 'svelte', 'solid'];
  expect(names.filter((name) => /StoreError/.test(textOf(`dist/${name}.js`)))).toEqual([]);
});
