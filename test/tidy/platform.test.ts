/**
 * Goal: rule P2, time, randomness, storage and network come in from outside. Method: find each use of a platform's
 * global in the syntax trees of the sources; only its owner may use it. Words in comments and strings do not count.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { importsOf, parse, placeOf, ROOT, sourceFiles } from './sources.ts';

const NOBODY: readonly string[] = [];
/** The last one is the relay's process itself: nothing below it has a clock of its own. */
const PLATFORM = ['src/base/platform.ts', 'server/main.ts'];
const IDB = ['worker/storage/idb/'];

/** Globals and the folders or files that may use them. */
const OWNERS_BY_GLOBAL: Readonly<Record<string, readonly string[]>> = {
  'Date.now': PLATFORM,
  'new Date()': PLATFORM,
  'Math.random': PLATFORM,
  performance: PLATFORM,
  crypto: PLATFORM,
  setTimeout: PLATFORM,
  clearTimeout: PLATFORM,
  setInterval: PLATFORM,
  clearInterval: PLATFORM,
  requestAnimationFrame: PLATFORM,
  scheduler: PLATFORM,
  indexedDB: IDB,
  IDBKeyRange: IDB,
  navigator: [...PLATFORM, ...IDB, 'worker/storage/opfs/', 'worker/tabs/', 'src/client/sync.ts'],
  localStorage: PLATFORM,
  BroadcastChannel: ['worker/tabs/', 'src/client/sync.ts'],
  SharedWorker: NOBODY,
  Worker: ['src/client/'],
  fetch: NOBODY,
  XMLHttpRequest: NOBODY,
  WebSocket: ['worker/sync/'],
  EventSource: NOBODY,
  eval: NOBODY,
  Function: NOBODY,
};

/** Packages and who may import them: replacing one must touch one place per side. */
const OWNERS_BY_PACKAGE: Readonly<Record<string, readonly string[]>> = {
  idb: IDB,
  comlink: ['src/client/', 'worker/main.ts'],
  '@cfworker/json-schema': ['worker/engine/'],
  rxjs: ['src/client/'],
  react: ['src/react/'],
  vue: ['src/vue/'],
  'svelte/store': ['src/svelte/'],
  'solid-js': ['src/solid/'],
  yjs: ['server/documents/', 'worker/documents/'],
  'lib0/encoding': ['server/documents/', 'worker/documents/'],
  'lib0/decoding': ['server/documents/'],
  'y-protocols/awareness': ['server/documents/'],
  ws: ['server/relay/'],
  'classic-level': ['server/log/level-store.ts'],
};

const BINDINGS = ['react.js', 'vue.js', 'svelte.js', 'solid.js'];

const files = sourceFiles('src', 'worker', 'server');

test('[P2] platform globals are used only by their owners', () => {
  const wrong = files.map(parse).flatMap((file) =>
    globalsOf(file)
      .filter(({ name }) => !isOwner(OWNERS_BY_GLOBAL[name] ?? NOBODY, file.fileName))
      .map(({ name, node }) => `${placeOf(file, node)} uses ${name}`),
  );
  expect(wrong).toEqual([]);
});

test('[P2] packages are imported only by their owners', () => {
  const wrong = files.flatMap((file) =>
    importsOf(file)
      .filter((target) => !target.startsWith('.') && !isNodesOwn(target, file))
      .filter((target) => !isOwner(OWNERS_BY_PACKAGE[target] ?? NOBODY, file))
      .map((target) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('[P2] [canary] uses are found behind globalThis and not in words, members, types or keys', () => {
  const text = `
    // setTimeout
    const a = globalThis.indexedDB; const b = Date.now(); const c = new Date(); new Worker('x'); eval('1'); setTimeout(f);
    const d = platform.setTimeout; const e = { fetch: 1 }; type F = typeof fetch; const g = 'indexedDB'; new Date(5);
    interface Clock { setTimeout(): void }
    Function.prototype.bind; new Function('1');
    function given({ crypto }: Platform, navigator: Navigator) { crypto.x(); navigator.y(); }
  `;
  const file = ts.createSourceFile('canary.ts', text, ts.ScriptTarget.Latest, true);
  const names = globalsOf(file).map(({ name }) => name);
  expect(names).toEqual(['indexedDB', 'Date.now', 'new Date()', 'Worker', 'eval', 'setTimeout', 'Function']);
});

test.skipIf(!existsSync(join(ROOT, 'dist/index.js')))('[S10] no built file makes code from text', () => {
  const wrong = [
    'index.js',
    'sync.js',
    'standalone.js',
    'worker.js',
    'worker-start.js',
    'sync-worker.js',
    ...BINDINGS,
  ].flatMap((name) => {
    const path = `dist/${name}`;
    const file = ts.createSourceFile(path, readFileSync(join(ROOT, path), 'utf8'), ts.ScriptTarget.Latest, true);
    const bad = globalsOf(file).filter((found) => found.name === 'eval' || found.name === 'Function');
    return bad.map((found) => `${path} uses ${found.name}`);
  });
  expect(wrong).toEqual([]);
});

/** The relay is a program of Node; nothing else in the package may be. */
const isNodesOwn = (target: string, file: string): boolean => target.startsWith('node:') && file.startsWith('server/');

type Use = { readonly name: string; readonly node: ts.Node };

function isOwner(owners: readonly string[], file: string): boolean {
  return owners.some((owner) => (owner.endsWith('/') ? file.startsWith(owner) : file === owner));
}

function globalsOf(file: ts.SourceFile): readonly Use[] {
  const uses: Use[] = [];
  const declared = namesDeclared(file);
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    const name = globalName(node, declared);
    if (name !== undefined && Object.hasOwn(OWNERS_BY_GLOBAL, name)) uses.push({ name, node });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return uses;
}

function globalName(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length) return 'new Date()';
  if (ts.isPropertyAccessExpression(node)) {
    const holder = node.expression.getText();
    if (holder === 'Date' || holder === 'Math') return `${holder}.${node.name.text}`;
    return ['globalThis', 'self', 'window'].includes(holder) ? node.name.text : undefined;
  }
  return ts.isIdentifier(node) && isReference(node) && !declared.has(node.text) ? node.text : undefined;
}

/** Names that a file gives to parameters and variables: what was passed in may bear the name of a global. */
function namesDeclared(file: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    const isDeclaration = ts.isParameter(node) || ts.isVariableDeclaration(node) || ts.isBindingElement(node);
    if (isDeclaration && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}

/** Whether an identifier reads a variable, rather than naming a member, a key or a declaration. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  // Only a call of it makes code; RxJS takes methods from its prototype.
  if (node.text === 'Function')
    return (ts.isCallExpression(parent) || ts.isNewExpression(parent)) && parent.expression === node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isShorthandPropertyAssignment(parent)) return true;
  return !('name' in parent && parent.name === node);
}
