/**
 * Goal: the direction of imports stays what ARCHITECTURE.md draws. Method: read every import of every source file; a
 * file may import its own layer and the layers before it in the order below, through their index where they have one.
 */
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';
import { importsOf, sourceFiles } from './sources.ts';

/** What both threads share, then each thread's own layers. A layer imports itself and layers before it. */
const SHARED = ['src/base', 'src/protocol'];
const FRAMEWORKS = ['src/react', 'src/vue', 'src/svelte', 'src/solid'];
const LAYERS_BY_THREAD = {
  main: [...SHARED, 'src/schema', 'src/client', 'src/bindings', ...FRAMEWORKS, 'src'],
  worker: [
    ...SHARED,
    'worker/observe',
    'worker/storage',
    'worker/wal',
    'worker/pages',
    'worker/indexes',
    'worker/documents',
    'worker/query',
    'worker/live',
    'worker/transactions',
    'worker/tabs',
    'worker/engine',
    'worker/sync',
    'worker',
  ],
  /** A worker of its own: a client of the engine, which it does not know. */
  sync: [...SHARED, 'src/schema', 'src/client', 'worker/indexes', 'worker/documents', 'worker/sync'],
  relay: [
    ...SHARED,
    'server/observe',
    'server/limits',
    'server/log',
    'server/documents',
    'server/auth',
    'server/relay',
    'server/http',
    'server',
  ],
};

const files = sourceFiles('src', 'worker', 'server');
const fileSet = new Set(files);

test('every file belongs to a known layer', () => {
  expect(files.filter((file) => layerOf(file) === undefined)).toEqual([]);
});

test('imports point downward, and never from one thread into the other', () => {
  expect(violations(files.flatMap(edgesOf))).toEqual([]);
});

test('[canary] an upward import, a foreign thread and a by-passed index are noticed', () => {
  const planted = [
    { from: 'worker/storage/idb/x.ts', to: 'worker/engine/x.ts' },
    { from: 'src/client/x.ts', to: 'worker/engine/x.ts' },
    { from: 'worker/engine/x.ts', to: 'src/client/x.ts' },
    { from: 'worker/sync/x.ts', to: 'worker/engine/x.ts' },
    { from: 'worker/engine/x.ts', to: 'worker/sync/x.ts' },
  ];
  expect(violations(planted)).toHaveLength(planted.length);
  expect(bypassed({ from: 'worker/a/x.ts', to: 'worker/b/y.ts' }, new Set(['worker/b/index.ts']))).toBe(
    'worker/b/index.ts',
  );
});

test('a folder with an index is imported through it', () => {
  const wrong = files.flatMap(edgesOf).flatMap((edge) => {
    const index = bypassed(edge, fileSet);
    return index === undefined ? [] : [`${edge.from} imports ${edge.to}: use ${index}`];
  });
  expect(wrong).toEqual([]);
});

test('imports name existing files with their extension, and form no cycle', () => {
  const missing = files.flatMap(edgesOf).filter(({ to }) => !fileSet.has(to));
  expect(missing).toEqual([]);
  expect(cycles()).toEqual([]);
});

type Edge = { readonly from: string; readonly to: string };

function edgesOf(from: string): readonly Edge[] {
  const relative = importsOf(from).filter((target) => target.startsWith('.'));
  return relative.map((target) => ({ from, to: normalize(join(dirname(from), target)) }));
}

function layerOf(file: string): string | undefined {
  const layers = Object.values(LAYERS_BY_THREAD).flat();
  // A thread's root is a layer too: its entry files, which stand above all others.
  const folder = file.split('/').slice(0, -1).slice(0, 2).join('/');
  return layers.find((layer) => layer === folder);
}

function threadOf(file: string): keyof typeof LAYERS_BY_THREAD {
  if (file.startsWith('server/')) return 'relay';
  if (file.startsWith('worker/sync/')) return 'sync';
  return file.startsWith('worker/') ? 'worker' : 'main';
}

function violations(edges: readonly Edge[]): readonly string[] {
  return edges.flatMap(({ from, to }) => {
    const [fromLayer, toLayer] = [layerOf(from), layerOf(to)];
    const thread = LAYERS_BY_THREAD[threadOf(from)];
    const [fromRank, toRank] = [thread.indexOf(fromLayer ?? ''), thread.indexOf(toLayer ?? '')];
    return toRank === -1 || toRank > fromRank ? [`${from} imports ${to}: ${fromLayer} must not know ${toLayer}`] : [];
  });
}

/** The index that stands between two files, when the import does not go through it. */
function bypassed({ from, to }: Edge, existing: ReadonlySet<string>): string | undefined {
  // Down to a layer: a thread's own index is for applications.
  for (let folder = dirname(to); folder.includes('/'); folder = dirname(folder)) {
    if (from.startsWith(`${folder}/`)) return undefined;
    const index = `${folder}/index.ts`;
    if (existing.has(index)) return to === index ? undefined : index;
  }
  return undefined;
}

/** Cycles between files, each named once. */
function cycles(): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const at = path.indexOf(file);
    if (at !== -1) found.push([...path.slice(at), file].join(' -> '));
    if (at !== -1 || done.has(file)) return;
    path.push(file);
    for (const { to } of edgesOf(file)) visit(to);
    path.pop();
    done.add(file);
  };
  for (const file of files) visit(file);
  return found;
}
